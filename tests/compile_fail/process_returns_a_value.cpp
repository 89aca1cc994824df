// SPDX-License-Identifier: MIT
// expect: no member named 'return_value'
#include "csp/process.hpp"

csp::process seven() { co_return 7; }
