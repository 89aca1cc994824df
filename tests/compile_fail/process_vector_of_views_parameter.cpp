// SPDX-License-Identifier: MIT
// expect: A process owns what it is given
#include <string_view>
#include <vector>

#include "csp/process.hpp"

csp::process greeter(std::vector<std::string_view> names)
{
    static_cast<void>(names);
    co_return;
}
