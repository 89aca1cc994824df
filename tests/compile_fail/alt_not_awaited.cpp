// SPDX-License-Identifier: MIT
// expect: await it
#include "csp/alt.hpp"

void forgets(csp::in<int>& numbers) { csp::pri_alt(numbers, csp::skip); }
