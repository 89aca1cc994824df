// SPDX-License-Identifier: MIT
// expect: A process owns what it is given
#include <string>

#include "csp/process.hpp"

csp::process greeter(const std::string& name)
{
    static_cast<void>(name);
    co_return;
}
