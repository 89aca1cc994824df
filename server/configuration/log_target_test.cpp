// SPDX-License-Identifier: MIT
#include "server/configuration/log_target.hpp"

#include <filesystem>
#include <syslog.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "server/testing/test_support.hpp"

namespace server {
namespace {

using kind = log_target::kind;
using testing::HasSubstr;

log_target parsed(std::string_view text)
{
    auto t = parse_log_target(text);
    EXPECT_TRUE(t.has_value()) << text;
    return t.value_or(log_target{});
}

void expect(std::string_view text, kind what, std::string_view path, int facility = 0)
{
    const log_target t = parsed(text);
    EXPECT_EQ(t.what, what) << text;
    EXPECT_EQ(t.path, path) << text;
    EXPECT_EQ(t.facility, facility) << text;
}

TEST(LogTarget, IsToldByItsBeginning)
{
    expect("", kind::none, "");
    expect("-", kind::stream, "");
    expect("/var/log/a", kind::file, "/var/log/a");
    expect("syslog", kind::syslog, "/dev/log", LOG_DAEMON);
    expect("syslog:local3", kind::syslog, "/dev/log", LOG_LOCAL3);
    expect("syslog:/run/s", kind::syslog, "/run/s", LOG_DAEMON);
    expect("syslog:mail:/run/s", kind::syslog, "/run/s", LOG_MAIL);
    expect("journal", kind::journal, "/run/systemd/journal/socket");
    expect("journal:/run/s", kind::journal, "/run/s");
    expect("syslog.log", kind::file, "syslog.log");
    expect("./syslog", kind::file, "./syslog");
    expect("journals/a", kind::file, "journals/a");
}

TEST(LogTarget, MistakesAreNamed)
{
    EXPECT_THAT(parse_log_target("syslog:lokal3").error(), HasSubstr("`lokal3` is not a syslog facility"));
    EXPECT_THAT(parse_log_target("syslog:lokal3").error(), HasSubstr("daemon, "));
    EXPECT_THAT(parse_log_target("syslog:user:s").error(), HasSubstr("`s` is not the path"));
    EXPECT_THAT(parse_log_target("journal:s").error(), HasSubstr("`s` is not the path"));
    EXPECT_THAT(parse_log_target("journal:/" + std::string(200, 'x')).error(), HasSubstr("too long"));
}

TEST(LogTarget, OpensAFileOrSaysWhyNot)
{
    const test::scratch_directory d;
    EXPECT_EQ(why_no_log(d.path() + "/log"), std::nullopt);
    EXPECT_FALSE(std::filesystem::exists(d.path() + "/log"));  // it was a question only
    const auto made = open_log(d.path() + "/log", STDOUT_FILENO);
    ASSERT_TRUE(made.has_value());
    EXPECT_TRUE(made->file);
    EXPECT_EQ(why_no_log(d.path() + "/log"), std::nullopt);

    for (const std::string& wrong : {d.path() + "/none/log", d.path(), d.path() + "/log/x"}) {
        const auto opened = open_log(wrong, STDOUT_FILENO);
        ASSERT_FALSE(opened.has_value());
        EXPECT_EQ(why_no_log(wrong), opened.error());
        EXPECT_THAT(opened.error(), HasSubstr("the log " + wrong + " cannot be opened: "));
    }
}

TEST(LogTarget, TheStandardStreamIsTheOneWeWereGiven)
{
    const auto out = open_log("-", STDERR_FILENO);
    ASSERT_TRUE(out.has_value());
    EXPECT_TRUE(out->file);
    EXPECT_FALSE(open_log("", STDERR_FILENO)->file);
    EXPECT_FALSE(open_log("syslog", STDERR_FILENO)->file);
    EXPECT_EQ(why_no_log("journal:/nobody/there"), std::nullopt);  // who reads it may come later
}

}  // namespace
}  // namespace server
