// SPDX-License-Identifier: MIT
#include "server/check.hpp"

#include <cstdio>
#include <string>

#include <fmt/core.h>

#include "server/policy.hpp"

namespace server {
namespace {

constexpr int mistakes = 2;

int tell(const std::vector<complaint>& wrong)
{
    for (const complaint& c : wrong) fmt::print(stderr, "{}\n", c);
    fmt::print(stderr, "{} mistake{}\n", wrong.size(), wrong.size() == 1 ? "" : "s");
    return mistakes;
}

}  // namespace

int check(const std::expected<settings, std::vector<complaint>>& read)
{
    if (!read) return tell(read.error());
    for (const std::string& w : read->warnings) fmt::print(stderr, "warning: {}\n", w);
    const auto opened = make_policy(*read);
    if (!opened) return tell(opened.error());
    const std::size_t sites = opened->sites.size() - 1;
    fmt::print("no mistakes; {} site{}\n", sites, sites == 1 ? "" : "s");
    return 0;
}

}  // namespace server
