// SPDX-License-Identifier: MIT
#include "http/request.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "http/authority.hpp"

namespace {

using namespace std::string_view_literals;
using http::field_id;
using http::limits;
using http::method;
using http::request_head;
using http::status;
using http::target_form;
using http::version;

// A parsed head, with the bytes that it points into.
struct parsed {
    explicit parsed(std::string_view bytes, const limits& limits = {})
        : text(bytes), result(http::parse_head(text, limits, head))
    {
    }
    std::string text;
    request_head head;
    std::expected<void, http::error> result;
};

// The status with which a head is refused; 200 if it is accepted.
int refusal(std::string_view bytes, const limits& limits = {})
{
    const parsed p(bytes, limits);
    return p.result ? 200 : http::number(p.result.error().code);
}

std::string with_line(std::string_view line) { return std::string(line) + "\r\nHost: a\r\n\r\n"; }
std::string with_fields(std::string_view lines)
{
    return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n\r\n";
}

TEST(RequestHead, ABrowsersRequest)
{
    const parsed p(
        "GET /a/b.html?x=1 HTTP/1.1\r\n"
        "Host: example.org:8080\r\n"
        "User-Agent: \t Mozilla/5.0 (X11) \t\r\n"
        "accept-ENCODING: gzip, br\r\n"
        "X-Other:\r\n"
        "Cookie: a=b; c=d\r\n\r\n");
    ASSERT_TRUE(p.result) << p.result.error().text;
    const request_head& h = p.head;
    EXPECT_EQ(h.line, "GET /a/b.html?x=1 HTTP/1.1");
    EXPECT_EQ(h.method, method::get);
    EXPECT_EQ(h.method_text, "GET");
    EXPECT_EQ(h.target, "/a/b.html?x=1");
    EXPECT_EQ(h.form, target_form::origin);
    EXPECT_EQ(h.version, version::http_1_1);
    EXPECT_EQ(h.authority, "example.org:8080");
    EXPECT_EQ(h.host, "example.org");
    EXPECT_EQ(h.port, 8080);
    EXPECT_TRUE(h.keep_alive);
    EXPECT_FALSE(h.has_body());
    EXPECT_FALSE(h.expect_continue);

    ASSERT_EQ(h.fields().size(), 5U);
    EXPECT_EQ(h.fields()[1].value, "Mozilla/5.0 (X11)");
    EXPECT_EQ(h.fields()[3].name, "X-Other");
    EXPECT_EQ(h.fields()[3].value, "");
    EXPECT_EQ(h.fields()[3].id, field_id::none);
    EXPECT_EQ(h.find(field_id::accept_encoding), "gzip, br");
    EXPECT_EQ(h.find("cookie"), "a=b; c=d");
    EXPECT_EQ(h.find("X-OTHER"), "");
    EXPECT_EQ(h.find(field_id::range), std::nullopt);
    EXPECT_EQ(h.find("x-none"), std::nullopt);
}

// RFC 9110 section 5.3.
TEST(RequestHead, LinesOfOneFieldMakeAList)
{
    const parsed p(
        with_fields("If-None-Match: \"a\"\r\nAccept: x/y\r\nX-Any: 1\r\nif-none-match: \"b\", \"c\"\r\n"
                    "x-any: 2\r\nIf-None-Match: \"d\""));
    ASSERT_TRUE(p.result) << p.result.error().text;
    std::string joined;
    EXPECT_EQ(p.head.find_list(field_id::if_none_match, joined), R"("a", "b", "c", "d")");
    EXPECT_EQ(p.head.find(field_id::if_none_match), R"("a")");
    EXPECT_EQ(p.head.find_list(field_id::if_match, joined), std::nullopt);

    joined = "untouched";
    const auto one = p.head.find_list(field_id::accept, joined);
    EXPECT_EQ(one, "x/y");
    EXPECT_EQ(joined, "untouched");
}

TEST(RequestHead, WhatWasRepeatedIsForgottenWithTheHead)
{
    request_head head;
    const std::string two = with_fields("Accept: a/b\r\nAccept: c/d");
    const std::string one = with_fields("Accept: e/f");
    ASSERT_TRUE(http::parse_head(two, {}, head));
    ASSERT_TRUE(http::parse_head(one, {}, head));
    std::string joined;
    EXPECT_EQ(head.find_list(field_id::accept, joined), "e/f");
    EXPECT_TRUE(joined.empty());
}

TEST(RequestHead, FindsNothingBeforeParsing)
{
    const request_head h;
    EXPECT_EQ(h.find(field_id::accept), std::nullopt);
    EXPECT_TRUE(h.fields().empty());
}

TEST(RequestHead, NothingIsLeftOfTheHeadBefore)
{
    request_head h;
    const std::string first = with_fields("Transfer-Encoding: chunked\r\nRange: bytes=0-1\r\nExpect: 100-continue");
    ASSERT_TRUE(http::parse_head(first, {}, h));
    ASSERT_TRUE(h.chunked);
    const std::string_view second = "GET / HTTP/1.0\r\n\r\n";
    ASSERT_TRUE(http::parse_head(second, {}, h));
    EXPECT_FALSE(h.chunked);
    EXPECT_FALSE(h.expect_continue);
    EXPECT_FALSE(h.keep_alive);
    EXPECT_EQ(h.host, "");
    EXPECT_EQ(h.find(field_id::range), std::nullopt);
    EXPECT_EQ(h.find(field_id::host), std::nullopt);
}

TEST(RequestHead, EachProperPrefixIsRefused)
{
    const std::string whole = with_fields("Content-Length: 5\r\nConnection: close");
    ASSERT_EQ(refusal(whole), 200);
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_EQ(refusal(whole.substr(0, size)), 400) << "prefix of " << size;
    EXPECT_EQ(refusal(whole + "x"), 400);
}

struct line_case {
    std::string_view line;
    int answer;
    std::string_view why;
};

class RequestLine : public testing::TestWithParam<line_case> {};

TEST_P(RequestLine, IsJudged) { EXPECT_EQ(refusal(with_line(GetParam().line)), GetParam().answer) << GetParam().why; }

INSTANTIATE_TEST_SUITE_P(
    Table, RequestLine,
    testing::Values(
        // RFC 9112 section 3: three words, single spaces.
        line_case{"GET / HTTP/1.1", 200, "plain"}, line_case{"GET  / HTTP/1.1", 400, "two spaces"},
        line_case{"GET /  HTTP/1.1", 400, "two spaces"}, line_case{"GET / HTTP/1.1 ", 400, "space at the end"},
        line_case{" GET / HTTP/1.1", 400, "space in front"}, line_case{"GET\t/ HTTP/1.1", 400, "tab"},
        line_case{"GET /\tHTTP/1.1", 400, "tab"}, line_case{"GET / a HTTP/1.1", 400, "space in the target"},
        line_case{"GET", 400, "one word"}, line_case{"GET ", 400, "no target"}, line_case{"GET /", 400, "HTTP/0.9"},
        line_case{"GET  HTTP/1.1", 400, "empty target"}, line_case{"/ HTTP/1.1", 400, "no method"},
        // Section 3.1: the method is a token.
        line_case{"BREW / HTTP/1.1", 200, "unknown, for the server to answer"},
        line_case{"get / HTTP/1.1", 200, "case-sensitive, hence unknown"}, line_case{"G,T / HTTP/1.1", 400, "comma"},
        line_case{"G\xC3\x84T / HTTP/1.1", 400, "not ASCII"},
        line_case{"M23456789012345678901234567890123 / HTTP/1.1", 501, "33 bytes"},
        line_case{"M2345678901234567890123456789012 / HTTP/1.1", 200, "32 bytes"},
        // Section 2.3: the version.
        line_case{"GET / HTTP/1.0", 200, ""}, line_case{"GET / HTTP/1.2", 200, "a later minor version"},
        line_case{"GET / HTTP/1.9", 200, ""}, line_case{"GET / HTTP/2.0", 505, ""},
        line_case{"GET / HTTP/0.9", 505, ""}, line_case{"GET / HTTP/3.0", 505, ""},
        line_case{"PRI * HTTP/2.0", 505, "the preface of HTTP/2"}, line_case{"GET / HTTP/1", 400, ""},
        line_case{"GET / HTTP/1.10", 400, ""}, line_case{"GET / HTTP/11.1", 400, ""},
        line_case{"GET / http/1.1", 400, "case-sensitive"}, line_case{"GET / HTTP/1,1", 400, ""},
        line_case{"GET / HTTP/a.1", 400, ""}, line_case{"GET / HTTP/1.a", 400, ""},
        line_case{"GET / HTTP 1.1", 400, ""}, line_case{"GET / HTTPS/1.1", 400, ""},
        line_case{"GET / RTSP/1.0", 400, ""}, line_case{"GET / HTTP/-1.1", 400, ""},
        // Section 3.2 with RFC 3986.
        line_case{"GET /a;b=c,d:@!$&'()*+~-._?/?%20 HTTP/1.1", 200, "pchar and query"},
        line_case{"GET /a|b?^{}[]`\\| HTTP/1.1", 200, "what browsers leave as it is"},
        line_case{"GET /#top HTTP/1.1", 400, "a fragment"}, line_case{"GET /\" HTTP/1.1", 400, ""},
        line_case{"GET /<a> HTTP/1.1", 400, ""}, line_case{"GET /\xC3\xA4 HTTP/1.1", 400, "not ASCII"},
        line_case{"GET /a-long-path-so-that-more-than-16-bytes-are-searched#x HTTP/1.1", 400, ""},
        line_case{"GET a HTTP/1.1", 400, "no slash"}, line_case{"GET ?a HTTP/1.1", 400, ""},
        line_case{"GET http://a HTTP/1.1", 200, "absolute, empty path"},
        line_case{"GET HTTPS://a:443/b HTTP/1.1", 200, ""}, line_case{"GET http:///b HTTP/1.1", 400, "no host"},
        line_case{"GET http://?b HTTP/1.1", 400, "no host"}, line_case{"GET http://u@a/ HTTP/1.1", 400, "user"},
        line_case{"GET http://u:p@a/ HTTP/1.1", 400, "user"}, line_case{"GET http://a:x/ HTTP/1.1", 400, "port"},
        line_case{"GET ftp://a/ HTTP/1.1", 400, "scheme"}, line_case{"GET http:/a HTTP/1.1", 400, ""},
        line_case{"GET * HTTP/1.1", 400, "only OPTIONS"}, line_case{"OPTIONS * HTTP/1.1", 200, ""},
        line_case{"OPTIONS ** HTTP/1.1", 400, ""}, line_case{"CONNECT a:443 HTTP/1.1", 200, ""},
        line_case{"CONNECT a HTTP/1.1", 400, "no port"}, line_case{"CONNECT a: HTTP/1.1", 400, "empty port"},
        line_case{"CONNECT / HTTP/1.1", 400, ""}, line_case{"CONNECT http://a:80/ HTTP/1.1", 400, ""},
        line_case{"GET a:443 HTTP/1.1", 400, "only CONNECT"}));

struct fields_case {
    std::string_view lines;
    int answer;
    std::string_view why;
};

class Fields : public testing::TestWithParam<fields_case> {};

TEST_P(Fields, AreJudged) { EXPECT_EQ(refusal(with_fields(GetParam().lines)), GetParam().answer) << GetParam().why; }

INSTANTIATE_TEST_SUITE_P(
    Syntax, Fields,
    testing::Values(
        // RFC 9112 section 5 and RFC 9110 section 5.5.
        fields_case{"A: b", 200, ""}, fields_case{"A:b", 200, ""}, fields_case{"A:", 200, "empty value"},
        fields_case{"A: \t", 200, ""}, fields_case{"A : b", 400, "space before the colon"},
        fields_case{"A\t: b", 400, "tab before the colon"}, fields_case{": b", 400, "empty name"},
        fields_case{" A: b", 400, "space in front"}, fields_case{"A: b\r\n c", 400, "obs-fold"},
        fields_case{"A: b\r\n\tc", 400, "obs-fold"}, fields_case{"A", 400, "no colon"},
        fields_case{"A\r\nB: c", 400, "no colon"}, fields_case{"A(: b", 400, "no token"},
        fields_case{"\xC3\x84: b", 400, "no token"}, fields_case{"A: b\nC: d", 400, "bare LF"},
        fields_case{"A: b\rC: d", 400, "bare CR"}, fields_case{"A: b\r\r", 400, "bare CR"},
        fields_case{"A: \0"sv, 400, "NUL"}, fields_case{"A: a value of more than 16 bytes\0"sv, 400, "NUL"},
        fields_case{"A: \x01", 400, "control"}, fields_case{"A: \x7f", 400, "DEL"},
        fields_case{"A: a\tb", 200, "tab within"}, fields_case{"A: \xE4\xFF", 200, "obs-text"},
        fields_case{"A: b: c", 200, "colon in the value"}, fields_case{"!#$%&'*+-.^_`|~09azAZ: x", 200, "tchar"}));

INSTANTIATE_TEST_SUITE_P(
    Framing, Fields,
    testing::Values(
        // RFC 9112 section 6, RFC 9110 section 8.6.
        fields_case{"Content-Length: 0", 200, ""}, fields_case{"Content-Length: 1048576", 200, "the limit"},
        fields_case{"Content-Length: 1048577", 413, ""}, fields_case{"Content-Length: 0005", 200, "1*DIGIT"},
        fields_case{"Content-Length: 18446744073709551615", 413, "the largest"},
        fields_case{"Content-Length: 18446744073709551616", 400, "overflow"},
        fields_case{"Content-Length: 99999999999999999999999", 400, "overflow"},
        fields_case{"Content-Length:", 400, "empty"}, fields_case{"Content-Length: +5", 400, "sign"},
        fields_case{"Content-Length: -5", 400, "sign"}, fields_case{"Content-Length: 5 5", 400, ""},
        fields_case{"Content-Length: 0x5", 400, ""}, fields_case{"Content-Length: 5,5", 400, "list of equals"},
        fields_case{"Content-Length: 5\r\nContent-Length: 5", 400, "two equal ones"},
        fields_case{"Content-Length: 5\r\ncontent-length: 6", 400, "two"},
        fields_case{"Transfer-Encoding: chunked", 200, ""}, fields_case{"Transfer-Encoding: CHUNKED", 200, ""},
        fields_case{"Transfer-Encoding: chunked\r\nContent-Length: 5", 400, "both"},
        fields_case{"Content-Length: 5\r\nTransfer-Encoding: chunked", 400, "both"},
        fields_case{"Content-Length: 5\r\nTransfer-Encoding: gzip", 400, "both"},
        fields_case{"Transfer-Encoding: gzip, chunked", 501, ""},
        fields_case{"Transfer-Encoding: gzip", 400, "chunked is not the last (9112 6.3)"},
        fields_case{"Transfer-Encoding: identity", 400, ""}, fields_case{"Transfer-Encoding: xchunked", 400, ""},
        fields_case{"Transfer-Encoding: gzip;q=1, chunked", 501, ""},
        fields_case{"Transfer-Encoding: chunked, gzip", 400, "not final"},
        fields_case{"Transfer-Encoding: chunked, chunked", 400, "doubled"},
        fields_case{"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400, "doubled"},
        fields_case{"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501, "one list"},
        fields_case{"Transfer-Encoding:", 400, "empty"}, fields_case{"Transfer-Encoding: ,chunked", 400, ""},
        fields_case{"Transfer-Encoding: chunked,", 400, ""}, fields_case{"Transfer-Encoding: chunked;a=b", 400, ""},
        fields_case{"Transfer-Encoding: chun ked", 400, ""}, fields_case{"Transfer-Encoding: \"chunked\"", 400, ""},
        fields_case{"Transfer-Encoding: \x0b"
                    "chunked",
                    400, "vertical tab"},
        // RFC 9110 sections 10.1.1, 7.6.1, 7.8.
        fields_case{"Expect: 100-continue", 200, ""}, fields_case{"Expect: 100-Continue", 200, ""},
        fields_case{"Expect: 200-ok", 417, ""}, fields_case{"Expect:", 200, "an empty list"},
        fields_case{"Expect: ,100-continue,,", 200, ""}, fields_case{"Expect: 100-continue, 100-continue", 200, ""},
        fields_case{"Expect: 100-continue\r\nExpect: 100-continue", 200, "two lines"},
        fields_case{"Expect:\r\nExpect: 100-continue", 200, "two lines"},
        fields_case{"Expect: 100-continue, 200-ok", 417, ""}, fields_case{"Expect: 100-continue=1", 417, ""},
        fields_case{"Expect: 100-continue\r\nExpect: 200-ok", 417, "two lines"}, fields_case{"Connection: ,", 200, ""},
        fields_case{"Connection:", 200, ""}, fields_case{"Upgrade: ,a,,", 200, ""}, fields_case{"Upgrade:", 200, ""},
        fields_case{"Connection: close, ,keep-alive", 200, ""}, fields_case{"Connection: a b", 400, ""},
        fields_case{"Connection: \"close\"", 400, ""}, fields_case{"Upgrade: websocket, h2c/1.0", 200, ""},
        fields_case{"Upgrade: a/b/c", 400, ""}, fields_case{"Upgrade: /a", 400, ""}));

TEST(RequestHead, HostIsThereOnceAndValid)
{
    // RFC 9112 section 3.2.
    EXPECT_EQ(refusal("GET / HTTP/1.1\r\n\r\n"), 400);
    EXPECT_EQ(refusal("GET / HTTP/1.0\r\n\r\n"), 200);
    EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(refusal("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(refusal("GET http://a/ HTTP/1.1\r\n\r\n"), 400);
    EXPECT_EQ(refusal("GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n"), 400);
    EXPECT_EQ(refusal("GET http://a/ HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n"), 400);
    EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400);
    EXPECT_EQ(refusal("OPTIONS * HTTP/1.1\r\n\r\n"), 400);
}

struct authority_case {
    std::string_view text;
    std::optional<std::string_view> host;
    std::optional<std::uint16_t> port = std::nullopt;
};

// RFC 3986 section 3.2.
TEST(Authority, Table)
{
    const std::optional<std::string_view> refused;
    const std::vector<authority_case> cases{
        {"a", "a"},
        {"example.org:80", "example.org", 80},
        {"a:", "a"},
        {"a:0", "a", 0},
        {"a:00080", "a", 80},
        {"a:65535", "a", 65535},
        {"a:65536", refused},
        {"a:99999999999999999999", refused},
        {"a:8x", refused},
        {"a:-1", refused},
        {"a:1:2", refused},
        {"", refused},
        {":80", refused},
        {"a b", refused},
        {"a/b", refused},
        {"a@b", refused},
        {"a,b", "a,b"},
        {"a%20b", "a%20b"},
        {"a%2", refused},
        {"a%zz", refused},
        {"a\xC3\xA4", refused},
        {"a_b-c~.", "a_b-c~."},
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"[::1]", "[::1]"},
        {"[::1]:8080", "[::1]", 8080},
        {"[::]", "[::]"},
        {"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]"},
        {"[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]"},
        {"[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]"},
        {"[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]"},
        {"[v1.a:b]", "[v1.a:b]"},
        {"[1:2:3:4:5:6:7]", refused},
        {"[1:2:3:4:5:6:7:8:9]", refused},
        {"[1:2:3:4::5:6:7:8]", refused},
        {"[1::2::3]", refused},
        {"[:::]", refused},
        {"[1:]", refused},
        {"[:1]", refused},
        {"[12345::]", refused},
        {"[g::]", refused},
        {"[::1.2.3]", refused},
        {"[::1.2.3.256]", refused},
        {"[::01.2.3.4]", refused},
        {"[1.2.3.4::]", refused},
        {"[::1%25eth0]", refused},
        {"[]", refused},
        {"[::1", refused},
        {"[::1]x", refused},
        {"::1", refused},
        {"[v.a]", refused},
        {"[v1.]", refused},
    };
    for (const auto& c : cases) {
        const auto got = http::parse_authority(c.text);
        ASSERT_EQ(got.has_value(), c.host.has_value()) << c.text;
        if (!got) continue;
        EXPECT_EQ(got->host, *c.host) << c.text;
        EXPECT_EQ(got->port, c.port) << c.text;
    }
}

TEST(RequestHead, AQueryMayHoldWhatProgramsLeaveUnencoded)
{
    for (const std::string_view target : {"/?a=\"b\"", "/?<a>", "/?{|}\\^`[]'", "/?\xC3\xA9\xFF", "/?q?\"", "/?\"",
                                          "http://a/?<b>", "http://a?\"b", "/a?b=%22<"}) {
        const parsed p("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
        ASSERT_TRUE(p.result) << target;
        EXPECT_EQ(p.head.target, target);
    }
    for (const std::string_view target : {"/\"a\"", "/<a>", "/\xC3\xA9", "/\"?a", "/<?a", "/?a#b", "/?<#b", "/?\"a b\"",
                                          "/?<\x01", "/?\xC3\x7F", "/?<\t>", "http://<a>/?b", "http://\xC3\xA9/?b"})
        EXPECT_EQ(refusal("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n"), 400) << target;
}

TEST(RequestHead, TheTargetsAuthorityOverrulesHost)
{
    // RFC 9112 section 3.2.2.
    const parsed p("GET http://[::1]:81/p?q HTTP/1.1\r\nHost: other:82\r\n\r\n");
    ASSERT_TRUE(p.result);
    EXPECT_EQ(p.head.form, target_form::absolute);
    EXPECT_EQ(p.head.authority, "[::1]:81");
    EXPECT_EQ(p.head.host, "[::1]");
    EXPECT_EQ(p.head.port, 81);
    EXPECT_EQ(p.head.find(field_id::host), "other:82");

    const parsed empty("GET http://a/ HTTP/1.1\r\nHost: \r\n\r\n");
    ASSERT_TRUE(empty.result) << "an empty Host is valid, and ignored here";
    EXPECT_EQ(empty.head.authority, "a");

    const parsed connect("CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n");
    ASSERT_TRUE(connect.result);
    EXPECT_EQ(connect.head.form, target_form::authority);
    EXPECT_EQ(connect.head.host, "a");
    const parsed options("OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n");
    ASSERT_TRUE(options.result);
    EXPECT_EQ(options.head.form, target_form::asterisk);
    EXPECT_EQ(options.head.host, "b");
}

TEST(RequestHead, PassesOverEmptyLinesAsTheScanDoes)
{
    const parsed p("\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    ASSERT_TRUE(p.result);
    EXPECT_EQ(p.head.line, "GET / HTTP/1.0");
    EXPECT_EQ(refusal("\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n"), 400);
}

// RFC 9112 section 9.3.
TEST(RequestHead, Persistence)
{
    const auto keeps = [](std::string_view v, std::string_view lines) {
        const parsed p("GET / HTTP/" + std::string(v) + "\r\nHost: a\r\n" + std::string(lines) + "\r\n");
        EXPECT_TRUE(p.result);
        return p.head.keep_alive;
    };
    EXPECT_TRUE(keeps("1.1", ""));
    EXPECT_TRUE(keeps("1.1", "Connection: keep-alive\r\n"));
    EXPECT_TRUE(keeps("1.1", "Connection: closed\r\n"));
    EXPECT_FALSE(keeps("1.1", "Connection: Close\r\n"));
    EXPECT_FALSE(keeps("1.1", "Connection: keep-alive, close\r\n"));
    EXPECT_FALSE(keeps("1.1", "Connection: x\r\nConnection: close\r\n"));
    EXPECT_TRUE(keeps("1.2", ""));
    EXPECT_FALSE(keeps("1.0", ""));
    EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
    EXPECT_FALSE(keeps("1.0", "Connection: keep-alive, close\r\n"));
}

TEST(RequestHead, Framing)
{
    const parsed length(with_fields("Content-Length: 12"));
    EXPECT_EQ(length.head.content_length, 12U);
    EXPECT_TRUE(length.head.has_body());
    const parsed none(with_fields("Content-Length: 0"));
    EXPECT_EQ(none.head.content_length, 0U);
    EXPECT_FALSE(none.head.has_body());
    const parsed chunked(with_fields("Transfer-Encoding: Chunked"));
    EXPECT_TRUE(chunked.head.chunked);
    EXPECT_EQ(chunked.head.content_length, std::nullopt);
    EXPECT_TRUE(chunked.head.has_body());
    // RFC 9112 section 6.1.
    EXPECT_EQ(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

// RFC 9110 section 10.1.1.
TEST(RequestHead, ExpectIsForBodiesAndFor11)
{
    EXPECT_TRUE(parsed(with_fields("Expect: 100-continue\r\nContent-Length: 1")).head.expect_continue);
    EXPECT_TRUE(parsed(with_fields("Expect: 100-continue\r\nTransfer-Encoding: chunked")).head.expect_continue);
    EXPECT_FALSE(parsed(with_fields("Expect: 100-continue")).head.expect_continue);
    EXPECT_TRUE(parsed(with_fields("Expect: , 100-continue,\r\nContent-Length: 1")).head.expect_continue);
    EXPECT_TRUE(parsed(with_fields("Expect:\r\nExpect: 100-continue\r\nContent-Length: 1")).head.expect_continue);
    EXPECT_FALSE(parsed(with_fields("Expect: ,\r\nContent-Length: 1")).head.expect_continue);
    const parsed old("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    ASSERT_TRUE(old.result);
    EXPECT_FALSE(old.head.expect_continue);
}

// RFC 9110 section 7.8.
TEST(RequestHead, UpgradeCountsOnlyIfConnectionNamesIt)
{
    EXPECT_EQ(parsed(with_fields("Connection: keep-alive, Upgrade\r\nUpgrade: websocket")).head.upgrade, "websocket");
    EXPECT_EQ(parsed(with_fields("Upgrade: websocket")).head.upgrade, "");
    EXPECT_EQ(parsed(with_fields("Connection: upgrade")).head.upgrade, "");
    EXPECT_EQ(parsed("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n").head.upgrade, "");
}

TEST(RequestHead, Limits)
{
    limits small;
    small.target_bytes = 10;
    small.fields = 2;
    small.head_bytes = 60;
    EXPECT_EQ(refusal("GET /234567890 HTTP/1.0\r\n\r\n", small), 200);
    EXPECT_EQ(refusal("GET /2345678901 HTTP/1.0\r\n\r\n", small), 414);
    EXPECT_EQ(refusal("GET / HTTP/1.0\r\nA: b\r\nA: c\r\n\r\n", small), 200);
    EXPECT_EQ(refusal("GET / HTTP/1.0\r\nA: b\r\nA: c\r\nA: d\r\n\r\n", small), 431);
    EXPECT_EQ(refusal("GET / HTTP/1.0\r\nA: " + std::string(37, 'x') + "\r\n\r\n", small), 200);
    EXPECT_EQ(refusal("GET / HTTP/1.0\r\nA: " + std::string(38, 'x') + "\r\n\r\n", small), 431);

    limits wide;
    wide.fields = 1000;
    std::string head = "GET / HTTP/1.0\r\n";
    for (std::size_t i = 0; i < http::max_fields; ++i) head += "A: b\r\n";
    EXPECT_EQ(refusal(head + "\r\n", wide), 200);
    EXPECT_EQ(refusal(head + "A: b\r\n\r\n", wide), 431);
}

TEST(RequestHead, TheFirstOfSeveralFieldsIsFound)
{
    const parsed p(with_fields("Range: bytes=0-1\r\nrange: bytes=2-3\r\nX: 1\r\nx: 2"));
    EXPECT_EQ(p.head.find(field_id::range), "bytes=0-1");
    EXPECT_EQ(p.head.find("RANGE"), "bytes=0-1");
    EXPECT_EQ(p.head.find("X"), "1");
}

TEST(RequestHead, TheLineIsThereForTheLogWhateverFollows)
{
    EXPECT_EQ(parsed("GET nonsense HTTP/1.1\r\n\r\n").head.line, "GET nonsense HTTP/1.1");
    EXPECT_EQ(parsed(with_fields("bad")).head.line, "POST / HTTP/1.1");
}

TEST(FieldId, KnowsEachNameInAnyCaseAndNoOther)
{
    EXPECT_EQ(http::identify_field("Accept"), field_id::accept);
    EXPECT_EQ(http::identify_field("x-forwarded-proto"), field_id::x_forwarded_proto);
    EXPECT_EQ(http::identify_field("SEC-WEBSOCKET-EXTENSIONS"), field_id::sec_websocket_extensions);
    EXPECT_EQ(http::identify_field("If-Modified-Since"), field_id::if_modified_since);
    EXPECT_EQ(http::identify_field("tE"), field_id::te);
    for (std::string_view name : {"", "a", "axcept", "accept-encodinG2", "x-requested-with", "user_agent", "hos"})
        EXPECT_EQ(http::identify_field(name), field_id::none) << name;
}

}  // namespace
