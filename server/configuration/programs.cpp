// SPDX-License-Identifier: MIT
#include "server/configuration/programs.hpp"

#include <algorithm>
#include <fcntl.h>
#include <variant>
#include <vector>

#include "server/configuration/fingerprint.hpp"

namespace server {
namespace {

std::uint64_t number_of(std::chrono::seconds t) { return static_cast<std::uint64_t>(t.count()); }

void add(fingerprint& sum, const cgi_rules::limits& limits)
{
    const auto& [idle, total, cpu, memory, open_files, output] = limits;
    sum.add(number_of(idle)).add(number_of(total)).add(number_of(cpu)).add(memory).add(open_files).add(output);
}

/// The structured binding names all members, so that one that is added to cgi_rules cannot be forgotten here.
void add(fingerprint& sum, const cgi_rules& rules)
{
    const auto& [what, path, environment, working_directory, unknown_length, passes_authorization, sendfile_root, user,
                 group, of_each, niceness, running, waiting, wait] = rules;
    sum.add(static_cast<std::uint64_t>(what)).add(path).add(environment.size());
    for (const cgi_rules::variable& v : environment) sum.add(v.name).add(v.value);
    sum.add(working_directory).add(static_cast<std::uint64_t>(unknown_length)).add(passes_authorization ? 1U : 0U);
    sum.add(sendfile_root).add(user).add(group);
    add(sum, of_each);
    sum.add(static_cast<std::uint64_t>(niceness)).add(running).add(waiting).add(number_of(wait));
}

bool has_programs(const static_rules& site)
{
    return std::ranges::any_of(site.routes, [](const route& r) { return std::holds_alternative<cgi_rules>(r.then); });
}

}  // namespace

bool has_programs(const settings& s)
{
    return std::ranges::any_of(all_sites(s), [](const site& one) { return has_programs(one.files); });
}

std::uint64_t digest_of_programs(const settings& s)
{
    fingerprint sum;
    sum.add(s.state);
    const std::vector<site> sites = all_sites(s);
    for (std::uint64_t number = 0; number < sites.size(); ++number) {
        const static_rules& files = sites[number].files;
        if (!has_programs(files)) continue;
        sum.add(number).add(files.root).add(files.links_into);
        for (std::uint64_t i = 0; i < files.routes.size(); ++i) {
            const auto* const rules = std::get_if<cgi_rules>(&files.routes[i].then);
            if (rules == nullptr) continue;
            sum.add(i).add(files.routes[i].path);
            add(sum, *rules);
        }
    }
    return sum.sum();
}

bool share_runner(const io::descriptor& line, std::span<policy> policies)
{
    return std::ranges::all_of(policies, [&](policy& p) {
        p.programs = io::descriptor(::fcntl(line.number(), F_DUPFD_CLOEXEC, 0));
        return static_cast<bool>(p.programs);
    });
}

}  // namespace server
