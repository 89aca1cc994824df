// SPDX-License-Identifier: MIT
#include "server/cgi_farm/script_head.hpp"

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace server {
namespace {

using http::status;
using enum script_head::kind;
using std::string_literals::operator""s;
using testing::HasSubstr;

script_head parsed(std::string_view output)
{
    const auto head = parse_script_head(output);
    EXPECT_TRUE(head.has_value()) << head.error();
    EXPECT_TRUE(head && *head) << "incomplete";
    return head && *head ? **head : script_head{};
}

std::string why_refused(std::string_view output)
{
    const auto head = parse_script_head(output);
    return head ? (*head ? "accepted" : "incomplete") : head.error();
}

std::string fields_of(std::string_view output) { return std::string(parsed(output).fields.lines()); }

// ---- RFC 3875 section 6.2: the kinds of response

TEST(ScriptHead, ADocument)
{
    const script_head head = parsed("Content-Type: text/html\n\n<p>");
    EXPECT_EQ(head.what, document);
    EXPECT_EQ(head.code, status::ok);
    EXPECT_EQ(head.fields.lines(), "Content-Type: text/html\r\n");
    EXPECT_TRUE(head.has_content_type);
    EXPECT_EQ(head.bytes, 25U);
    EXPECT_FALSE(head.content_length);
}

TEST(ScriptHead, ALocalRedirectHasNothingButALocation)
{
    const script_head head = parsed("Location: /a/b%20c?x=1&y\n\n");
    EXPECT_EQ(head.what, local_redirect);
    EXPECT_EQ(head.location, "/a/b%20c?x=1&y");
    EXPECT_EQ(head.fields.lines(), "");
    EXPECT_EQ(parsed("X-CGI-Foo: 1\nlocation:/a\nDate: x\n\n").what, local_redirect);
}

TEST(ScriptHead, APathWithAnythingElseIsForTheClient)
{
    for (const std::string more : {"Status: 302 Found", "Content-Type: a/b", "Set-Cookie: a=1", "Content-Length: 0"}) {
        const script_head head = parsed(more + "\nLocation: /a\n\n");
        EXPECT_NE(head.what, local_redirect) << more;
        EXPECT_EQ(head.code, status::found) << more;
        EXPECT_THAT(std::string(head.fields.lines()), HasSubstr("Location: /a\r\n")) << more;
    }
    EXPECT_EQ(parsed("Location: /a#b\n\n").what, client_redirect);
    EXPECT_EQ(parsed("Location: /a b\n\n").what, client_redirect);
    EXPECT_EQ(parsed("Location: b\n\n").what, client_redirect);
}

TEST(ScriptHead, AClientRedirect)
{
    const script_head head = parsed("Location: https://example.com/#x\n\n");
    EXPECT_EQ(head.what, client_redirect);
    EXPECT_EQ(head.code, status::found);
    EXPECT_EQ(head.fields.lines(), "Location: https://example.com/#x\r\n");
    EXPECT_FALSE(head.has_content_type);
    EXPECT_EQ(parsed("Status: 303\nLocation: /a\n\n").code, status::see_other);
    EXPECT_EQ(parsed("Status: 303\nLocation: /a\n\n").what, client_redirect);
}

TEST(ScriptHead, AClientRedirectWithADocument)
{
    const script_head head = parsed("Status: 301 Moved\nLocation: http://a/\nContent-Type: text/plain\n\n");
    EXPECT_EQ(head.what, client_redirect_with_document);
    EXPECT_EQ(head.code, status::moved_permanently);
    EXPECT_EQ(head.fields.lines(), "Location: http://a/\r\nContent-Type: text/plain\r\n");
}

TEST(ScriptHead, ALocationWithAnotherStatusIsNoRedirect)
{
    const script_head head = parsed("Status: 201 Created\nLocation: /new\nContent-Type: a/b\n\n");
    EXPECT_EQ(head.what, document);
    EXPECT_EQ(head.code, status::created);
    EXPECT_EQ(head.fields.lines(), "Location: /new\r\nContent-Type: a/b\r\n");
    EXPECT_EQ(parsed("Status: 304\nLocation: /new\n\n").what, document);
}

// ---- section 6.3: the fields

TEST(ScriptHead, AtLeastOneCgiFieldIsRequired)
{
    EXPECT_THAT(why_refused("\n"), HasSubstr("neither Content-Type nor"));
    EXPECT_THAT(why_refused("X-Foo: 1\n\n"), HasSubstr("neither Content-Type nor"));
    EXPECT_THAT(why_refused("Content-Type: \nStatus:\nLocation:\n\n"), HasSubstr("neither Content-Type nor"));
    EXPECT_FALSE(parsed("Status: 404 Not Found\n\n").has_content_type);
}

TEST(ScriptHead, StatusHasThreeDigits)
{
    EXPECT_EQ(parsed("Status: 404 Not Found\n\n").code, status::not_found);
    EXPECT_EQ(parsed("status:404\n\n").code, status::not_found);
    EXPECT_EQ(http::number(parsed("Status: 499 \n\n").code), 499);
    for (const std::string bad : {"20", "2000", "OK", "-20", "+20", "2 0", "200OK", "HTTP/1.1 200"})
        EXPECT_THAT(why_refused("Status: " + bad + "\n\n"), HasSubstr("three digits")) << bad;
    for (const std::string bad : {"100", "101 Switching", "199", "000", "600", "999"})
        EXPECT_THAT(why_refused("Status: " + bad + "\n\n"), HasSubstr("not 200 to 599")) << bad;
}

TEST(ScriptHead, ContentLengthIsANumber)
{
    const script_head head = parsed("Content-Type: a/b\nContent-Length: 12\n\n");
    EXPECT_EQ(head.content_length, 12U);
    EXPECT_EQ(head.fields.lines(), "Content-Type: a/b\r\n");
    for (const std::string bad : {"-1", "+1", "1 2", "0x1", "1,1", "18446744073709551616"})
        EXPECT_THAT(why_refused("Content-Type: a/b\nContent-Length: " + bad + "\n\n"), HasSubstr("Content-Length"));
    EXPECT_EQ(parsed("Content-Type: a/b\nContent-Length: 18446744073709551615\n\n").content_length, ~std::uint64_t{0});
}

TEST(ScriptHead, CgiFieldsMustNotDiffer)
{
    for (const std::string_view name : {"Status", "Location", "Content-Type", "Content-Length", "X-Sendfile"}) {
        EXPECT_THAT(why_refused(fmt::format("{0}: 200\n{0}: 201\n\n", name)), HasSubstr("two different")) << name;
        EXPECT_EQ(why_refused(fmt::format("Status: 200\n{0}: 200\n{0}: 200\n\n", name)), "accepted") << name;
    }
}

TEST(ScriptHead, OtherFieldsArePassedInTheirOrder)
{
    EXPECT_EQ(fields_of("Set-Cookie: a=1\nX-Foo:\tb  c \nStatus: 200\nSet-Cookie: b=2\nETag: \"\xE9\"\n\n"),
              "Set-Cookie: a=1\r\nX-Foo: b  c\r\nSet-Cookie: b=2\r\nETag: \"\xE9\"\r\n");
}

TEST(ScriptHead, FieldsOfTheConnectionAndTheServerAreDropped)
{
    EXPECT_EQ(fields_of("Status: 200\nConnection: close\nKeep-Alive: 1\nTransfer-Encoding: chunked\nTE: a\nTrailer: a\n"
                        "Upgrade: a\nProxy-Connection: a\nDate: a\nServer: a\nX-CGI-Foo: a\nx-cgi-: a\nX-CG: a\n\n"),
              "X-CG: a\r\n");
}

TEST(ScriptHead, SendfileIsTakenOut)
{
    const script_head head = parsed("X-Sendfile: /srv/files/a b\n\n");
    EXPECT_EQ(head.sendfile, "/srv/files/a b");
    EXPECT_EQ(head.fields.lines(), "");
}

// ---- lines

TEST(ScriptHead, LinesEndInLfOrCrlf)
{
    const script_head head = parsed("Status: 200\r\nX-A: 1\nX-B: 2\r\n\r\nbody\n\n");
    EXPECT_EQ(head.fields.lines(), "X-A: 1\r\nX-B: 2\r\n");
    EXPECT_EQ(head.bytes, 30U);
    EXPECT_EQ(parsed("Status: 200\r\n\nbody").bytes, 14U);
}

TEST(ScriptHead, WhatIsNoFieldIsRefused)
{
    EXPECT_THAT(why_refused("hello world\n"), HasSubstr("no field: \"hello world\""));
    EXPECT_THAT(why_refused("Status : 200\n"), HasSubstr("no field"));
    EXPECT_THAT(why_refused(": 200\n"), HasSubstr("no field"));
    EXPECT_THAT(why_refused("X(: 200\n"), HasSubstr("no field"));
    EXPECT_THAT(why_refused("X-A: 1\n folded: 2\n"), HasSubstr("white space"));
    EXPECT_THAT(why_refused("HTTP/1.1 200 OK\r\n"), HasSubstr("nph-"));
    for (const std::string& bad : {"X: a\0b\n"s, "X: a\rb\n"s, "X: a\r\r\n"s, "X\x01: a\n"s, "X: \x7F\n"s})
        EXPECT_THAT(why_refused(bad), HasSubstr("control character"));
    EXPECT_LT(why_refused(std::string(1000, 'x') + "\n").size(), 200U);
}

TEST(ScriptHead, AMistakeIsReportedBeforeTheHeadIsComplete)
{
    EXPECT_EQ(why_refused("Status: 200"), "incomplete");
    EXPECT_EQ(why_refused("Status: 200\n"), "incomplete");
    EXPECT_EQ(why_refused("Status: 200\n\r"), "incomplete");
    EXPECT_THAT(why_refused("Status: 200\nhello\n"), HasSubstr("hello"));
}

TEST(ScriptHead, TheHeadHasALimit)
{
    const std::string head = "Status: 200\n\n";
    EXPECT_TRUE(parse_script_head(head + "body", head.size()).has_value());
    EXPECT_FALSE(parse_script_head(head + "body", head.size() - 1).has_value());
    EXPECT_THAT(why_refused("X: " + std::string(longest_script_head, 'x')), HasSubstr("longer than 65536 bytes"));
    std::string endless;
    while (endless.size() < longest_script_head) endless += "X: a\n";
    EXPECT_THAT(why_refused(endless), HasSubstr("longer than"));
}

TEST(ScriptHead, MayArriveByteByByte)
{
    const std::string output = "Status: 404 No\r\nX-A: 1\n\nbody";
    script_head_parser parser;
    for (std::size_t n = 0; n < 24; ++n) {
        const auto head = parser.feed(std::string(output.substr(0, n)));
        ASSERT_TRUE(head && !*head) << n;
    }
    const auto head = parser.feed(output);
    ASSERT_TRUE(head && *head);
    EXPECT_EQ((*head)->code, status::not_found);
    EXPECT_EQ((*head)->bytes, 24U);
}

TEST(ScriptHead, AnOutputThatEndsTooEarly)
{
    EXPECT_THAT(script_head_parser::why_unfinished(""), HasSubstr("nothing"));
    EXPECT_THAT(script_head_parser::why_unfinished("Status: 200\n"), HasSubstr("empty line"));
}

// ---- section 5: NPH

TEST(NphOutput, HasAStatusLine)
{
    EXPECT_EQ(status_of_nph("HTTP/1.1 404 Not Found\r\nX: 1\r\n"), status::not_found);
    EXPECT_EQ(status_of_nph("HTTP/1.0 200\n"), status::ok);
    for (const std::string_view other : {"", "HTTP/1.1 200 OK", "HTTP/1.1 100 Continue\n", "HTTP/1.1\n", "HTTP/1.1 \n",
                                         "HTTP/1.1 2000\n", "Status: 200\n", "HTTP/1.1 999 X\n"})
        EXPECT_EQ(status_of_nph(other), std::nullopt) << other;
}

}  // namespace
}  // namespace server
