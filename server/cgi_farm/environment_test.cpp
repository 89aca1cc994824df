// SPDX-License-Identifier: MIT
#include "server/cgi_farm/environment.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace server {
namespace {

using std::string_literals::operator""s;

/// A request for /cgi-bin/hello.cgi/a b?x=1 with these further fields, each with its CRLF.
class request {
  public:
    explicit request(std::string_view fields, std::string_view line = "GET /cgi-bin/hello.cgi/a%20b?x=1 HTTP/1.1",
                     std::string_view host = "Host: example.com:8080\r\n")
        : text_(fmt::format("{}\r\n{}{}\r\n", line, host, fields))
    {
        http::limits limits;
        limits.head_bytes = 1024 * 1024;
        if (!http::parse_head(text_, limits, head_)) throw std::logic_error("not a request: " + text_);
        about = {.head = &head_,
                 .script_name = "/cgi-bin/hello.cgi",
                 .path_info = "/a b",
                 .query = "x=1",
                 .request_target = head_.target,
                 .script_file = "/srv/www/cgi-bin/hello.cgi",
                 .document_root = "/srv/www",
                 .remote_address = "192.0.2.7",
                 .remote_port = "40000",
                 .server_address = "198.51.100.1",
                 .server_port = "80",
                 .request_id = "0123456789abcdef"};
    }

    [[nodiscard]] std::expected<std::vector<std::string>, http::error> environment() const
    {
        return environment_of(about, rules);
    }
    /// The value of a variable; "(unset)" if there is none.
    [[nodiscard]] std::string operator[](std::string_view name) const
    {
        const auto all = environment();
        if (!all) return fmt::format("({})", http::number(all.error().code));
        for (const std::string_view v : *all) {
            if (v.starts_with(name) && v.substr(name.size()).starts_with('='))
                return std::string(v.substr(name.size() + 1));
        }
        return "(unset)";
    }
    [[nodiscard]] std::vector<std::string> names() const
    {
        std::vector<std::string> all;
        for (const std::string& v : *environment()) all.push_back(v.substr(0, v.find('=')));
        return all;
    }

    script_request about;
    cgi_rules rules;

