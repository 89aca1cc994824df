// SPDX-License-Identifier: MIT
// expect: A process owns what it is given
#include <memory>

#include "csp/process.hpp"

csp::process keeper(std::shared_ptr<int> shared)
{
    static_cast<void>(shared);
    co_return;
}
