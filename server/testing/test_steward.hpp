// SPDX-License-Identifier: MIT
//
// A steward of its own for a test.
#pragma once

#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/sandbox/steward.hpp"

namespace server::test {

/// Polls a condition that another process of the operating system makes true. False if that takes a minute.
template <class Condition>
[[nodiscard]] bool comes_true(const Condition& condition)
{
    for (int left = 60'000; left > 0 && !condition(); --left) ::usleep(1000);
    return condition();
}

class test_steward {
  public:
    explicit test_steward(steward_rules rules)
    {
        auto started = start_steward(std::move(rules));
        EXPECT_TRUE(started) << (started ? "" : started.error());
        if (started) steward_ = std::move(*started);
        // When it answers, it has closed the descriptors of the test that it inherited.
        EXPECT_FALSE(steward_.line.listen("no address"));
    }
    test_steward(const test_steward&) = delete;
    test_steward& operator=(const test_steward&) = delete;
    ~test_steward()
    {
        steward_.line = {};
        if (steward_.process > 0) end_steward(steward_.process);
    }

    /// One that opens these logs.
    [[nodiscard]] static steward_rules for_logs(std::vector<std::string> paths)
    {
        return {.command = {}, .run_as = {}, .logs = std::move(paths), .made = {}};
    }
    /// One of a server that was started by this command line.
    [[nodiscard]] static steward_rules for_command(std::vector<std::string> words)
    {
        return {.command = {.program = "/proc/self/exe", .arguments = std::move(words)},
                .run_as = {},
                .logs = {},
                .made = {}};
    }

    [[nodiscard]] pid_t process() const { return steward_.process; }
    [[nodiscard]] const steward_line& line() const { return steward_.line; }

  private:
    running_steward steward_;
};

}  // namespace server::test
