// SPDX-License-Identifier: MIT
// expect: call to implicitly-deleted copy constructor of 'csp::process'
#include <utility>

#include "csp/process.hpp"

csp::process idle() { co_return; }

void twice()
{
    csp::process once = idle();
    csp::process again = once;
}
