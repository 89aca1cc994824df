// SPDX-License-Identifier: MIT
// expect: A process owns what it is given
#include "csp/process.hpp"

struct fragile {
    fragile(fragile&& /*other*/) noexcept(false) {}
};

csp::process carrier(fragile cargo)
{
    static_cast<void>(cargo);
    co_return;
}
