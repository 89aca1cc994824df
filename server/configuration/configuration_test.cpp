// SPDX-License-Identifier: MIT
#include "server/configuration/configuration.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

auto read(std::string_view text) { return read_configuration(text, "c.toml", {}); }

std::vector<complaint> complaints(std::string_view text)
{
    auto got = read(text);
    return got ? std::vector<complaint>() : got.error();
}

TEST(Configuration, NothingSaidIsTheDefault)
{
    const auto got = read("");
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->files.root.empty());
    EXPECT_TRUE(got->listen.empty());
    EXPECT_EQ(got->spare_workers, 4U);
    EXPECT_EQ(got->limits.head_bytes, 16U * 1024);
}

TEST(Configuration, EveryKeyIsHeard)
{
    const auto got = read(R"(
root = "www"
index = "start.html"
listen = ["[::1]:80", ":8080"]
workers = 3
io = "epoll"
spare_workers = 7
[log]
access = ""
error = "e.log"
format = "json"
request_id = "always"
[cache]
memory_bytes = 0
largest_page_bytes = 1000
[patience]
idle_seconds = 1.5
head_seconds = 2
stall_seconds = 3
linger_seconds = 4
grace_seconds = 5
least_bytes_a_second = 6
[limits]
connections = 10
target_bytes = 100
head_bytes = 1000
fields = 20
body_bytes = 0
)");
    ASSERT_TRUE(got) << got.error().front();
    using std::chrono::milliseconds;
    EXPECT_EQ(got->files.root, "www");
    EXPECT_THAT(got->files.index, ElementsAre("start.html"));
    EXPECT_THAT(got->listen, ElementsAre("[::1]:80", ":8080"));
    EXPECT_EQ(got->workers, 3U);
    EXPECT_EQ(got->engine, io::engine_choice::epoll);
    EXPECT_EQ(got->spare_workers, 7U);
    EXPECT_EQ(got->log.access, "");
    EXPECT_EQ(got->log.error, "e.log");
    EXPECT_EQ(got->log.form, log_form::json);
    EXPECT_EQ(got->log.ids_in_responses, ids_in_answers::always);
    EXPECT_EQ(got->cache.memory, 0U);
    EXPECT_EQ(got->cache.largest_page, 1000U);
    EXPECT_EQ(got->patience.idle, milliseconds(1500));
    EXPECT_EQ(got->patience.head, milliseconds(2000));
    EXPECT_EQ(got->patience.stall, milliseconds(3000));
    EXPECT_EQ(got->patience.linger, milliseconds(4000));
    EXPECT_EQ(got->patience.grace, milliseconds(5000));
    EXPECT_EQ(got->patience.least_rate, 6U);
    EXPECT_EQ(got->connections, 10U);
    EXPECT_EQ(got->limits.target_bytes, 100U);
    EXPECT_EQ(got->limits.head_bytes, 1000U);
    EXPECT_EQ(got->limits.fields, 20U);
    EXPECT_EQ(got->limits.body_bytes, 0U);
}

TEST(Configuration, EveryMistakeIsToldAtOnceWithItsPlace)
{
    const auto said =
        complaints("rot = \"x\"\nlisten = \"nowhere\"\nworkers = 0\nio = \"select\"\n[limits]\nfields = true\n");
    ASSERT_EQ(said.size(), 5U);
    const std::string all = testing::PrintToString(said);
    EXPECT_THAT(all, HasSubstr("c.toml:1:1: unknown key `rot`; did you mean `root`?"));
    EXPECT_THAT(all, HasSubstr("c.toml:2:10: `nowhere` is not an address"));
    EXPECT_THAT(all, HasSubstr("c.toml:3:11: expected a whole number from 1 to 1024"));
    EXPECT_THAT(all, HasSubstr("c.toml:4:6: expected one of \\\"auto\\\", \\\"uring\\\", \\\"epoll\\\""));
    EXPECT_THAT(all, HasSubstr("c.toml:6:10: expected a whole number from 1 to"));
}

