// SPDX-License-Identifier: MIT
// expect: await it
#include "csp/channel.hpp"

void forgets(csp::in<int>& numbers) { numbers.input(); }
