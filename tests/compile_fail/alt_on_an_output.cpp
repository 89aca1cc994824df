// SPDX-License-Identifier: MIT
// expect: no type named 'guard' in 'csp::out<int>'
#include "csp/alt.hpp"
#include "csp/process.hpp"

csp::process waits_to_write(csp::out<int> to_reader) { co_await csp::pri_alt(to_reader); }