TEST(Configuration, UnknownKeysAndTables)
{
    EXPECT_THAT(complaints("colour = 1\n"),
                ElementsAre(StartsWith("c.toml:1:1: unknown key `colour`; expected one of listen, workers, ")));
    EXPECT_THAT(complaints("[log]\nacess = \"-\"\n"),
                ElementsAre("c.toml:2:1: unknown key `acess` in [log]; did you mean `access`?"));
    EXPECT_THAT(complaints("log = 1\n"), ElementsAre("c.toml:1:7: expected the table [log]"));
}

// ---- programs

/// The rules of the first route of the top level, after settle_programs().
cgi_rules programs(std::string_view text)
{
    auto got = read(text);
    EXPECT_TRUE(got) << got.error().front();
    if (!got) return {};
    settle_programs(*got);
    const auto* const rules = std::get_if<cgi_rules>(&got->files.routes.at(0).then);
    EXPECT_NE(rules, nullptr);
    return rules == nullptr ? cgi_rules() : *rules;
}

std::string cgi_route(std::string_view path, std::string_view cgi)
{
    return fmt::format("root = \"/srv/www\"\n[[route]]\npath = \"{}\"\n[route.cgi]\n{}\n", path, cgi);
}

TEST(Configuration, EveryKeyOfProgramsIsHeard)
{
    const cgi_rules got = programs(cgi_route("/git/*", R"(
program = "/usr/lib/git-core/git-http-backend"
environment = { GIT_PROJECT_ROOT = "/srv/git", REMOTE_USER = "me" }
working_directory = "/srv/git"
body = "stream"
authorization = true
sendfile_root = "/srv/files"
user = "git"
group = "www-data"
idle_seconds = 1
total_seconds = 0
cpu_seconds = 3
memory_bytes = 1048576
open_files = 16
output_bytes = 6
niceness = 0
running = 8
waiting = 0
wait_seconds = 9
)"));
    using std::chrono::seconds;
    const cgi_rules expected{.what = cgi_rules::kind::program,
                             .path = "/usr/lib/git-core/git-http-backend",
                             .environment = {{"GIT_PROJECT_ROOT", "/srv/git"}, {"REMOTE_USER", "me"}},
                             .working_directory = "/srv/git",
                             .unknown_length = cgi_rules::body::streamed,
                             .passes_authorization = true,
                             .sendfile_root = "/srv/files",
                             .user = "git",
                             .group = "www-data",
                             .of_each = {.idle = seconds(1),
                                         .total = seconds(0),
                                         .cpu = seconds(3),
                                         .memory = 1024UL * 1024,
                                         .open_files = 16,
                                         .output = 6},
                             .niceness = 0,
                             .running = 8,
                             .waiting = 0,
                             .wait = seconds(9)};
    EXPECT_EQ(got, expected);
}

TEST(Configuration, ThePathsOfProgramsAreAbsolute)
{
    EXPECT_EQ(programs(cgi_route("/a/*", "")).path, "/srv/www/a");
    EXPECT_EQ(programs(cgi_route("/a/b%20c/*", "")).path, "/srv/www/a/b c");
    EXPECT_EQ(programs(cgi_route("/*", "")).path, "/srv/www");
    EXPECT_EQ(programs(cgi_route("/a/*", "directory = \"/srv//x/./\"")).path, "/srv/x");
    EXPECT_EQ(programs(cgi_route("/a/*", "directory = \"/srv/link/../x/\"")).path, "/srv/link/../x");
    const std::string here = std::filesystem::current_path();
    const cgi_rules got = programs(cgi_route("*.php", "interpreter = \"bin/php\"\nsendfile_root = \".\""));
    EXPECT_EQ(got.path, here + "/bin/php");
    EXPECT_EQ(got.sendfile_root, here);
    EXPECT_EQ(got.working_directory, "");
    EXPECT_EQ(programs("root = \"www\"\n[[route]]\npath = \"/a/*\"\ncgi = {}\n").path, here + "/www/a");
}

TEST(Configuration, ProgramsFitThePathOfTheirRoute)
{
    const auto wrong = [](std::string_view path, std::string_view cgi) {
        return testing::PrintToString(complaints(cgi_route(path, cgi)));
    };
    constexpr std::string_view fits = "{}";
    EXPECT_EQ(wrong("/a", "program = \"p\""), fits);
    EXPECT_EQ(wrong("/a/*", "program = \"p\""), fits);
    EXPECT_EQ(wrong("*.php", "interpreter = \"p\""), fits);
    EXPECT_THAT(wrong("/a", "directory = \"p\""), HasSubstr("needs a path such as \\\"/cgi-bin/*\\\""));
    EXPECT_THAT(wrong("/a", ""), HasSubstr("`cgi` needs `directory`, `program` or `interpreter`"));
    EXPECT_THAT(wrong("*.cgi", ""), HasSubstr("`cgi` needs `directory`, `program` or `interpreter`"));
    EXPECT_THAT(wrong("*.cgi", "program = \"p\""), HasSubstr("for an ending, set `interpreter`"));
    EXPECT_THAT(wrong("/a/*", "interpreter = \"p\""), HasSubstr("needs an ending as path"));
    EXPECT_THAT(wrong("/a%2Fb/*", ""), HasSubstr("set `directory`"));
    EXPECT_THAT(wrong("/a/*", "program = \"p\"\ndirectory = \"p\""), HasSubstr("only one of `directory`"));
    EXPECT_THAT(wrong("/a/*", "group = \"p\""), HasSubstr("`group` has no meaning without `user`"));
}

TEST(Configuration, WrongKeysOfPrograms)
{
    const auto wrong = [](std::string_view cgi) {
        const auto all = complaints(cgi_route("/a/*", cgi));
        EXPECT_EQ(all.size(), 1U) << testing::PrintToString(all);
        return all.empty() ? std::string() : all.front();
    };
    EXPECT_THAT(wrong("programm = \"p\""),
                StartsWith("c.toml:5:1: unknown key `programm` in [site.route.cgi]; did you mean `program`?"));
    EXPECT_THAT(wrong("program = \"\""), HasSubstr("5:11: expected a path"));
    EXPECT_THAT(wrong("program = 1"), HasSubstr("expected a string"));
    EXPECT_THAT(wrong("body = \"chunked\""), HasSubstr("expected one of \"collect\", \"stream\""));
    EXPECT_THAT(wrong("idle_seconds = 1.5"), HasSubstr("expected a whole number from 0 to 86400"));
    EXPECT_THAT(wrong("memory_bytes = 4096"), HasSubstr("expected 0 for no limit, or at least 1048576"));
    EXPECT_THAT(wrong("open_files = 3"), HasSubstr("expected 0 for no limit, or at least 16"));
    EXPECT_THAT(wrong("niceness = -1"), HasSubstr("expected a whole number from 0 to 19"));
    EXPECT_THAT(wrong("running = 0"), HasSubstr("expected a whole number from 1 to"));
    EXPECT_THAT(wrong("environment = { 1A = \"x\" }"), HasSubstr("`1A` is not the name of an environment variable"));
    EXPECT_THAT(wrong("environment = { A-B = \"x\" }"), HasSubstr("`A-B` is not the name"));
    EXPECT_THAT(wrong("environment = { A = 1 }"), HasSubstr("expected a string"));
    EXPECT_THAT(wrong("environment = { A = \"\\u0000\" }"), HasSubstr("must not contain a NUL"));
    EXPECT_THAT(
        wrong("environment = { A = \"" + std::string(40'000, 'x') + "\", B = \"" + std::string(40'000, 'x') + "\" }"),
        HasSubstr("the variables together must not exceed 65536 bytes"));
    EXPECT_THAT(wrong("environment = { CONTENT_LENGTH = \"1\" }"), HasSubstr("for each request: remove this line"));
    EXPECT_THAT(complaints("[[route]]\npath = \"/a/*\"\ncgi = {}\nstatus = 404\n"),
                ElementsAre(HasSubstr("only one of `redirect`, `rewrite`, `status`, `try` and `cgi`")));
    EXPECT_THAT(complaints("[[route]]\npath = \"/a/*\"\ncgi = \"x\"\n"),
                ElementsAre("c.toml:3:7: expected the table [site.route.cgi]"));
    EXPECT_THAT(complaints("[[route]]\ncgi = {}\n"), ElementsAre(HasSubstr("a route needs a `path`")));
}

TEST(Configuration, PagesThatAnInterpreterWouldHaveToRun)
{
    const std::string route = "\n[[route]]\npath = \"*.php\"\ncgi = { interpreter = \"php\" }\n";
    EXPECT_THAT(complaints("error_pages = { 404 = \"/lost.php\" }" + route),
                ElementsAre(HasSubstr("c.toml:2:1: `error_pages` names `/lost.php` for 404")));
    EXPECT_THAT(complaints("error_pages = { 404 = \"/lost.html\" }" + route), testing::IsEmpty());
    const auto got = read("index = [\"index.html\", \"index.php\"]" + route);
    ASSERT_TRUE(got);
    EXPECT_THAT(got->warnings, ElementsAre(HasSubstr("c.toml:2:1: `index` names `index.php`")));
}

TEST(Configuration, TheStateDirectory)
{
    EXPECT_EQ(read("")->state, "/tmp");
    EXPECT_EQ(read("state = \"/var/lib/occwserv\"")->state, "/var/lib/occwserv");
}

TEST(Configuration, WrongLogs)
{
    EXPECT_THAT(complaints("[log]\nformat = \"xml\"\n"),
                ElementsAre("c.toml:2:10: expected one of \"combined\", \"json\""));
    EXPECT_THAT(complaints("[log]\naccess = \"syslog:lokal0\"\n"),
                ElementsAre(HasSubstr("c.toml:2:10: `lokal0` is not a syslog facility: expected one of auth, ")));
    EXPECT_THAT(complaints("[log]\nerror = \"journal:x\"\n"),
                ElementsAre(HasSubstr("c.toml:2:9: `x` is not the path")));
    EXPECT_THAT(complaints("[log]\nrequest_id = true\n"), ElementsAre(HasSubstr("\"errors\", \"always\"")));
    EXPECT_THAT(complaints("[headers]\nx-request-id = \"1\"\n"),
                ElementsAre(HasSubstr("the server itself sets `x-request-id`")));
}

TEST(Configuration, WrongTypesAndRanges)
{
    EXPECT_THAT(complaints("root = 1\n"), ElementsAre(HasSubstr("expected a string")));
    EXPECT_THAT(complaints("index = 1\n"), ElementsAre(HasSubstr("expected a string or an array")));
    EXPECT_THAT(complaints("index = [\"a\", 1]\n"), ElementsAre(HasSubstr("c.toml:1:15: expected a string")));
    EXPECT_THAT(complaints("[patience]\nidle_seconds = 0\n"), ElementsAre(HasSubstr("above 0")));
    EXPECT_THAT(complaints("[patience]\nidle_seconds = \"5s\"\n"), ElementsAre(HasSubstr("number of seconds")));
    EXPECT_THAT(complaints("workers = -1\n"), ElementsAre(HasSubstr("whole number")));
    EXPECT_THAT(complaints("workers = 1.5\n"), ElementsAre(HasSubstr("whole number")));
}

constexpr std::string_view two_sites = R"(
listing = "on"
cache_control = "max-age=60"
[headers]
X-Greeting = "DENY"
[[site]]
names = ["example.org", "www.example.org"]
root = "a"
cache_control = "no-store"
error_pages = { 404 = "/lost.html" }
  [[site.route]]
  path = "/old/*"
  redirect = "/new/{rest}{query}"
  code = 308
  [[site.route]]
  path = "*.css"
  headers = { Cache-Control = "max-age=1", x-greeting = "" }
  [[site.route]]
  path = "/app/*"
  rewrite = "/app.html"
  [[site.route]]
  path = "/secret"
  status = 410
[[site]]
default = true
root = "b"
)";

