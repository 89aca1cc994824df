// SPDX-License-Identifier: MIT
// expect: the writer is released when this scope ends
#include "csp/channel.hpp"
#include "csp/process.hpp"

csp::process lets_go(csp::in<int> numbers) { co_await numbers.extended_input(); }
