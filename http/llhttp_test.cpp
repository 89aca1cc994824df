// SPDX-License-Identifier: MIT
// Compares our parsers with llhttp, the parser of Node.js, in its strict mode, on a table of messages and many seeded
// mutations of them. llhttp must accept what we accept, and read it the same way. What only llhttp accepts, we must
// refuse for one of the reasons listed here.

#include <algorithm>
#include <array>
#include <llhttp.h>
#include <map>
#include <optional>
#include <ostream>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http/characters.hpp"
#include "http/chunked.hpp"
#include "http/list.hpp"
#include "http/request.hpp"

namespace {

using namespace std::string_view_literals;
using http::request_head;

// What a parser read from a message.
struct understood {
    std::string method;
    std::string target;
    std::vector<std::pair<std::string, std::string>> fields;
    std::optional<std::uint64_t> content_length;
    bool chunked = false;
    bool keep_alive = false;

    friend bool operator==(const understood&, const understood&) = default;

    friend void PrintTo(const understood& seen, std::ostream* to)
    {
        *to << seen.method << ' ' << seen.target << ' ' << testing::PrintToString(seen.fields)
            << " length=" << testing::PrintToString(seen.content_length) << " chunked=" << seen.chunked
            << " keep_alive=" << seen.keep_alive;
    }
};

// Runs llhttp in one call.
class reference {
  public:
    explicit reference(std::string_view bytes)
    {
        llhttp_settings_init(&settings_);
        settings_.on_url = [](llhttp_t* p, const char* at, std::size_t n) {
            return append(self(p).seen_.target, at, n);
        };
        settings_.on_header_field = [](llhttp_t* p, const char* at, std::size_t n) {
            return append(self(p).name_, at, n);
        };
        settings_.on_header_value = [](llhttp_t* p, const char* at, std::size_t n) {
            return append(self(p).value_, at, n);
        };
        settings_.on_header_value_complete = [](llhttp_t* p) { return self(p).end_field(); };
        settings_.on_headers_complete = [](llhttp_t* p) { return self(p).end_head(); };
        settings_.on_body = [](llhttp_t* p, const char* at, std::size_t n) { return append(self(p).body_, at, n); };
        settings_.on_message_complete = [](llhttp_t* p) {
            self(p).is_complete_ = true;
            return static_cast<int>(HPE_PAUSED);
        };
        llhttp_init(&parser_, HTTP_REQUEST, &settings_);
        parser_.data = this;
        result_ = llhttp_execute(&parser_, bytes.data(), bytes.size());
    }

    [[nodiscard]] bool accepts_head() const
    {
        return has_head_ && (result_ == HPE_OK || result_ == HPE_PAUSED || result_ == HPE_PAUSED_UPGRADE);
    }
    [[nodiscard]] bool accepts_message() const { return accepts_head() && is_complete_; }
    [[nodiscard]] const understood& head() const { return seen_; }
    [[nodiscard]] const std::string& body() const { return body_; }
    [[nodiscard]] const char* complaint() const { return llhttp_errno_name(result_); }

  private:
    static reference& self(llhttp_t* parser) { return *static_cast<reference*>(parser->data); }

    static int append(std::string& to, const char* at, std::size_t size)
    {
        to.append(at, size);
        return 0;
    }

    int end_field()
    {
        // llhttp reports the fields of a trailer section here too, after the head.
        if (!has_head_) seen_.fields.emplace_back(name_, http::trim(value_));
        name_.clear();
        value_.clear();
        return 0;
    }

    int end_head()
    {
        has_head_ = true;
        seen_.method = llhttp_method_name(static_cast<llhttp_method_t>(parser_.method));
        seen_.chunked = (parser_.flags & F_CHUNKED) != 0;
        if ((parser_.flags & F_CONTENT_LENGTH) != 0) seen_.content_length = parser_.content_length;
        seen_.keep_alive = llhttp_should_keep_alive(&parser_) != 0;
        return 0;
    }

