// SPDX-License-Identifier: MIT
//
// Makes the kernel refuse a system call, by a seccomp filter. A filter cannot be removed, so the test runs in a process
// of its own: EXPECT_EXIT({ refuse(...); ...; end_of_refusals(); }, testing::ExitedWithCode(0), "").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace io::test {

/// The calls to refuse: those with this number whose argument, masked with `mask`, equals `value`.
struct refused_call {
    int number = 0;
    unsigned argument = 0;
    std::uint32_t mask = 0;
    std::uint32_t value = 0;
};

/// Refuses these calls, with the errno `with`, in this thread. REQUIRES: a little-endian machine.
inline void refuse(const refused_call& which, int with)
{
    const auto low_half =
        static_cast<std::uint32_t>(offsetof(seccomp_data, args) + which.argument * sizeof(std::uint64_t));
    std::array<sock_filter, 7> filter{
        {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(which.number), 0, 4),
         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low_half), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, which.mask),
         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, which.value, 0, 1),
         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(with)),
         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/// Ends the process, with exit code 0 if no expectation has failed in it; the test that waits for it sees any other
/// code.
[[noreturn]] inline void end_of_refusals()
{
    const testing::TestResult& all = *testing::UnitTest::GetInstance()->current_test_info()->result();
    for (int i = 0; i < all.total_part_count(); ++i) {
        const testing::TestPartResult& part = all.GetTestPartResult(i);
        if (part.failed()) std::fprintf(stderr, "line %d: %s\n", part.line_number(), part.message());
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
}

}  // namespace io::test
