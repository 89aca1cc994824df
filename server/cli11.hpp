// SPDX-License-Identifier: MIT
//
// The name of CLI11's class, for headers: the library itself is large.
#pragma once

// NOLINTBEGIN(readability-identifier-naming)
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)