TEST(Configuration, SitesHaveFromTheTopWhatTheyDoNotSay)
{
    const auto got = read(two_sites);
    ASSERT_TRUE(got) << got.error().front();
    EXPECT_THAT(got->warnings, testing::IsEmpty());
    ASSERT_EQ(got->sites.size(), 2U);
    const site& first = got->sites[0];
    EXPECT_THAT(first.names, ElementsAre("example.org", "www.example.org"));
    EXPECT_EQ(first.files.root, "a");
    EXPECT_EQ(first.files.directories, listing::on);
    EXPECT_EQ(first.files.cache_control, "no-store");
    EXPECT_THAT(first.files.headers, ElementsAre(header{"X-Greeting", "DENY"}));
    EXPECT_EQ(first.files.error_pages.at(404), "lost.html");
    ASSERT_EQ(first.files.routes.size(), 4U);
    EXPECT_EQ(first.files.routes[0].then, action(redirect{"/new/{rest}{query}", http::status::permanent_redirect}));
    EXPECT_FALSE(first.files.routes[1].acts());
    EXPECT_EQ(first.files.routes[2].then, action(rewrite{"/app.html"}));
    EXPECT_EQ(first.files.routes[3].then, action(fixed_status{http::status::gone}));
    EXPECT_TRUE(got->sites[1].is_default);
    EXPECT_EQ(got->sites[1].files.cache_control, "max-age=60");
    EXPECT_THAT(got->sites[1].files.routes, testing::IsEmpty());
}

