// SPDX-License-Identifier: MIT
// expect: call to implicitly-deleted copy constructor of 'csp::in<int>'
#include "csp/channel.hpp"

csp::in<int> twice(const csp::in<int>& once) { return once; }
