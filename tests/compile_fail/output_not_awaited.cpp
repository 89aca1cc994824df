// SPDX-License-Identifier: MIT
// expect: await it
#include "csp/channel.hpp"

void forgets(csp::out<int>& to_reader) { to_reader.output(1); }