TEST(Configuration, OfTwoHeadersTheOneForAllAnswersGivesWayInItsOwnTable)
{
    const auto got = read(R"(
[headers]
X-A = "top"
[headers_always]
X-A = "top always"
[[site]]
default = true
root = "a"
headers_always = { X-B = "always" }
headers = { X-B = "good" }
)");
    ASSERT_TRUE(got) << got.error().front();
    EXPECT_THAT(got->sites[0].files.headers,
                ElementsAre(header{"X-A", "top always", sent_with::every_answer}, header{"X-A", "top"},
                            header{"X-B", "always", sent_with::every_answer}, header{"X-B", "good"}));
}

TEST(Configuration, MistakesInSites)
{
    const auto said = complaints(R"(
[[site]]
names = ["example.org", "*"]
[[site]]
names = "Example.org"
root = "b"
[[site]]
root = "c"
roote = "d"
)");
    EXPECT_THAT(
        said, testing::UnorderedElementsAre(
                  HasSubstr("c.toml:3:9: `*` is not a valid site name"), HasSubstr("c.toml:2:1: a site needs a `root`"),
                  HasSubstr("c.toml:5:9: another site already has the name `Example.org`"),
                  HasSubstr("c.toml:7:1: no request can reach this site"),
                  HasSubstr("c.toml:9:1: unknown key `roote` in [site]; did you mean `root`?")));
}

