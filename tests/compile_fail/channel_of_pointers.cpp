// SPDX-License-Identifier: MIT
// expect: constraints not satisfied
#include "csp/channel.hpp"

csp::chan<const char*> names;
