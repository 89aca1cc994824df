// SPDX-License-Identifier: MIT
//
// Declares CLI::App for headers, since including CLI11 itself is slow to compile.
#pragma once

// NOLINTBEGIN(readability-identifier-naming)
namespace CLI {
class App;
}
// NOLINTEND(readability-identifier-naming)
