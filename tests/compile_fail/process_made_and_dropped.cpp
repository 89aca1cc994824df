// SPDX-License-Identifier: MIT
// expect: 'nodiscard' attribute: a process does nothing until par() or start() runs it
#include "csp/process.hpp"

csp::process idle() { co_return; }

void forget() { idle(); }
