// SPDX-License-Identifier: MIT
#include "http/request.hpp"

#include <algorithm>
#include <limits>

#include "http/authority.hpp"
#include "http/characters.hpp"
#include "http/list.hpp"

namespace http {
namespace {

using outcome = std::expected<void, error>;

std::unexpected<error> refuse(status code, std::string_view text) { return std::unexpected(error{code, text}); }
std::unexpected<error> bad(std::string_view text) { return refuse(status::bad_request, text); }

/// Parses 1*DIGIT (RFC 9110 section 8.6): no sign, no list, at most 64 bits.
std::optional<std::uint64_t> parse_length(std::string_view text) noexcept
{
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    if (text.empty()) return std::nullopt;
    std::uint64_t length = 0;
    for (char c : text) {
        if (!is_digit(c)) return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (length > (most - digit) / 10) return std::nullopt;
        length = length * 10 + digit;
    }
    return length;
}

/// protocol-name [ "/" protocol-version ] (RFC 9110 section 7.8).
bool is_protocol(std::string_view text) noexcept
{
    const auto slash = text.find('/');
    if (!is_token(text.substr(0, slash))) return false;
    return slash == std::string_view::npos || is_token(text.substr(slash + 1));
}

/// The length of the target at the beginning of the text.
std::size_t target_end(std::string_view text) noexcept
{
    std::size_t end = find_not_target_char(text, 0);
    if (end == text.size() || !is_lenient_query_char(text[end]) || !text.substr(0, end).contains('?')) return end;
    while (end < text.size() && is_lenient_query_char(text[end])) end = find_not_target_char(text, end + 1);
    return end;
}

/// Parses a head line by line. Each function continues where the one before it stopped.
class head_parser {
  public:
    head_parser(std::string_view text, const limits& limits, request_head& into) noexcept
        : text_(text), limits_(limits), head_(into)
    {
    }

    outcome parse() noexcept
    {
        clear();
        for (int i = 0; i < 2 && text_.substr(at_).starts_with("\r\n"); ++i) at_ += 2;
        const outcome line = request_line();
        const outcome rest = fields();
        if (!line) return line;
        if (!rest) return rest;
        if (auto r = understand(); !r) return r;
        if (auto r = settle_host(); !r) return r;
        return settle_framing();
    }

  private:
    void clear() noexcept
    {
        head_.line = head_.method_text = head_.target = head_.authority = head_.host = head_.upgrade = {};
        head_.content_length.reset();
        head_.port.reset();
        head_.method = method::other;
        head_.version = version::http_1_1;
        head_.form = target_form::origin;
        head_.chunked = head_.keep_alive = head_.expect_continue = false;
        head_.first_index.fill(max_fields);
        head_.field_count = 0;
        head_.repeated = 0;
    }

    /// Returns everything up to the CRLF, and skips that. Only field chars are accepted: RFC 9112 section 2.2 does not
    /// let a bare CR or LF end a line, and replacing it by a space would be unsafe, because other parsers would see two
    /// lines.
    std::expected<std::string_view, error> rest_of_line() noexcept
    {
        const std::size_t end = find_not_field_char(text_, at_);
        if (!text_.substr(end).starts_with("\r\n")) return bad("A line of the head does not end in CRLF.");
        const std::string_view line = text_.substr(at_, end - at_);
        at_ = end + 2;
        return line;
    }

    /// Parses method SP request-target SP HTTP-version (RFC 9112 section 3).
    outcome request_line() noexcept
    {
        auto line = rest_of_line();
        if (!line) return std::unexpected(line.error());
        head_.line = *line;

        const std::size_t space = line->find(' ');
        if (auto r = set_method(line->substr(0, space)); !r) return r;
        if (space == std::string_view::npos) return bad("The request line has no target.");
        return target_and_version(line->substr(space + 1));
    }