TEST(Configuration, MistakesInRoutes)
{
    const auto wrong = [](std::string_view route) {
        return complaints("root = \"a\"\n[[route]]\n" + std::string(route));
    };
    EXPECT_THAT(wrong("path = \"a\"\nstatus = 410\n"),
                ElementsAre(HasSubstr("c.toml:3:8: `a` is not the path of a route")));
    EXPECT_THAT(wrong("status = 410\n"), ElementsAre(HasSubstr("a route needs a `path`")));
    EXPECT_THAT(wrong("path = \"/a\"\n"), ElementsAre(HasSubstr("this route does nothing")));
    EXPECT_THAT(wrong("path = \"/a\"\nstatus = 410\nrewrite = \"/b\"\n"),
                ElementsAre(HasSubstr("a route can have only one of")));
    EXPECT_THAT(wrong("path = \"/a\"\nredirect = \"/b\"\ncode = 304\n"), ElementsAre(HasSubstr("c.toml:5:8: ")));
    EXPECT_THAT(wrong("path = \"/a\"\nredirct = \"/b\"\n"), testing::Contains(HasSubstr("did you mean `redirect`?")));
    EXPECT_THAT(wrong("path = \"/a\"\nheaders = { Content-Length = \"1\" }\n"),
                ElementsAre(HasSubstr("the server itself sets `Content-Length`")));
    EXPECT_THAT(wrong("path = \"/a\"\nheaders = { \"X A\" = \"1\" }\n"),
                ElementsAre(HasSubstr("is not a valid header name")));
    EXPECT_THAT(wrong("path = \"/a\"\nheaders = { X-A = \"1\\n\" }\n"), ElementsAre(HasSubstr("control characters")));
}

