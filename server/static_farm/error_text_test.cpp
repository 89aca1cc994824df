// SPDX-License-Identifier: MIT
#include "server/static_farm/error_text.hpp"

#include <string>

#include <gmock/gmock.h>

#include "server/respond/escape.hpp"

namespace server {
namespace {

using http::status;
using testing::HasSubstr;
using testing::Not;

TEST(Escape, Html) { EXPECT_EQ(html_escaped("a<b>&\"c'\xC3\xA9"), "a&lt;b&gt;&amp;&quot;c&#39;\xC3\xA9"); }

TEST(Escape, Json)
{
    EXPECT_EQ(json_quoted(""), "\"\"");
    EXPECT_EQ(json_quoted("a\"b\\c/\n\x01\x1F\x7F\xC3\xA9"), "\"a\\\"b\\\\c/\\u000a\\u0001\\u001f\\u007f\xC3\xA9\"");
    EXPECT_EQ(json_quoted(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(ErrorText, Html)
{
    const std::string page = error_html(status::not_found, "There is no <such> page.", "3f9c51a20b7e-1a4-3");
    EXPECT_TRUE(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
    EXPECT_THAT(page, HasSubstr("<title>404 Not Found</title>"));
    EXPECT_THAT(page, HasSubstr("<h1>Not Found</h1>"));
    EXPECT_THAT(page, HasSubstr("There is no &lt;such&gt; page."));
    EXPECT_TRUE(page.ends_with("</html>\n"));
    EXPECT_THAT(page, HasSubstr("Request ID <code>3f9c51a20b7e-1a4-3</code>"));
    EXPECT_LT(page.size(), 5000U);
}

TEST(ErrorText, HtmlNeedsNothingElse)
{
    const std::string page = error_html(status::internal_server_error, "", "");
    EXPECT_THAT(page, Not(HasSubstr("<script")));
    EXPECT_THAT(page, HasSubstr("<link rel=\"icon\" href=\"data:,\">")) << "or browsers ask for /favicon.ico";
    EXPECT_THAT(page, Not(HasSubstr("style="))) << "only the style sheet is allowed by the page's policy";
    EXPECT_THAT(page, Not(HasSubstr("src=")));
    EXPECT_THAT(page, Not(HasSubstr("url(")));
    EXPECT_THAT(page, Not(HasSubstr("class=\"lead\""))) << "no message, no paragraph";
}

TEST(ErrorText, Plain)
{
    EXPECT_EQ(error_plain(status::not_found, "There is no <such> page.", "a-1-1"),
              "404 Not Found\nThere is no <such> page.\nRequest a-1-1\n");
    EXPECT_EQ(error_plain(status::bad_gateway, "", ""), "502 Bad Gateway\n");
}

TEST(ErrorText, Json)
{
    EXPECT_EQ(error_json(status::not_found, "There is no \"such\" page.", "a-1-1"),
              "{\"status\":404,\"error\":\"Not Found\",\"message\":\"There is no \\\"such\\\" page.\","
              "\"request_id\":\"a-1-1\"}\n");
}

TEST(ErrorText, ACodeNobodyRegistered)
{
    constexpr auto invented = static_cast<status>(599);
    EXPECT_THAT(error_html(invented, "", ""), HasSubstr("<title>599 Error</title>"));
    EXPECT_EQ(error_json(invented, "", ""),
              "{\"status\":599,\"error\":\"Error\",\"message\":\"\",\"request_id\":\"\"}\n");
}

}  // namespace
}  // namespace server
