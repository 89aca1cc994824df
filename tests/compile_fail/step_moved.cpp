// SPDX-License-Identifier: MIT
// expect: (aka 'csp::step<void>')
#include <utility>

#include "csp/process.hpp"

csp::step<> idle() { co_return; }

void moves()
{
    auto first = idle();
    auto second = std::move(first);
}