    outcome set_method(std::string_view token) noexcept
    {
        if (!is_token(token)) return bad("The request method is not a token.");
        if (token.size() > limits_.method_bytes)
            return refuse(status::not_implemented, "The request method is longer than the limit.");
        head_.method_text = token;
        head_.method = parse_method(token);
        return {};
    }

    outcome target_and_version(std::string_view text) noexcept
    {
        const std::size_t end = target_end(text);
        if (end > limits_.target_bytes)
            return refuse(status::uri_too_long, "The request target is longer than the limit.");
        if (end == text.size()) return bad("The request line has no HTTP version.");
        if (text[end] != ' ') return bad("The request target contains a character that must be percent-encoded.");
        if (end == 0) return bad("The request line is not three words separated by single spaces.");
        head_.target = text.substr(0, end);

        if (auto r = http_version(text.substr(end + 1)); !r) return r;
        return target_shape();
    }

    /// Parses the version (RFC 9112 section 2.3), in upper case only.
    outcome http_version(std::string_view text) noexcept
    {
        if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(text[5]) || text[6] != '.' ||
            !is_digit(text[7]))
            return bad("The request line does not end in an HTTP version.");
        if (text[5] != '1')
            return refuse(status::http_version_not_supported, "The HTTP version is neither 1.0 nor 1.1.");
        head_.version = text[7] == '0' ? version::http_1_0 : version::http_1_1;
        return {};
    }

    /// RFC 9112 section 3.2. If the target does not begin with a slash, the authority is in the target, and Host is
    /// overruled.
    outcome target_shape() noexcept
    {
        const std::string_view target = head_.target;
        if (head_.method == method::connect) {
            head_.form = target_form::authority;
            if (auto r = set_authority(target, "The target of CONNECT is not a host and a port."); !r) return r;
            if (!head_.port) return bad("The target of CONNECT has no port.");  // RFC 9110 section 9.3.6
            return {};
        }
        if (target.starts_with('/')) {
            head_.form = target_form::origin;
            return {};
        }
        if (target == "*") {
            head_.form = target_form::asterisk;
            if (head_.method != method::options) return bad("Only OPTIONS may have an asterisk as target.");
            return {};
        }
        return absolute_target();
    }

