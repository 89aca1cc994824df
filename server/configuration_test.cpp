// SPDX-License-Identifier: MIT
#include "server/configuration.hpp"

#include <chrono>
#include <string>
#include <string_view>

#include <gmock/gmock.h>

namespace server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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
    EXPECT_THAT(all, HasSubstr("c.toml:1:1: `rot` is not known; did you mean `root`?"));
    EXPECT_THAT(all, HasSubstr("c.toml:2:10: `nowhere` is not an address"));
    EXPECT_THAT(all, HasSubstr("c.toml:3:11: expected a whole number from 1 to 1024"));
    EXPECT_THAT(all, HasSubstr("c.toml:4:6: expected one of \\\"auto\\\", \\\"uring\\\", \\\"epoll\\\""));
    EXPECT_THAT(all, HasSubstr("c.toml:6:10: expected a whole number from 1 to"));
}

TEST(Configuration, UnknownKeysAndTables)
{
    EXPECT_THAT(complaints("colour = 1\n"), ElementsAre("c.toml:1:1: `colour` is not known"));
    EXPECT_THAT(complaints("[log]\nacess = \"-\"\n"),
                ElementsAre("c.toml:2:1: `acess` is not known in [log]; did you mean `access`?"));
    EXPECT_THAT(complaints("log = 1\n"), ElementsAre("c.toml:1:7: expected the table [log]"));
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

TEST(Configuration, WhatIsNoTomlIsToldWithItsPlace)
{
    EXPECT_THAT(complaints("root = \n"), ElementsAre(HasSubstr("c.toml:1:")));
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