  private:
    std::string text_;
    http::request_head head_;
};

// The sections of RFC 3875.

TEST(Environment, Section411And4110And4111NobodyIsAuthenticated)
{
    request r("Authorization: Basic dTpw\r\n");
    r.rules.passes_authorization = true;
    EXPECT_EQ(r["AUTH_TYPE"], "(unset)");
    EXPECT_EQ(r["REMOTE_IDENT"], "(unset)");
    EXPECT_EQ(r["REMOTE_USER"], "(unset)");
}

TEST(Environment, Section412ContentLengthIsSetIfThereIsABodyOfKnownLength)
{
    request r("Content-Length: 5\r\n", "POST / HTTP/1.1");
    r.about.content_length = 5;
    EXPECT_EQ(r["CONTENT_LENGTH"], "5");
    EXPECT_EQ(r["HTTP_CONTENT_LENGTH"], "(unset)");
    EXPECT_EQ(request("")["CONTENT_LENGTH"], "(unset)");
    r.about.content_length = 0;  // a chunked body that was empty
    EXPECT_EQ(r["CONTENT_LENGTH"], "0");
}

TEST(Environment, Section413ContentTypeIsPassedAsSent)
{
    const request r("content-type: multipart/form-data; boundary=\"x y\"\r\n");
    EXPECT_EQ(r["CONTENT_TYPE"], "multipart/form-data; boundary=\"x y\"");
    EXPECT_EQ(r["HTTP_CONTENT_TYPE"], "(unset)");
    EXPECT_EQ(request("")["CONTENT_TYPE"], "(unset)");
    EXPECT_EQ(request("Content-Type: a/b\r\nContent-Type: a/b\r\n")["CONTENT_TYPE"], "(400)");
}

TEST(Environment, Section414GatewayInterface) { EXPECT_EQ(request("")["GATEWAY_INTERFACE"], "CGI/1.1"); }

TEST(Environment, Section415PathInfoIsDecoded)
{
    request r("");
    EXPECT_EQ(r["PATH_INFO"], "/a b");
    r.about.path_info = "";
    EXPECT_EQ(r["PATH_INFO"], "(unset)");
    r.about.path_info = "/\xC3\xA9=%?";
    EXPECT_EQ(r["PATH_INFO"], "/\xC3\xA9=%?");
}

TEST(Environment, Section415APathThatCannotBePassedIsRefused)
{
    request r("");
    for (const std::string& path : {"/a\0b"s, "/a\nb"s, "/a\rb"s, "/\x01"s, "/\x7F"s}) {
        r.about.path_info = path;
        EXPECT_EQ(r["PATH_INFO"], "(404)");
    }
    r.about.path_info = "";
    const std::string name = "/x\0y.cgi"s;
    r.about.script_name = name;
    EXPECT_EQ(r["SCRIPT_NAME"], "(404)");
}

TEST(Environment, Section416PathTranslatedIsBeneathTheRootAndComesWithPathInfo)
{
    request r("");
    EXPECT_EQ(r["PATH_TRANSLATED"], "/srv/www/a b");
    r.about.document_root = "/";
    EXPECT_EQ(r["PATH_TRANSLATED"], "/a b");
    r.about.path_info = "";
    EXPECT_EQ(r["PATH_TRANSLATED"], "(unset)");
}

TEST(Environment, Section417QueryStringIsAsSentAndSetEvenIfEmpty)
{
    request r("");
    r.about.query = "a=%20&b=%00;+";
    EXPECT_EQ(r["QUERY_STRING"], "a=%20&b=%00;+");
    r.about.query = "";
    EXPECT_EQ(r["QUERY_STRING"], "");
}

TEST(Environment, Section418And419TheClient)
{
    request r("");
    EXPECT_EQ(r["REMOTE_ADDR"], "192.0.2.7");
    EXPECT_EQ(r["REMOTE_HOST"], "192.0.2.7");
    EXPECT_EQ(r["REMOTE_PORT"], "40000");
    r.about.remote_address = r.about.remote_port = "";  // a unix socket
    EXPECT_EQ(r["REMOTE_ADDR"], "");
    EXPECT_EQ(r["REMOTE_HOST"], "(unset)");
    EXPECT_EQ(r["REMOTE_PORT"], "(unset)");
}

TEST(Environment, Section4112TheMethodIsAsSent)
{
    for (const std::string method : {"GET", "HEAD", "POST", "PROPFIND", "get"})
        EXPECT_EQ(request("", method + " / HTTP/1.1")["REQUEST_METHOD"], method);
}

TEST(Environment, Section4113ScriptName)
{
    request r("");
    EXPECT_EQ(r["SCRIPT_NAME"], "/cgi-bin/hello.cgi");
    r.about.script_name = "";
    EXPECT_EQ(r["SCRIPT_NAME"], "");
}

TEST(Environment, Section4114ServerNameIsTheHostThatTheClientAskedFor)
{
    const std::string line = "GET / HTTP/1.1";
    EXPECT_EQ(request("")["SERVER_NAME"], "example.com");
    EXPECT_EQ(request("", line, "Host: [2001:db8::1]:80\r\n")["SERVER_NAME"], "[2001:db8::1]");
    EXPECT_EQ(request("", "GET http://other.example/ HTTP/1.1")["SERVER_NAME"], "other.example");

    request old("", "GET / HTTP/1.0", "");
    EXPECT_EQ(old["SERVER_NAME"], "198.51.100.1");
    old.about.server_address = "2001:db8::1";
    EXPECT_EQ(old["SERVER_NAME"], "[2001:db8::1]");
    old.about.server_address = "";
    EXPECT_EQ(old["SERVER_NAME"], "localhost");
}

TEST(Environment, Section4115ServerPortIsThatOfTheSocketAndAlwaysSet)
{
    request r("");
    EXPECT_EQ(r["SERVER_PORT"], "80");
    r.about.server_port = "";
    EXPECT_EQ(r["SERVER_PORT"], "8080");

    request old("", "GET / HTTP/1.0", "");
    old.about.server_port = "";
    EXPECT_EQ(old["SERVER_PORT"], "80");
    old.about.is_https = true;
    EXPECT_EQ(old["SERVER_PORT"], "443");
}

TEST(Environment, Section4116ServerProtocolIsThatOfTheRequest)
{
    EXPECT_EQ(request("")["SERVER_PROTOCOL"], "HTTP/1.1");
    EXPECT_EQ(request("", "GET / HTTP/1.0")["SERVER_PROTOCOL"], "HTTP/1.0");
}

TEST(Environment, Section4117ServerSoftware) { EXPECT_EQ(request("")["SERVER_SOFTWARE"], "occwserv"); }

TEST(Environment, Section4118FieldsBecomeVariables)
{
    const request r("User-Agent: curl/8\r\nX-1-a: \xE9\tb\r\nEmpty:\r\nContent-Encoding: gzip\r\n");
    EXPECT_EQ(r["HTTP_USER_AGENT"], "curl/8");
    EXPECT_EQ(r["HTTP_X_1_A"], "\xE9\tb");
    EXPECT_EQ(r["HTTP_EMPTY"], "");
    EXPECT_EQ(r["HTTP_CONTENT_ENCODING"], "gzip");
}

TEST(Environment, Section4118TheLinesOfAListAreJoined)
{
    const request r("Accept: a/b\r\nX-Foo: 1\r\nCookie: a=1\r\naccept: c/d\r\nx-fOO: 2\r\nCookie: b=2\r\n");
    EXPECT_EQ(r["HTTP_ACCEPT"], "a/b, c/d");
    EXPECT_EQ(r["HTTP_X_FOO"], "1, 2");
    EXPECT_EQ(r["HTTP_COOKIE"], "a=1; b=2");
}

TEST(Environment, Section4118ASingleValueMustNotBeRepeated)
{
    for (const std::string name : {"User-Agent", "Referer", "Range", "Origin", "From", "max-forwards", "If-Range"}) {
        EXPECT_EQ(request(fmt::format("{0}: a\r\n{0}: a\r\n", name))["PATH"], "(400)") << name;
        EXPECT_EQ(request(fmt::format("{0}: a\r\n", name))["PATH"], "/usr/local/bin:/usr/bin:/bin") << name;
    }
    request r("Authorization: a\r\nAuthorization: b\r\n");
    EXPECT_EQ(r["HTTP_AUTHORIZATION"], "(unset)");
    r.rules.passes_authorization = true;
    EXPECT_EQ(r["HTTP_AUTHORIZATION"], "(400)");
}

TEST(Environment, Section4118FieldsOfTheConnectionAreNotPassed)
{
    const request r(
        "Connection: keep-alive, X-Hop , te\r\nConnection: x-other\r\nKeep-Alive: timeout=5\r\nProxy-Connection: a\r\n"
        "TE: trailers\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nExpect: 100-continue\r\n"
        "X-Hop: 1\r\nX-Other: 1\r\nX-End: 1\r\n",
        "POST / HTTP/1.1");
    const std::vector<std::string> names = r.names();
    std::vector<std::string> passed;
    std::ranges::copy_if(names, std::back_inserter(passed), [](auto& n) { return n.starts_with("HTTP_"); });
    EXPECT_THAT(passed, testing::UnorderedElementsAre("HTTP_HOST", "HTTP_X_END"));
}

// What safety requires.

TEST(Environment, ProxyIsNeverPassed)
{
    EXPECT_EQ(request("Proxy: http://evil.example/\r\n")["HTTP_PROXY"], "(unset)");
    EXPECT_EQ(request("pROXY: a\r\nPROXY: b\r\n")["HTTP_PROXY"], "(unset)");
}

TEST(Environment, NamesThatCollideAreNotPassed)
{
    const request r("X_Foo: evil\r\nX-Foo: good\r\nX_Foo: evil\r\nX.Foo: evil\r\nX!Foo: evil\r\nProx_y: 1\r\n");
    EXPECT_EQ(r["HTTP_X_FOO"], "good");
    EXPECT_EQ(request("X_Foo: evil\r\n")["HTTP_X_FOO"], "(unset)");
    EXPECT_EQ(request("!#%&.|~: evil\r\n").names(), request("").names());
}

TEST(Environment, CredentialsArePassedOnlyIfConfigured)
{
    request r("Authorization: Basic dTpw\r\nProxy-Authorization: Basic eDp5\r\n");
    EXPECT_EQ(r["HTTP_AUTHORIZATION"], "(unset)");
    EXPECT_EQ(r["HTTP_PROXY_AUTHORIZATION"], "(unset)");
    r.rules.passes_authorization = true;
    EXPECT_EQ(r["HTTP_AUTHORIZATION"], "Basic dTpw");
    EXPECT_EQ(r["HTTP_PROXY_AUTHORIZATION"], "Basic eDp5");
}

TEST(Environment, HostIsThatOfTheTarget)
{
    EXPECT_EQ(request("")["HTTP_HOST"], "example.com:8080");
    EXPECT_EQ(request("", "GET http://other.example/ HTTP/1.1")["HTTP_HOST"], "other.example");
    EXPECT_EQ(request("Connection: host\r\n")["HTTP_HOST"], "example.com:8080");
    EXPECT_EQ(request("", "GET / HTTP/1.0", "")["HTTP_HOST"], "(unset)");
}

TEST(Environment, EachNameIsThereOnce)
{
    const auto names = request("HTTPS: on\r\nPath: /evil\r\nHost-: a\r\n").names();
    EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
}

TEST(Environment, NothingIsLongerThanAProgramCanBeGiven)
{
    EXPECT_EQ(request("X: " + std::string(longest_variable - 9, 'x') + "\r\n")["HTTP_Y"], "(unset)");
    EXPECT_EQ(request("X: " + std::string(longest_variable - 7, 'x') + "\r\n")["HTTP_Y"], "(431)");

    std::string many;
    for (char c = 'a'; c <= 'b'; ++c) many += fmt::format("X-{}: {}\r\n", c, std::string(120 * 1024, 'x'));
    EXPECT_EQ(request(many)["HTTP_Y"], "(unset)");
    request r(many);
    r.rules.environment = {{"LONG", std::string(100 * 1024, 'x')}};
    EXPECT_EQ(r["HTTP_Y"], "(431)");
}

// What users expect.

TEST(Environment, FilesAndUri)
{
    const request r("");
    EXPECT_EQ(r["SCRIPT_FILENAME"], "/srv/www/cgi-bin/hello.cgi");
    EXPECT_EQ(r["DOCUMENT_ROOT"], "/srv/www");
    EXPECT_EQ(r["REQUEST_URI"], "/cgi-bin/hello.cgi/a%20b?x=1");
    EXPECT_EQ(r["REDIRECT_STATUS"], "200");
    EXPECT_EQ(r["SERVER_ADDR"], "198.51.100.1");
    EXPECT_EQ(r["UNIQUE_ID"], "0123456789abcdef");
}

TEST(Environment, RequestUriHasNoAuthority)
{
    EXPECT_EQ(request("", "GET http://h/a?b=://c HTTP/1.1")["REQUEST_URI"], "/a?b=://c");
    EXPECT_EQ(request("", "GET http://h?b HTTP/1.1")["REQUEST_URI"], "/?b");
    EXPECT_EQ(request("", "GET http://h HTTP/1.1")["REQUEST_URI"], "/");
    EXPECT_EQ(request("", "GET /?a=http://h/x HTTP/1.1")["REQUEST_URI"], "/?a=http://h/x");
}

TEST(Environment, HttpsIsSetOnlyIfItIs)
{
    request r("HTTPS: on\r\n");
    EXPECT_EQ(r["HTTPS"], "(unset)");
    EXPECT_EQ(r["REQUEST_SCHEME"], "http");
    r.about.is_https = true;
    EXPECT_EQ(r["HTTPS"], "on");
    EXPECT_EQ(r["REQUEST_SCHEME"], "https");
}

TEST(Environment, ConfiguredVariablesReplaceOthers)
{
    request r("Proxy: http://evil.example/\r\nX-Foo: evil\r\n");
    r.rules.environment = {{"PATH", "/opt/bin"},
                           {"SERVER_NAME", "www.example.com"},
                           {"HTTP_PROXY", "http://proxy.example/"},
                           {"HTTP_X_FOO", "$HTTP_HOST"},
                           {"REMOTE_USER", "git"}};
    EXPECT_EQ(r["PATH"], "/opt/bin");
    EXPECT_EQ(r["SERVER_NAME"], "www.example.com");
    EXPECT_EQ(r["HTTP_PROXY"], "http://proxy.example/");
    EXPECT_EQ(r["HTTP_X_FOO"], "$HTTP_HOST");
    EXPECT_EQ(r["REMOTE_USER"], "git");
    const auto names = r.names();
    EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
}

TEST(Environment, ARedirectedRequestIsGetWithoutABody)
{
    const std::string fields = "Content-Type: a/b\r\nContent-Length: 3\r\nContent-Encoding: gzip\r\nCookie: a=1\r\n";
    request r(fields, "POST /first HTTP/1.1");
    r.about.is_redirected = true;
    r.about.content_length = 3;
    EXPECT_EQ(r["REQUEST_METHOD"], "GET");
    EXPECT_EQ(r["CONTENT_TYPE"], "(unset)");
    EXPECT_EQ(r["CONTENT_LENGTH"], "(unset)");
    EXPECT_EQ(r["HTTP_CONTENT_ENCODING"], "(unset)");
    EXPECT_EQ(r["HTTP_COOKIE"], "a=1");

    request head("", "HEAD /first HTTP/1.1");
    head.about.is_redirected = true;
    EXPECT_EQ(head["REQUEST_METHOD"], "HEAD");
}

}  // namespace
}  // namespace server
