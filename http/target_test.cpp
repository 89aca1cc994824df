// SPDX-License-Identifier: MIT
#include "http/target.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace {

using namespace std::string_view_literals;
using http::canonicalize;

struct path_case {
    std::string_view raw;
    std::optional<std::string_view> canonical;
    bool names_file = true;
};

class Path : public testing::TestWithParam<path_case> {};

TEST_P(Path, IsCanonicalOrRefused)
{
    const auto got = canonicalize(GetParam().raw);
    ASSERT_EQ(got.has_value(), GetParam().canonical.has_value()) << GetParam().raw;
    if (!got) {
        EXPECT_EQ(got.error().code, http::status::bad_request);
        return;
    }
    EXPECT_EQ(got->view(), *GetParam().canonical);
    EXPECT_EQ(got->names_file(), GetParam().names_file);
    const auto again = canonicalize(http::encode_path(got->view()));
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(*again, *got);
}

constexpr auto refused = std::nullopt;

INSTANTIATE_TEST_SUITE_P(Plain, Path,
                         testing::Values(path_case{"/", "/"}, path_case{"/a", "/a"}, path_case{"/a/", "/a/"},
                                         path_case{"/a/b.html", "/a/b.html"}, path_case{"/a+b", "/a+b"},
                                         path_case{"/a;b=c", "/a;b=c"}, path_case{"/|^{}[]`'&", "/|^{}[]`'&"},
                                         path_case{"", refused}, path_case{"a", refused},
                                         // Slashes are merged.
                                         path_case{"//", "/"}, path_case{"//a", "/a"}, path_case{"/a//b///", "/a/b/"}));

// RFC 3986 section 5.2.4.
INSTANTIATE_TEST_SUITE_P(
    DotSegments, Path,
    testing::Values(path_case{"/.", "/"}, path_case{"/./", "/"}, path_case{"/a/.", "/a/"}, path_case{"/a/./b", "/a/b"},
                    path_case{"/a/..", "/"}, path_case{"/a/../", "/"}, path_case{"/a/b/..", "/a/"},
                    path_case{"/a/b/../c", "/a/c"}, path_case{"/a/b/c/./../../g", "/a/g"}, path_case{"/a//../b", "/b"},
                    path_case{"/..", refused}, path_case{"/../", refused}, path_case{"/a/../..", refused},
                    path_case{"/a/../../b", refused}, path_case{"//..", refused}, path_case{"/./..", refused},
                    path_case{"/...", "/..."}, path_case{"/.a", "/.a"}, path_case{"/..a", "/..a"},
                    path_case{"/a..", "/a.."},
                    // Encoded dots are dots too.
                    path_case{"/%2e", "/"}, path_case{"/a/%2E%2e", "/"}, path_case{"/.%2e", refused},
                    path_case{"/%2e%2e/etc/passwd", refused}, path_case{"/a/%2e%2e/%2e%2e/b", refused},
                    path_case{"/long-name-of-a-directory/../x/y", "/x/y"}));

INSTANTIATE_TEST_SUITE_P(
    Escapes, Path,
    testing::Values(path_case{"/%61%62", "/ab"}, path_case{"/a%20b", "/a b"}, path_case{"/%3F%23", "/?#"},
                    path_case{"/%25", "/%"}, path_case{"/%2541", "/%41"}, path_case{"/%252e%252e", "/%2e%2e"},
                    path_case{"/%", refused}, path_case{"/%4", refused}, path_case{"/%4g", refused},
                    path_case{"/%g4", refused}, path_case{"/%%41", refused}, path_case{"/%+1", refused},
                    path_case{"/%00", refused}, path_case{"/a%00.html", refused}, path_case{"/a\0"sv, refused}));

constexpr bool no_file = false;