    /// RFC 9112 section 3.2.2, with the schemes of RFC 9110 section 4.2. User information is an error (4.2.4), which
    /// parse_authority reports.
    outcome absolute_target() noexcept
    {
        head_.form = target_form::absolute;
        const std::size_t scheme_end = head_.target.find("://");
        const std::string_view scheme = head_.target.substr(0, scheme_end);
        if (scheme_end == std::string_view::npos ||
            (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")))
            return bad("The request target is neither a path nor an http URI.");
        const std::string_view rest = head_.target.substr(scheme_end + 3);
        return set_authority(rest.substr(0, rest.find_first_of("/?")), "The host in the request target is invalid.");
    }

    outcome set_authority(std::string_view text, std::string_view complaint) noexcept
    {
        const auto parsed = parse_authority(text);
        if (!parsed) return bad(complaint);
        head_.authority = text;
        head_.host = parsed->host;
        head_.port = parsed->port;
        return {};
    }

    outcome fields() noexcept
    {
        const std::size_t most = std::min(limits_.fields, max_fields);
        while (at_ < text_.size() && text_[at_] != '\r') {
            if (head_.field_count == most)
                return refuse(status::request_header_fields_too_large, "The request has more fields than the limit.");
            if (auto r = field_line(); !r) return r;
        }
        if (text_.substr(at_) != "\r\n") return bad("The head does not end in an empty line.");
        if (text_.size() > limits_.head_bytes)
            return refuse(status::request_header_fields_too_large, "The request head is longer than the limit.");
        return {};
    }

    /// Parses field-name ":" OWS field-value OWS (RFC 9112 section 5).
    outcome field_line() noexcept
    {
        const std::size_t begin = at_;
        while (at_ < text_.size() && token_chars.contains(text_[at_])) ++at_;
        if (at_ == text_.size() || text_[at_] != ':' || at_ == begin) return refuse_name(begin);
        const std::string_view name = text_.substr(begin, at_ - begin);

        ++at_;
        auto line = rest_of_line();
        if (!line) return std::unexpected(line.error());
        add({name, trim(*line), identify_field(name)});
        return {};
    }

    std::unexpected<error> refuse_name(std::size_t begin) const noexcept
    {
        const char next = at_ < text_.size() ? text_[at_] : '\0';
        const bool is_space = next == ' ' || next == '\t';
        // A server must refuse obs-fold or replace it (RFC 9112 section 5.2), and must refuse the space (section 5.1).
        if (is_space && at_ == begin) return bad("A field line begins with white space.");
        if (is_space) return bad("There is white space between a field name and its colon.");
        if (at_ == begin) return bad("A field name is empty or begins with an invalid character.");
        return bad("A field name is not followed by a colon.");
    }

    void add(const field& f) noexcept
    {
        if (f.id != field_id::none) {
            const auto id = static_cast<std::size_t>(f.id);
            std::uint8_t& first = head_.first_index[id];
            if (first == max_fields)
                first = static_cast<std::uint8_t>(head_.field_count);
            else
                head_.repeated |= std::uint64_t{1} << id;
        }
        head_.field_store[head_.field_count++] = f;
    }

    /// Interprets the fields that affect the connection itself.
    outcome understand() noexcept
    {
        for (const field& f : head_.fields()) {
            outcome r;
            switch (f.id) {
                case field_id::host:
                    r = host(f.value);
                    break;
                case field_id::content_length:
                    r = content_length(f.value);
                    break;
                case field_id::transfer_encoding:
                    r = transfer_encoding(f.value);
                    break;
                case field_id::connection:
                    r = connection(f.value);
                    break;
                case field_id::upgrade:
                    r = upgrade(f.value);
                    break;
                case field_id::expect:
                    r = expect(f.value);
                    break;
                default:
                    break;
            }
            if (!r) return r;
        }
        return {};
    }

    /// Checks the Host field: there must be only one, and it must be valid even if the target overrules it (RFC 9112
    /// sections 3.2 and 3.2.2). An empty one is valid (RFC 9110 section 7.2) but names no host that has a page.
    outcome host(std::string_view value) noexcept
    {
        if (has_host_) return bad("The request has two Host fields.");
        has_host_ = true;
        if (head_.form == target_form::absolute || head_.form == target_form::authority) {
            if (!value.empty() && !parse_authority(value)) return bad("The Host field is invalid.");
            return {};
        }
        return set_authority(value, "The Host field is invalid.");
    }

    outcome content_length(std::string_view value) noexcept
    {
        // RFC 9112 section 6.3 permits equal values, but a client that sends them is trying to make two parsers
        // disagree.
        if (head_.content_length) return bad("The request has two Content-Length fields.");
        head_.content_length = parse_length(value);
        if (!head_.content_length) return bad("The Content-Length is not a number of bytes.");
        return {};
    }

    /// All field lines with this name form one list (RFC 9110 section 5.3).
    outcome transfer_encoding(std::string_view value) noexcept
    {
        has_transfer_encoding_ = true;
        list_cursor list(value);
        while (auto coding = list.next()) {
            const std::string_view name = trim(coding->substr(0, coding->find(';')));
            if (!is_token(name)) return bad("The Transfer-Encoding is malformed.");
            if (head_.chunked) return bad("The Transfer-Encoding field names a coding after chunked.");
            if (!equal_ignoring_case(name, "chunked")) {
                has_unknown_coding_ = true;
                continue;
            }
            if (name.size() != coding->size()) return bad("The Transfer-Encoding field gives chunked parameters.");
            head_.chunked = true;
        }
        return {};
    }

    outcome connection(std::string_view value) noexcept
    {
        list_cursor list(value);
        while (auto option = list.next()) {
            if (option->empty()) continue;  // RFC 9110 section 5.6.1.2
            if (!is_token(*option)) return bad("The Connection field is not a list of tokens.");
            says_close_ |= equal_ignoring_case(*option, "close");
            says_keep_alive_ |= equal_ignoring_case(*option, "keep-alive");
            says_upgrade_ |= equal_ignoring_case(*option, "upgrade");
        }
        return {};
    }

    outcome upgrade(std::string_view value) noexcept
    {
        list_cursor list(value);
        while (auto protocol = list.next())
            if (!protocol->empty() && !is_protocol(*protocol))
                return bad("The Upgrade field is not a list of protocols.");
        return {};
    }

    /// Checks the Expect field (RFC 9110 section 10.1.1): a list, in which only 100-continue is defined. HTTP/1.0 has
    /// none.
    outcome expect(std::string_view value) noexcept
    {
        if (head_.version == version::http_1_0) return {};
        list_cursor list(value);
        while (auto expectation = list.next()) {
            if (expectation->empty()) continue;  // RFC 9110 section 5.6.1.2
            if (!equal_ignoring_case(*expectation, "100-continue"))
                return refuse(status::expectation_failed, "The only supported expectation is 100-continue.");
            head_.expect_continue = true;
        }
        return {};
    }

    outcome settle_host() const noexcept
    {
        if (!has_host_ && head_.version == version::http_1_1)
            return bad("The request has no Host field.");  // RFC 9112 section 3.2
        return {};
    }

    /// Decides how the body is framed (RFC 9112 sections 6.1 and 6.3) and whether the connection persists (section
    /// 9.3).
    outcome settle_framing() noexcept
    {
        if (has_transfer_encoding_ && head_.version == version::http_1_0)
            return bad("An HTTP/1.0 request has a Transfer-Encoding.");
        if (has_transfer_encoding_ && head_.content_length)
            return bad("The request has both a Transfer-Encoding and a Content-Length.");
        if (has_unknown_coding_ && !head_.chunked)  // required, and so checked before the 501 of section 6.1
            return bad("The end of the body is unknown: the last transfer coding is not chunked.");
        if (has_unknown_coding_)
            return refuse(status::not_implemented, "The only supported transfer coding is chunked.");
        if (head_.content_length.value_or(0) > limits_.body_bytes)
            return refuse(status::content_too_large, "The Content-Length is above the limit.");

        const bool is_1_1 = head_.version == version::http_1_1;
        head_.keep_alive = !says_close_ && (is_1_1 || says_keep_alive_);
        head_.expect_continue = head_.expect_continue && head_.has_body();
        if (says_upgrade_ && is_1_1) head_.upgrade = head_.find(field_id::upgrade).value_or(std::string_view{});
        return {};
    }

    std::string_view text_;
    const limits& limits_;
    request_head& head_;
    std::size_t at_ = 0;
    bool has_host_ = false;
    bool has_transfer_encoding_ = false;
    bool has_unknown_coding_ = false;
    bool says_close_ = false;
    bool says_keep_alive_ = false;
    bool says_upgrade_ = false;
};

}  // namespace

std::optional<std::string_view> request_head::find_list(field_id id, std::string& joined) const
{
    if (!is_repeated(id)) return find(id);
    joined.clear();
    for (const field& f : fields()) {
        if (f.id != id) continue;
        if (!joined.empty()) joined.append(", ");
        joined.append(f.value);
    }
    return joined;
}

std::optional<std::string_view> request_head::find(std::string_view name) const noexcept
{
    for (const field& f : fields())
        if (equal_ignoring_case(f.name, name)) return f.value;
    return std::nullopt;
}

std::expected<void, error> parse_head(std::span<const char> complete_head, const limits& limits,
                                      request_head& into) noexcept
{
    return head_parser({complete_head.data(), complete_head.size()}, limits, into).parse();
}

}  // namespace http