    llhttp_t parser_{};
    llhttp_settings_t settings_{};
    llhttp_errno_t result_ = HPE_OK;
    understood seen_;
    std::string name_;
    std::string value_;
    std::string body_;
    bool has_head_ = false;
    bool is_complete_ = false;
};

understood ours(const request_head& head)
{
    understood seen;
    seen.method = head.method_text;
    seen.target = head.target;
    for (const http::field& f : head.fields()) seen.fields.emplace_back(f.name, f.value);
    seen.content_length = head.content_length;
    seen.chunked = head.chunked;
    seen.keep_alive = head.keep_alive;
    return seen;
}

// Whether a tab is in or after a value: where llhttp parses values itself, it treats only spaces as white space.
bool has_tab(const http::field& f) { return std::string_view(f.value.data(), f.value.size() + 1).contains('\t'); }

// What we accept on purpose and llhttp refuses.
bool only_we_accept(const request_head& head)
{
    if (head.method == http::method::other) return true;  // it knows no other methods; we leave the 501 to the server
    for (const http::field& f : head.fields())
        if ((f.id == http::field_id::content_length || f.id == http::field_id::transfer_encoding) && has_tab(f))
            return true;
    // A query with bytes that are not ASCII, as browsers and curl send it.
    if (std::ranges::any_of(head.line, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) return true;
    if (head.line.ends_with("/1.0") || head.line.ends_with("/1.1")) return false;
    return true;  // later minor versions (RFC 9110 section 2.5)
}

// Whether the two differ about persistence on purpose.
bool differs_on_persistence(const request_head& head)
{
    for (const http::field& f : head.fields())
        if (f.id == http::field_id::connection && has_tab(f)) return true;
    // With both close and keep-alive, llhttp lets HTTP/1.0 persist; in RFC 9112 section 9.3 close takes precedence.
    return head.version == http::version::http_1_0 && head.find(http::field_id::connection) && !head.keep_alive;
}

// The reason why we refuse what llhttp accepts.
const std::set<std::string_view>& strictness()
{
    static const std::set<std::string_view> reasons{
        // llhttp skips any number of empty lines, and more than one space.
        "The request method is not a token.",
        "The request line is not three words separated by single spaces.",
        "The request line does not end in an HTTP version.",
        // In places it accepts a bare LF as the end of a line, and obs-fold as a space.
        "A line of the head does not end in CRLF.",
        "A field name is empty or begins with an invalid character.",
        "A field line begins with white space.",
        // It also accepts HTTP/0.9, which has no version in the request line.
        "The request line has no HTTP version.",
        // It leaves Host, and with it the authority of the target, to its user.
        "The request has no Host field.",
        "The request has two Host fields.",
        "The Host field is invalid.",
        "The host in the request target is invalid.",
        "The target of CONNECT is not a host and a port.",
        "The target of CONNECT has no port.",
        "The request target is neither a path nor an http URI.",
        "Only OPTIONS may have an asterisk as target.",
        "The request target contains a character that must be percent-encoded.",
        // It also leaves expectations and the contents of list fields to its user.
        "The only supported expectation is 100-continue.",
        "The Connection field is not a list of tokens.",
        "The Upgrade field is not a list of protocols.",
        // It considers the last coding only, for every version.
        "An HTTP/1.0 request has a Transfer-Encoding.",
        "The only supported transfer coding is chunked.",
        "The Transfer-Encoding is malformed.",
        // For it, CONNECT has no body, whatever the codings are.
        "The end of the body is unknown: the last transfer coding is not chunked.",
        // It also accepts HTTP/2.0, and has no limits.
        "The HTTP version is neither 1.0 nor 1.1.",
        "The Content-Length is above the limit.",
    };
    return reasons;
}

// Gives one head to both parsers. True if both accept it.
bool compare_heads(std::string_view bytes, std::map<std::string_view, int>& stricter)
{
    http::head_scan scan;
    const auto length = scan.feed(bytes, {});
    if (length && !*length) return false;  // incomplete
    const std::string_view head_bytes = length ? bytes.substr(0, **length) : bytes;

    request_head head;
    const auto parsed = http::parse_head(head_bytes, {}, head);
    // The parser must refuse what the scan refuses.
    if (!length) EXPECT_FALSE(parsed) << testing::PrintToString(bytes);

    const reference other(head_bytes);
    if (parsed) {
        if (only_we_accept(head)) return true;
        EXPECT_TRUE(other.accepts_head()) << other.complaint() << " for " << testing::PrintToString(bytes);
        understood expected = other.head();
        if (differs_on_persistence(head)) expected.keep_alive = head.keep_alive;
        if (other.accepts_head()) EXPECT_EQ(ours(head), expected) << testing::PrintToString(bytes);
        return true;
    }
    if (!other.accepts_head()) return false;
    const std::string_view why = parsed.error().text;
    if (++stricter[why] == 1)
        EXPECT_TRUE(strictness().contains(why)) << why << " for " << testing::PrintToString(bytes);
    return false;
}

const std::vector<std::string>& heads()
{
    static const std::vector<std::string> table{
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/b?c=d HTTP/1.1\r\nHost: example.org:80\r\nAccept: */*\r\nUser-Agent: x/1 (y; z)\r\n\r\n",
        "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "PUT /f HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        "PUT /f HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        "GET http://a:1/b?c HTTP/1.1\r\nHost: a:1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]:8080\r\nX-Empty:\r\nX-Space: \t a b \t\r\n\r\n",
        "\r\nDELETE /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "PATCH /x HTTP/1.1\r\nHost: a\r\nX: \xE4\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
    };
    return table;
}

// Changes a text in a few places, mostly with bytes that parsers often get wrong.
class mutator {
  public:
    explicit mutator(std::uint32_t seed) : random_(seed) {}

    std::string operator()(const std::vector<std::string>& seeds)
    {
        std::string text = seeds[below(seeds.size())];
        for (std::size_t changes = 1 + below(3); changes > 0; --changes) change(text, seeds[below(seeds.size())]);
        return text;
    }

  private:
    std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }

    void change(std::string& text, const std::string& other)
    {
        const std::size_t at = below(text.size());
        switch (below(7)) {
            case 0:
                text[at] = static_cast<char>(below(256));
                break;
            case 1:
                text[at] = tricky();
                break;
            case 2:
                text.insert(at, 1, tricky());
                break;
            case 3:
                text.erase(at, 1 + below(3));
                break;
            case 4:
                text.insert(at, word());
                break;
            case 5:
                insert_line(text, other);
                break;
            default:
                text.insert(at, text.substr(below(text.size()), 1 + below(12)));
                break;
        }
        if (text.empty()) text = "G";
    }

    char tricky()
    {
        static constexpr std::string_view bytes = "\r\n \t:,;=\"\\/?#%@[]+-.*0189afAFxG\0\x0b\x7f\x80\xff"sv;
        return bytes[below(bytes.size())];
    }

    std::string_view word()
    {
        static constexpr std::array<std::string_view, 14> words{"\r\n",
                                                                "chunked",
                                                                ", ",
                                                                "close",
                                                                "keep-alive",
                                                                "Content-Length: 1\r\n",
                                                                "Transfer-Encoding: chunked\r\n",
                                                                "HTTP/1.1",
                                                                "0",
                                                                "1",
                                                                "\r\n\r\n",
                                                                "identity",
                                                                "Host: b\r\n",
                                                                "Connection: "};
        return words[below(words.size())];
    }

    // Insert a line of another text after one of the lines of this text.
    void insert_line(std::string& text, const std::string& other)
    {
        const std::size_t from = other.find('\n', below(other.size()));
        const std::size_t to = text.find('\n', below(text.size()));
        if (from == std::string::npos || to == std::string::npos) return;
        const std::size_t end = other.find('\n', from + 1);
        if (end != std::string::npos) text.insert(to + 1, other.substr(from + 1, end - from));
    }

    std::mt19937 random_;
};

TEST(Llhttp, AgreesOnHeads)
{
    std::map<std::string_view, int> stricter;
    int accepted = 0;
    for (const std::string& head : heads()) accepted += compare_heads(head, stricter) ? 1 : 0;
    EXPECT_EQ(accepted, 16);

    mutator mutate(20240607);
    for (int i = 0; i < 400'000; ++i) accepted += compare_heads(mutate(heads()), stricter) ? 1 : 0;
    EXPECT_GT(accepted, 40'000);
    for (const auto& [why, times] : stricter) RecordProperty(std::string(why), times);
    // If a reason no longer occurs, remove it from the list.
    for (std::string_view why : strictness()) EXPECT_TRUE(stricter.contains(why)) << why;
}

struct decoded {
    std::string content;
    std::string_view refusal;
    bool done = false;
};

decoded decode(std::string_view input)
{
    http::chunked_decoder decoder;
    decoded result;
    while (!input.empty() && !result.done) {
        const auto piece = decoder.feed(input, {});
        if (!piece) {
            result.refusal = piece.error().text;
            break;
        }
        result.content.append(piece->data.data(), piece->data.size());
        result.done = piece->done;
        input.remove_prefix(piece->consumed);
    }
    return result;
}

const std::set<std::string_view>& chunk_strictness()
{
    static const std::set<std::string_view> reasons{
        "The body is longer than the limit.",
        "A chunk size has more than 16 digits.",
        // llhttp accepts any visible character, and separators in any order.
        "A chunk extension is malformed.",
        "A chunk size is followed by something other than an extension or CRLF.",
        // It accepts any empty line as the end of the trailer section, and a field without a name.
        "A trailer field has no name.",
    };
    return reasons;
}

// llhttp 8.1 does not know the backslash in the quoted string of an extension, nor an extension without a value after
// one with a value. It refuses framing fields in a trailer section, which we ignore like all the others.
bool only_we_accept_body(std::string_view body)
{
    std::string lower(body);
    std::ranges::transform(lower, lower.begin(), http::to_lower);
    return body.contains('"') || std::ranges::count(body, ';') > 1 || lower.contains("transfer-encoding:") ||
           lower.contains("content-length:");
}

TEST(Llhttp, AgreesOnChunkedBodies)
{
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::vector<std::string> bodies{
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        "a;x=y;z=\"q\\\"\"\r\n0123456789\r\n000\r\n\r\n",
        "1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n",
        "0000000000000001\r\na\r\n0\r\n\r\n",
    };
    std::set<std::string_view> stricter;
    mutator mutate(7230);
    int accepted = 0;
    for (int i = 0; i < 200'000; ++i) {
        const std::string body = mutate(bodies);
        const decoded got = decode(body);
        const reference other(head + body);
        if (got.done) {
            ++accepted;
            if (only_we_accept_body(body)) continue;
            EXPECT_TRUE(other.accepts_message()) << other.complaint() << " for " << testing::PrintToString(body);
            EXPECT_EQ(other.body(), got.content) << testing::PrintToString(body);
        } else if (other.accepts_message()) {
            if (stricter.insert(got.refusal).second)
                EXPECT_TRUE(chunk_strictness().contains(got.refusal))
                    << got.refusal << " for " << testing::PrintToString(body);
        }
    }
    EXPECT_GT(accepted, 15'000);
}

}  // namespace
