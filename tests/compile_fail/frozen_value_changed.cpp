// SPDX-License-Identifier: MIT
// expect: no viable overloaded '='
#include <string>

#include "csp/frozen.hpp"

void changes(csp::frozen<std::string>& page) { *page = "other"; }
