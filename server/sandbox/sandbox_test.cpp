// SPDX-License-Identifier: MIT
#include "server/sandbox/sandbox.hpp"

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(SandboxLine, NamesAllParts)
{
    EXPECT_EQ(sandbox_line("files by Landlock (ABI 7)", "system calls by seccomp", io::engine_choice::uring),
              "sandbox: files by Landlock (ABI 7), system calls by seccomp, io_uring restricted");
    EXPECT_EQ(sandbox_line("files not restricted (as configured)", "system calls by seccomp", io::engine_choice::epoll),
              "sandbox: files not restricted (as configured), system calls by seccomp");
}

}  // namespace
}  // namespace server
