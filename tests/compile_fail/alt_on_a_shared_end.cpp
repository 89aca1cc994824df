// SPDX-License-Identifier: MIT
// expect: no type named 'guard' in 'csp::shared_in<int>'
#include "csp/alt.hpp"
#include "csp/process.hpp"

csp::process waits(csp::shared_in<int> numbers) { co_await csp::pri_alt(numbers); }
