// SPDX-License-Identifier: MIT
// expect: A process owns what it is given
#include "csp/process.hpp"

void make(int total)
{
    auto counter = [total]() -> csp::process {
        static_cast<void>(total);
        co_return;
    };
    auto made = counter();
    static_cast<void>(made);
}
