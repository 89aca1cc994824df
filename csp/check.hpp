// SPDX-License-Identifier: MIT
#pragma once

namespace csp {

/// Prints `what` and the post-mortem of this thread's core, then aborts. A broken contract is not survivable:
/// whatever would run next would run on a false premise.
[[noreturn]] void contract_broken(const char* condition, const char* what, const char* file, int line) noexcept;

}  // namespace csp

/// Always on, in every build: the contracts of the runtime are cheap to check and dear to break.
#define CSP_CHECK(condition, what)                                        \
    do {                                                                  \
        if (!(condition)) [[unlikely]]                                    \
            ::csp::contract_broken(#condition, what, __FILE__, __LINE__); \
    } while (false)
