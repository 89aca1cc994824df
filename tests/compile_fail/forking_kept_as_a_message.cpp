// SPDX-License-Identifier: MIT
// expect: constraints not satisfied
#include "csp/channel.hpp"
#include "csp/forking.hpp"

csp::chan<csp::forking>* owners = nullptr;
