// SPDX-License-Identifier: MIT
#pragma once

namespace csp {

/// Prints `what` and the post-mortem of this thread's core, then aborts. The program cannot go on, because the code
/// that follows relies on the contract.
[[noreturn]] void contract_broken(const char* condition, const char* what, const char* file, int line) noexcept;

}  // namespace csp

/// Checked in every build, because these checks are cheap.
#define CSP_CHECK(condition, what)                                        \
    do {                                                                  \
        if (!(condition)) [[unlikely]]                                    \
            ::csp::contract_broken(#condition, what, __FILE__, __LINE__); \
    } while (false)
