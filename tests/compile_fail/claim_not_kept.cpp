// SPDX-License-Identifier: MIT
// expect: the claim ends with this scope
#include "csp/channel.hpp"
#include "csp/process.hpp"

csp::process lets_go(csp::shared_out<int> to_reader) { co_await to_reader.claim(); }