TEST(Configuration, ARedirectLeadsWhereTheOperatorWants)
{
    const auto accepted = [](std::string_view to) {
        return complaints("[[route]]\npath = \"/a\"\nredirect = \"" + std::string(to) + "\"\n").empty();
    };
    for (const char* good : {"/b", "/b/{rest}", "{path}/", "https://example.org{path}{query}", "http://a:80/{rest}",
                             "https://example.org{query}"}) {
        EXPECT_TRUE(accepted(good)) << good;
    }
    for (const char* bad : {"{rest}", "//example.org/", "https://example.org{rest}", "https://{rest}/", "ftp://a/",
                            "https://", "javascript:x", "/a b", "{query}"}) {
        EXPECT_FALSE(accepted(bad)) << bad;
    }
}

TEST(Configuration, ARouteThatCanNeverBeReachedIsAWarning)
{
    const auto got = read("[[route]]\npath = \"/a/*\"\nstatus = 410\n[[route]]\npath = \"/a/b\"\nstatus = 403\n");
    ASSERT_TRUE(got);
    EXPECT_THAT(
        got->warnings,
        ElementsAre("c.toml:4:1: the route `/a/b` is never used: the earlier route `/a/*` matches all its paths"));
}

TEST(Configuration, Proxies)
{
    const auto got = read(R"(
[[proxy]]
from = ["10.0.0.0/8", "2001:db8::1"]
protocol = true
[[proxy]]
from = "127.0.0.1"
header = "Forwarded"
)");
    ASSERT_TRUE(got) << got.error().front();
    EXPECT_THAT(got->warnings, testing::IsEmpty());
    ASSERT_EQ(got->proxies.size(), 2U);
    EXPECT_THAT(got->proxies[0].from,
                ElementsAre(*http::parse_prefix("10.0.0.0/8"), *http::parse_prefix("2001:db8::1")));
    EXPECT_TRUE(got->proxies[0].begins_with_header);
    EXPECT_FALSE(got->proxies[0].field);
    EXPECT_FALSE(got->proxies[1].begins_with_header);
    EXPECT_EQ(got->proxies[1].field, http::field_id::forwarded);
    EXPECT_EQ(rule_for(got->proxies, *http::parse_ip("127.0.0.1")), &got->proxies[1]);
    EXPECT_EQ(rule_for(got->proxies, *http::parse_ip("10.1.2.3")), got->proxies.data());
    EXPECT_EQ(rule_for(got->proxies, *http::parse_ip("127.0.0.2")), nullptr);
}

TEST(Configuration, AProxyOnAUnixSocket)
{
    const http::ip_address none{};
    const auto got = read(
        "[[proxy]]\nfrom = [\"::/0\", \"::1\"]\nprotocol = true\n"
        "[[proxy]]\nfrom = [\"10.0.0.0/8\", \"unix:\"]\nheader = \"Forwarded\"\n"
        "[[proxy]]\nfrom = \"unix\"\nprotocol = true\n");
    ASSERT_TRUE(got) << got.error().front();
    ASSERT_EQ(got->proxies.size(), 3U);
    EXPECT_EQ(rule_for(got->proxies, none), &got->proxies[1]) << "no network has it";
    EXPECT_EQ(rule_for(got->proxies, *http::parse_ip("::1")), got->proxies.data());
    EXPECT_THAT(got->warnings,
                testing::Contains("c.toml:8:8: an earlier [[proxy]] includes `unix` and takes precedence"));
}

TEST(Configuration, MistakesInProxies)
{
    EXPECT_THAT(
        complaints("[[proxy]]\nprotocol = true\n"),
        ElementsAre("c.toml:1:1: a [[proxy]] needs `from`: the addresses or networks that it connects from, or unix:"));
    EXPECT_THAT(complaints("[[proxy]]\nfrom = []\nprotocol = true\n"),
                ElementsAre(HasSubstr("a [[proxy]] needs `from`")));
    EXPECT_THAT(
        complaints("[[proxy]]\nfrom = \"::1\"\nprotocol = false\n"),
        ElementsAre("c.toml:1:1: this [[proxy]] does not state client addresses: set `protocol = true` or `header`"));
    EXPECT_THAT(
        complaints("[[proxy]]\nfrom = [\"::1\", \"10.0.0.1/8\"]\nprotocol = true\n"),
        ElementsAre(
            "c.toml:2:16: `10.0.0.1/8` is not a network: expected an address, 10.0.0.0/8, 2001:db8::/32 or unix:; "
            "the bits after the prefix must be zero, did you mean 10.0.0.0/8?"));
    EXPECT_THAT(
        complaints("[[proxy]]\nfrom = [\"localhost\", 1]\nheader = \"X-Real-IP\"\n"),
        testing::UnorderedElementsAre(
            "c.toml:2:9: `localhost` is not a network: expected an address, 10.0.0.0/8, 2001:db8::/32 or unix:",
            "c.toml:2:22: expected a string", "c.toml:3:10: expected one of \"X-Forwarded-For\", \"Forwarded\""));
    EXPECT_THAT(
        complaints("[[proxy]]\nfrom = 1\nprotocl = true\nheader = \"Forwarded\"\n"),
        testing::UnorderedElementsAre("c.toml:2:8: expected a string or an array of strings",
                                      "c.toml:3:1: unknown key `protocl` in [proxy]; did you mean `protocol`?"));
    EXPECT_THAT(complaints("[proxy]\nfrom = \"::1\"\n"),
                ElementsAre("c.toml:1:1: expected an array of tables: write [[proxy]]"));
}

