// SPDX-License-Identifier: MIT
#include "server/cgi_farm/script_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "http/characters.hpp"
#include "http/list.hpp"

namespace server {
namespace {

std::unexpected<std::string> wrong(std::string text) { return std::unexpected(std::move(text)); }

/// The beginning of a text that is too long for a line of the log.
std::string_view beginning(std::string_view text) { return text.substr(0, 64); }

/// Fields that concern the connection (RFC 3875 section 6.3.4), those that the server adds itself, and those for other
/// servers (section 6.3.5).
bool is_dropped(std::string_view name)
{
    constexpr std::array<std::string_view, 10> names{"x-request-id",      "connection", "date", "keep-alive",
                                                     "proxy-connection",  "server",     "te",   "trailer",
                                                     "transfer-encoding", "upgrade"};
    constexpr std::string_view extension = "x-cgi-";
    return http::equal_ignoring_case(name.substr(0, extension.size()), extension) ||
           std::ranges::any_of(names, [&](std::string_view n) { return http::equal_ignoring_case(name, n); });
}

/// All digits, nothing else; at most 64 bits.
template <class Number>
std::optional<Number> parse_number(std::string_view text)
{
    Number value{};
    if (!std::ranges::all_of(text, http::is_digit)) return std::nullopt;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// 3DIGIT [ SP reason ] (RFC 3875 section 6.3.3). The reason is read by nobody; many programs omit it.
std::optional<std::uint16_t> parse_status_code(std::string_view text)
{
    if (text.size() > 3 && text[3] != ' ') return std::nullopt;
    return text.size() < 3 ? std::nullopt : parse_number<std::uint16_t>(text.substr(0, 3));
}

bool is_redirect(http::status code) { return http::number(code) / 100 == 3 && code != http::status::not_modified; }

/// local-pathquery (RFC 3875 section 6.3.2). With a fragment, or an unencoded character, only the client can follow it.
bool is_local(std::string_view location)
{
    return location.starts_with('/') && std::ranges::all_of(location, http::is_target_char);
}

std::unexpected<std::string> wrong_line(std::string_view line)
{
    if (line.starts_with("HTTP/"))
        return wrong("the head has a status line of HTTP, which only a program whose name begins with nph- may send");
    if (line.starts_with(' ') || line.starts_with('\t')) return wrong("a line of the head begins with white space");
    return wrong(fmt::format("a line of the head is no field: \"{}\"", beginning(line)));
}

}  // namespace

// ---- lines

std::expected<std::optional<script_head>, std::string> script_head_parser::feed(std::string_view so_far)
{
    for (;;) {
        const std::size_t end = so_far.find('\n', line_begin_);
        if (std::min(end, so_far.size()) >= most_bytes_)
            return wrong(fmt::format("the head is longer than {} bytes", most_bytes_));
        if (end == std::string_view::npos) return std::nullopt;

        std::string_view line = so_far.substr(line_begin_, end - line_begin_);
        if (line.ends_with('\r')) line.remove_suffix(1);  // section 6.2: NL is LF or CRLF
        line_begin_ = end + 1;
        if (line.empty()) return finish();
        if (auto parsed = parse_line(line); !parsed) return std::unexpected(std::move(parsed.error()));
    }
}

std::string_view script_head_parser::why_unfinished(std::string_view output)
{
    return output.empty() ? "the program sent nothing" : "the output ends before the empty line that ends the head";
}

script_head_parser::outcome script_head_parser::parse_line(std::string_view line)
{
    if (http::find_not_field_char(line, 0) != line.size())
        return wrong(fmt::format("a line of the head contains a control character: \"{}\"", beginning(line)));
    const std::size_t colon = line.find(':');
    const field f{line.substr(0, colon), colon == std::string_view::npos ? line : http::trim(line.substr(colon + 1))};
    if (colon == std::string_view::npos || !http::is_token(f.name)) return wrong_line(line);
    if (f.value.empty() || is_dropped(f.name)) return {};  // section 6.3: an empty field is as good as none
    return parse_field(f);
}

// ---- fields

script_head_parser::outcome script_head_parser::parse_field(const field& f)
{
    const auto is = [&](std::string_view name) { return http::equal_ignoring_case(f.name, name); };
    if (is("status")) return set_once(status_, f);
    if (is("location")) return set_once(location_, f);
    if (is("content-type")) return set_once(content_type_, f);
    if (is("content-length")) return set_once(content_length_, f);
    if (is("x-sendfile")) return set_once(sendfile_, f);
    head_.fields.add(f.name, f.value);
    return {};
}

/// Section 6.3: these must not appear more than once.
script_head_parser::outcome script_head_parser::set_once(std::optional<std::string>& place, const field& f)
{
    if (place && *place != f.value) return wrong(fmt::format("the head has two different fields {}", f.name));
    place = f.value;
    return {};
}

// ---- the whole

script_head_parser::outcome script_head_parser::settle_status()
{
    if (!status_) return {};
    const auto code = parse_status_code(*status_);
    if (!code) return wrong(fmt::format("the status is not a number of three digits: \"{}\"", beginning(*status_)));
    if (*code < 200 || *code > 599) return wrong(fmt::format("the status is {}, and not 200 to 599", *code));
    head_.code = static_cast<http::status>(*code);
    return {};
}

script_head_parser::outcome script_head_parser::settle_length()
{
    if (!content_length_) return {};
    head_.content_length = parse_number<std::uint64_t>(*content_length_);
    if (!head_.content_length)
        return wrong(fmt::format("the Content-Length is not a number of bytes: \"{}\"", beginning(*content_length_)));
    return {};
}

/// A program that sends more than the path of a local redirect means the client: RFC 3875 section 6.2.2 allows nothing
/// else in a local one, and the client would not get what else was sent, such as a cookie.
bool script_head_parser::is_local_redirect() const
{
    return is_local(*location_) && !status_ && !content_type_ && !content_length_ && !sendfile_ &&
           head_.fields.lines().empty();
}

void script_head_parser::settle_location()
{
    using enum script_head::kind;
    if (!location_) return;
    head_.location = *location_;
    if (is_local_redirect()) {
        head_.what = local_redirect;
        return;
    }
    head_.fields.add("Location", *location_);
    if (!status_) head_.code = http::status::found;
    if (is_redirect(head_.code)) head_.what = content_type_ ? client_redirect_with_document : client_redirect;
}

std::expected<script_head, std::string> script_head_parser::finish()
{
    if (!status_ && !location_ && !content_type_ && !sendfile_)
        return wrong("the head has neither Content-Type nor Status nor Location");
    if (auto settled = settle_status(); !settled) return std::unexpected(std::move(settled.error()));
    if (auto settled = settle_length(); !settled) return std::unexpected(std::move(settled.error()));
    settle_location();
    if (content_type_) head_.fields.add("Content-Type", *content_type_);
    head_.has_content_type = content_type_.has_value();
    head_.sendfile = sendfile_.value_or("");
    head_.bytes = line_begin_;
    return std::move(head_);
}

// ---- NPH

std::optional<http::status> status_of_nph(std::string_view output)
{
    const std::size_t end = output.find('\n');
    if (end == std::string_view::npos || !output.starts_with("HTTP/1.")) return std::nullopt;
    std::string_view line = output.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
    const auto code = parse_status_code(line);
    return code && *code >= 200 && *code <= 599 ? std::optional(static_cast<http::status>(*code)) : std::nullopt;
}

}  // namespace server
