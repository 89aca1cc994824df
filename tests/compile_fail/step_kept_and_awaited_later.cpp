// SPDX-License-Identifier: MIT
// expect: no member named 'await_ready' in 'csp::step<int>'
#include "csp/process.hpp"

csp::step<int> seven() { co_return 7; }

csp::process keeps()
{
    auto kept = seven();
    co_await kept;
}
