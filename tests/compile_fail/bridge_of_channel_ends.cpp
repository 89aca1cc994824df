// SPDX-License-Identifier: MIT
// expect: constraints not satisfied
#include "csp/bridge.hpp"

csp::bridge<csp::out<int>>* ends = nullptr;
