// SPDX-License-Identifier: MIT
// expect: returning address of local temporary object
#include <string>

#include "csp/process.hpp"

csp::step<> greets(const std::string& name)
{
    static_cast<void>(name);
    co_return;
}

csp::step<> returns_it() { return greets(std::string("temporary")); }