INSTANTIATE_TEST_SUITE_P(NamesOfNoFile, Path,
                         testing::Values(path_case{"/a%2Fb", "/a\0b"sv, no_file},
                                         path_case{"/a%2fb", "/a\0b"sv, no_file}, path_case{"/%2F", "/\0"sv, no_file},
                                         path_case{"/a%2F", "/a\0"sv, no_file}, path_case{"/a%252Fb", "/a%2Fb"},
                                         path_case{"/a\\b", "/a\\b", no_file}, path_case{"/a%5Cb", "/a\\b", no_file},
                                         path_case{"/a%5c..", "/a\\..", no_file}, path_case{"/%0a", "/\n", no_file},
                                         path_case{"/%1F", "/\x1F", no_file}, path_case{"/%7f", "/\x7F", no_file},
                                         path_case{"/a\n", "/a\n", no_file},
                                         // An encoded slash does not make a dot segment, and a dot segment may remove
                                         // an encoded slash.
                                         path_case{"/..%2Fetc", "/..\0etc"sv, no_file},
                                         path_case{"/a%2F../b", "/a\0../b"sv, no_file}, path_case{"/a%2Fb/../c", "/c"},
                                         path_case{"/%FF/../c", "/c"}, path_case{"/%2F/../..", refused}));

// RFC 3629 section 4.
INSTANTIATE_TEST_SUITE_P(
    Utf8, Path,
    testing::Values(path_case{"/%C3%A4", "/\xC3\xA4"}, path_case{"/%E2%82%AC", "/\xE2\x82\xAC"},
                    path_case{"/%F0%9F%98%80", "/\xF0\x9F\x98\x80"}, path_case{"/%F4%8F%BF%BF", "/\xF4\x8F\xBF\xBF"},
                    path_case{"/%ED%9F%BF", "/\xED\x9F\xBF"}, path_case{"/%EE%80%80", "/\xEE\x80\x80"},
                    path_case{"/%C3", "/\xC3", no_file},
                    path_case{"/%C3/%A4",
                              "/\xC3"
                              "/\xA4",
                              no_file},
                    path_case{"/%A4", "/\xA4", no_file}, path_case{"/%C0%AF", "/\xC0\xAF", no_file},
                    path_case{"/%C1%81", "/\xC1\x81", no_file}, path_case{"/%E0%80%AF", "/\xE0\x80\xAF", no_file},
                    path_case{"/%E0%9F%BF", "/\xE0\x9F\xBF", no_file},
                    path_case{"/%F0%8F%BF%BF", "/\xF0\x8F\xBF\xBF", no_file},
                    path_case{"/%ED%A0%80", "/\xED\xA0\x80", no_file},
                    path_case{"/%F4%90%80%80", "/\xF4\x90\x80\x80", no_file},
                    path_case{"/%F5%80%80%80", "/\xF5\x80\x80\x80", no_file}, path_case{"/%FF", "/\xFF", no_file},
                    path_case{"/%E2%82", "/\xE2\x82", no_file},
                    path_case{"/%E2%82x",
                              "/\xE2\x82"
                              "x",
                              no_file},
                    path_case{"/%F0%9F%98", "/\xF0\x9F\x98", no_file},
                    path_case{"/%F0%9F%98x",
                              "/\xF0\x9F\x98"
                              "x",
                              no_file},
                    path_case{"/%C3%41", "/\xC3\x41", no_file}));

TEST(CanonicalPath, Parts)
{
    const auto path = [](std::string_view raw) { return canonicalize(raw).value(); };
    EXPECT_EQ(http::canonical_path().view(), "/");
    EXPECT_EQ(path("/").relative(), "");
    EXPECT_EQ(path("/a").relative(), "a");
    EXPECT_EQ(path("/a/b/").relative(), "a/b");
    EXPECT_TRUE(path("/a/..").ends_with_slash());
    EXPECT_TRUE(path("/a/").ends_with_slash());
    EXPECT_FALSE(path("/a").ends_with_slash());
    EXPECT_EQ(path("/a.b/c.tar.gz").extension(), "gz");
    EXPECT_EQ(path("/a.b/c").extension(), "");
    EXPECT_EQ(path("/.htaccess").extension(), "");
    EXPECT_EQ(path("/a.").extension(), "");
    EXPECT_EQ(path("/a.b/").extension(), "");
}

