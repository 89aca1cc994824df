// SPDX-License-Identifier: MIT
//
// For tests: lets memory run out in one process of the network. It replaces operator new, so only test programs are
// linked with it. In the server with faults the environment says where: $OCCWSERV_FAULT is PROCESS or PROCESS:NTH;
// $OCCWSERV_FAULT_WHEN is a file, and nothing happens until it exists.
#pragma once

#include <string_view>

namespace server::test {

/// The `nth` time from now (the first is 1) that a process of this name asks for memory, there is none; once.
/// REQUIRES: `process` lives until then.
void inject(std::string_view process, unsigned nth);
/// Cancels that. Yields whether it has happened.
bool was_injected();

}  // namespace server::test
