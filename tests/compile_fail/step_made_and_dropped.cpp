// SPDX-License-Identifier: MIT
// expect: a step does nothing until it is awaited
#include "csp/process.hpp"

csp::step<> idle() { co_return; }

csp::process forgets()
{
    idle();
    co_return;
}
