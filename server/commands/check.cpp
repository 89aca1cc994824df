// SPDX-License-Identifier: MIT
#include "server/commands/check.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "io/blocking.hpp"
#include "server/configuration/log_target.hpp"
#include "server/configuration/policy.hpp"
#include "server/service/prospects.hpp"
#include "server/service/prospects_of_programs.hpp"

namespace server {
namespace {

constexpr int exit_mistakes = 2;

std::string counted(std::size_t n, std::string_view what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

void print_warnings(const std::vector<std::string>& all)
{
    for (const std::string& w : all) fmt::print(stderr, "warning: {}\n", w);
}

int print_mistakes(const std::vector<complaint>& wrong)
{
    for (const complaint& c : wrong) fmt::print(stderr, "{}\n", c);
    fmt::print(stderr, "{}\n", counted(wrong.size(), "mistake"));
    return exit_mistakes;
}

void append(std::vector<std::string>& to, std::vector<std::string> more)
{
    std::ranges::move(more, std::back_inserter(to));
}

}  // namespace

int check(const std::expected<settings, std::vector<complaint>>& read)
{
    if (!read) return print_mistakes(read.error());
    std::vector<std::string> warnings = read->warnings;
    std::vector<complaint> wrong = missing_on_this_machine(*read);
    append(wrong, closed_to_reading(*read));
    append(warnings, missing_rights(*read));
    append(warnings, unusable_programs(*read));
    auto addresses = check_addresses(*read);
    append(wrong, std::move(addresses.mistakes));
    append(warnings, std::move(addresses.warnings));
    const auto opened = make_policy(*read);
    append(opened ? warnings : wrong, opened ? missing_pages(*opened) : opened.error());
    const auto check_log = [&](const std::string& log, std::string_view key) {
        const auto why = io::within(patience_with_file_system, [log] { return why_no_log(log); });
        if (!why) wrong.push_back(read->places(key) + no_answer_from(log));
        if (why && *why) wrong.push_back(read->places(key) + **why);
    };
    check_log(read->log.access, "log.access");
    check_log(read->log.error, "log.error");
    print_warnings(warnings);
    if (!wrong.empty()) return print_mistakes(wrong);
    fmt::print("no mistakes, {}; {}\n", counted(warnings.size(), "warning"), counted(opened->sites.size() - 1, "site"));
    return 0;
}

}  // namespace server