TEST(Configuration, AProxyThatIsBelievedTooMuchIsAWarning)
{
    const auto got = read(
        "[[proxy]]\nfrom = [\"10.0.0.0/8\", \"::/0\"]\nprotocol = true\n"
        "[[proxy]]\nfrom = \"10.1.0.0/16\"\nheader = \"Forwarded\"\n");
    ASSERT_TRUE(got) << got.error().front();
    EXPECT_THAT(got->warnings,
                ElementsAre("c.toml:2:23: `::/0` trusts every client to state its own address",
                            "c.toml:5:8: an earlier [[proxy]] includes `10.1.0.0/16` and takes precedence"));
}

TEST(Configuration, WhatIsNoTomlIsToldWithItsPlace)
{
    EXPECT_THAT(complaints("root = \n"), ElementsAre(HasSubstr("c.toml:1:")));
    for (const char* no_name : {"[=]", "[[=", "[[[a]]]", "[ \"a\"", "[\x01", "[#]"}) {
        EXPECT_THAT(complaints("x = \"\"\"\n[\n\"\"\"\ny = [\n[1]]\n" + std::string(no_name) + "\nz = 1\n"),
                    ElementsAre(HasSubstr("c.toml:6:")))
            << no_name;
    }
}

TEST(Configuration, LettersThatAreNotAscii)
{
    for (const char* bad : {"caf\u00e9 = 1\n", "x\u3042 = 1\n", "[\u00e9]\n", "a = \"\\\u00e9\"\n", "\ufee1 = 1\n",
                            "x = -I{X=\"\u00e9\"\n", "x = '\xC3'\n", "x = '\xE0\x80\x80'\n", "x = '\xED\xA0\x80'\n"}) {
        EXPECT_THAT(complaints(bad), ElementsAre(HasSubstr("c.toml:1:"))) << bad;
    }
    EXPECT_THAT(complaints("index = [\"\u00e9\", '\u3042', \u00e9]\n"), ElementsAre(HasSubstr("c.toml:1:20: ")));
    EXPECT_THAT(complaints("listen = \"\u00e9\u3042\U0001F600\"\n"),
                ElementsAre(HasSubstr("`\u00e9\u3042\U0001F600` is not an")));
    const auto got = read(
        "\ufeffroot = \"\u00e9\\\"\u3042\" # \ufee1\nindex = '''\n\uffee''\U0001F600'''\ntry = \"\"\"\\\n "
        "\u07ff\"\"\"");
    ASSERT_TRUE(got) << got.error().front();
    EXPECT_EQ(got->files.root, "\u00e9\"\u3042");
    EXPECT_THAT(got->files.index, ElementsAre("\uffee''\U0001F600"));
    EXPECT_THAT(got->files.tries, ElementsAre("/\u07ff"));
}

TEST(Configuration, AFileThatCannotBeRead)
{
    const auto got = load_configuration("/nonexistent/c.toml", {});
    ASSERT_FALSE(got);
    EXPECT_THAT(got.error(), ElementsAre(HasSubstr("/nonexistent/c.toml: cannot be read")));
    EXPECT_FALSE(load_configuration("/", {})) << "a directory is no configuration";
}

}  // namespace
}  // namespace server
