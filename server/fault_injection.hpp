// SPDX-License-Identifier: MIT
//
// For tests: lets memory run out in one process of the network. It replaces operator new, so it is linked only into
// programs that are for this. In a whole program the environment says where: $OCCWSERV_FAULT is PROCESS or PROCESS:NTH,
// and $OCCWSERV_FAULT_WHEN a file without which nothing happens yet.
#pragma once

#include <string_view>

namespace server::test {

/// The `nth` time from now (the first is 1) that a process of this name asks for memory, there is none; once.
/// REQUIRES: `process` lives until then.
void inject(std::string_view process, unsigned nth);
/// No more. Yields whether it has happened.
bool was_injected();

}  // namespace server::test
