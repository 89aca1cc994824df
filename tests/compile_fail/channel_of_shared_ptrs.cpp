// SPDX-License-Identifier: MIT
// expect: constraints not satisfied
#include <memory>

#include "csp/channel.hpp"

csp::chan<std::shared_ptr<int>> numbers;
