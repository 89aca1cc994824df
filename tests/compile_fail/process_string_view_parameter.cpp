// SPDX-License-Identifier: MIT
// expect: A process owns what it is given
#include <string_view>

#include "csp/process.hpp"

csp::process greeter(std::string_view name)
{
    static_cast<void>(name);
    co_return;
}
