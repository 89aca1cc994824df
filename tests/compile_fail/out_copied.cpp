// SPDX-License-Identifier: MIT
// expect: call to implicitly-deleted copy constructor of 'csp::out<int>'
#include "csp/channel.hpp"

csp::out<int> twice(const csp::out<int>& once) { return once; }