TEST(CanonicalPath, Hidden)
{
    const auto hidden = [](std::string_view raw) { return http::is_hidden(canonicalize(raw).value()); };
    EXPECT_FALSE(hidden("/"));
    EXPECT_FALSE(hidden("/a.b/c."));
    EXPECT_FALSE(hidden("/a/../b"));
    EXPECT_TRUE(hidden("/.git/config"));
    EXPECT_TRUE(hidden("/a/.env"));
    EXPECT_TRUE(hidden("/a/.b/c"));
    EXPECT_TRUE(hidden("/%2egit"));
    EXPECT_TRUE(hidden("/..."));
    // RFC 8615.
    EXPECT_FALSE(hidden("/.well-known"));
    EXPECT_FALSE(hidden("/.well-known/acme-challenge/x"));
    EXPECT_TRUE(hidden("/.well-known/.x"));
    EXPECT_TRUE(hidden("/.well-known2/x"));
    EXPECT_TRUE(hidden("/a/.well-known/x"));
}

TEST(EncodePath, IsSafeWhereItGoes)
{
    EXPECT_EQ(http::encode_path("/a/b-c_d.e~f"), "/a/b-c_d.e~f");
    EXPECT_EQ(http::encode_path("/a b?#%\"<>&'"), "/a%20b%3F%23%25%22%3C%3E%26%27");
    EXPECT_EQ(http::encode_path("/\xC3\xA4"), "/%C3%A4");
    EXPECT_EQ(http::encode_path("javascript:x"), "javascript%3Ax");
    EXPECT_EQ(http::encode_path("a\r\nb"), "a%0D%0Ab");
}

TEST(EncodeQuery, IsFitForLocation)
{
    EXPECT_EQ(http::encode_query("a=b&c=%2F+d/?:@!$'()*,;-._~"), "a=b&c=%2F+d/?:@!$'()*,;-._~");
    EXPECT_EQ(http::encode_query("\"<>{}|\\^`[]"), "%22%3C%3E%7B%7D%7C%5C%5E%60%5B%5D");
    EXPECT_EQ(http::encode_query("\xC3\xA9"), "%C3%A9");
}

struct target_case {
    std::string_view line;
    std::optional<std::string_view> path;
    std::string_view query;
};

TEST(Target, OfEachForm)
{
    // RFC 9112 section 3.2.
    for (const target_case& c : {
             target_case{"GET /a/./b?x=%2F.. HTTP/1.1", "/a/b", "x=%2F.."},
             target_case{"GET /? HTTP/1.1", "/", ""},
             target_case{"GET /a?b?c HTTP/1.1", "/a", "b?c"},
             target_case{"GET //h/a HTTP/1.1", "/h/a", ""},
             target_case{"GET http://h:1/a?b HTTP/1.1", "/a", "b"},
             target_case{"GET http://h HTTP/1.1", "/", ""},
             target_case{"GET http://h?b HTTP/1.1", "/", "b"},
             target_case{"GET http://h?/b HTTP/1.1", "/", "/b"},
             target_case{"OPTIONS * HTTP/1.1", refused, ""},
             target_case{"CONNECT h:1 HTTP/1.1", refused, ""},
             target_case{"GET /.. HTTP/1.1", refused, ""},
         }) {
        const std::string text = std::string(c.line) + "\r\nHost: a\r\n\r\n";
        http::request_head head;
        ASSERT_TRUE(http::parse_head(text, {}, head)) << c.line;
        const auto got = http::parse_target(head);
        ASSERT_EQ(got.has_value(), c.path.has_value()) << c.line;
        if (!got) continue;
        EXPECT_EQ(got->path.view(), *c.path) << c.line;
        EXPECT_EQ(got->query, c.query) << c.line;
    }
}

}  // namespace
