// SPDX-License-Identifier: MIT
// expect: constraints not satisfied
#include <string>

#include "csp/bridge.hpp"

csp::bridge<csp::frozen<std::string>>* pages = nullptr;
