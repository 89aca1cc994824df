// SPDX-License-Identifier: MIT
// expect: await it
#include "csp/par.hpp"

csp::process idle() { co_return; }

void forgets() { csp::par(idle(), idle()); }
