// SPDX-License-Identifier: MIT
// expect: constraints not satisfied
#include <string_view>

#include "csp/channel.hpp"

csp::chan<std::string_view> names;
