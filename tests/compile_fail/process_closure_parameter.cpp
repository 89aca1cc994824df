// SPDX-License-Identifier: MIT
// expect: A process owns what it is given
#include "csp/process.hpp"

template <class Action>
csp::process doer(Action action)
{
    action();
    co_return;
}

csp::process make(int& total)
{
    return doer([&total] { ++total; });
}
