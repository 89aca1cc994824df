// SPDX-License-Identifier: MIT
// expect: no member named 'await_ready' in 'csp::process'
#include "csp/process.hpp"

csp::process idle() { co_return; }

csp::process waits() { co_await idle(); }
