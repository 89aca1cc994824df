// SPDX-License-Identifier: MIT
// expect: A process owns what it is given
#include "csp/process.hpp"

csp::process counter(int& total)
{
    ++total;
    co_return;
}
