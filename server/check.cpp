// SPDX-License-Identifier: MIT
#include "server/check.hpp"

#include <cstdio>
#include <string>

#include <fmt/core.h>

#include "server/observers/log_target.hpp"
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
    std::vector<complaint> wrong = opened ? std::vector<complaint>() : opened.error();
    for (const std::string& log : {read->log.access, read->log.error}) {
        if (auto why = why_no_log(log)) wrong.push_back(std::move(*why));
    }
    if (!wrong.empty()) return tell(wrong);
    const std::size_t sites = opened->sites.size() - 1;
    fmt::print("no mistakes; {} site{}\n", sites, sites == 1 ? "" : "s");
    return 0;
}

}  // namespace server
