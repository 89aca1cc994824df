// SPDX-License-Identifier: MIT
#include "csp/post_mortem.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/core.h>

#include "csp/detail/family.hpp"
#include "csp/detail/rendezvous.hpp"

namespace csp {
namespace {

std::string_view file_name(const char* path)
{
    const std::string_view whole = path;
    return whole.substr(whole.rfind('/') + 1);
}

std::string place(std::source_location at) { return fmt::format("{}:{}", file_name(at.file_name()), at.line()); }

const detail::channel_base& channel_of(const record& r) { return *static_cast<const detail::channel_base*>(r.awaits); }

/// The living processes by address. A channel has the address of its last user, but that process may have ended.
using living_set = std::unordered_set<const record*>;

living_set living_of(const core& c)
{
    living_set living;
    for (const record* r = c.oldest(); r != nullptr; r = r->younger) living.insert(r);
    return living;
}

std::string last_user(const living_set& living, const record* user, std::string_view did)
{
    if (user == nullptr) return fmt::format("not yet {}", did);
    if (!living.contains(user)) return fmt::format("last {} by a process that has ended", did);
    return fmt::format("last {} by {} {}", did, name_of(*user), user->number);
}

std::string describe_wait(const living_set& living, const record& r)
{
    switch (r.state) {
        case wait::nothing:
            return "ready";
        case wait::input:
        case wait::extended:
            if (channel_of(r).bridged())
                return fmt::format("input from the bridge made at {}", place(channel_of(r).made()));
            return fmt::format("input from the channel made at {}, {}", place(channel_of(r).made()),
                               last_user(living, channel_of(r).last_writer(), "written"));
        case wait::output:
            return fmt::format("output to the channel made at {}, {}", place(channel_of(r).made()),
                               last_user(living, channel_of(r).last_reader(), "read"));
        case wait::outputs:
            return "several outputs at once";
        case wait::bridge:
            return fmt::format("the other side of the bridge made at {}",
                               place(*static_cast<const std::source_location*>(r.awaits)));
        case wait::claim:
            return fmt::format("its turn at the channel made at {}", place(channel_of(r).made()));
        case wait::alternative:
            return "one of several inputs";
        case wait::timer:
            return "a moment";
        case wait::join:
            return fmt::format("the end of {} processes", static_cast<const detail::family*>(r.awaits)->living);
        case wait::barrier:
            return fmt::format("the others at the barrier made at {}",
                               place(*static_cast<const std::source_location*>(r.awaits)));
        case wait::kernel:
            return static_cast<const char*>(r.awaits);
    }
    return "?";
}

std::size_t& tally_of(kind_of_process& kind, wait state)
{
    switch (state) {
        case wait::nothing:
            return kind.ready;
        case wait::kernel:
            return kind.kernel;
        case wait::timer:
        case wait::join:
        case wait::barrier:
            return kind.others;
        default:
            return kind.communicate;
    }
}

}  // namespace

std::string name_of(const record& r) { return std::string(plain_name(r.name)); }

std::string_view plain_name(const char* spelled) noexcept
{
    // "csp::process server::(anonymous namespace)::page_worker(shared_in<conn>, ...)" or a literal given with named()
    constexpr std::string_view anonymous = "(anonymous namespace)::";
    std::string_view name = spelled;
    if (const auto at = name.find(anonymous); at != std::string_view::npos) name.remove_prefix(at + anonymous.size());
    if (const auto parameters = name.find('('); parameters != std::string_view::npos) {
        name = name.substr(0, parameters);
        if (const auto blank = name.rfind(' '); blank != std::string_view::npos) name = name.substr(blank + 1);
        if (const auto scope = name.rfind("::"); scope != std::string_view::npos) name = name.substr(scope + 2);
    }
    return name;
}

std::vector<living_process> census(const core& c)
{
    const living_set living = living_of(c);
    std::vector<living_process> all;
    all.reserve(living.size());
    for (const record* r = c.oldest(); r != nullptr; r = r->younger) {
        const record* const parent = r->owner->parent;
        const bool parent_here = living.contains(parent);
        all.push_back({.core = c.index(),
                       .number = r->number,
                       .name = name_of(*r),
                       .parent = parent_here ? std::optional(parent->number) : std::nullopt,
                       .state = r->state,
                       .waits_for = describe_wait(living, *r),
                       .where = r->where});
    }
    return all;
}

std::vector<kind_of_process> kinds(const core& c)
{
    const living_set living = living_of(c);
    std::vector<kind_of_process> all;
    std::unordered_map<const char*, std::size_t> known;  // by address: each coroutine has one spelling
    for (const record* r = c.oldest(); r != nullptr; r = r->younger) {
        const auto [place_of, is_new] = known.emplace(r->name, all.size());
        if (is_new) {
            // Coroutines made from one template have different spellings and the same name.
            std::string name = name_of(*r);
            const auto same = std::ranges::find(all, name, &kind_of_process::name);
            place_of->second = static_cast<std::size_t>(same - all.begin());
            if (same == all.end()) all.push_back({.name = std::move(name), .example = {}});
        }
        kind_of_process& kind = all[place_of->second];
        ++kind.count;
        ++tally_of(kind, r->state);
        if (kind.example.empty() && r->state != wait::nothing) kind.example = describe_wait(living, *r);
    }
    return all;
}

std::vector<std::uint32_t> cycle_of_waits(const core& c)
{
    // Maps each process to those that it waits for, as far as that is known: the other side of its channel, or
    // children.
    const living_set living = living_of(c);
    std::unordered_multimap<const record*, const record*> awaited;
    for (const record* r = c.oldest(); r != nullptr; r = r->younger) {
        const record* other = nullptr;
        if (r->state == wait::input || r->state == wait::extended) other = channel_of(*r).last_writer();
        if (r->state == wait::output) other = channel_of(*r).last_reader();
        if (other != nullptr && living.contains(other)) awaited.emplace(r, other);
        const record* const parent = r->owner->joining ? r->owner->parent : nullptr;
        if (living.contains(parent)) awaited.emplace(parent, r);
    }

    std::unordered_set<const record*> finished;
    for (const auto& [start, unused] : awaited) {
        std::vector<const record*> path;
        // Depth-first search. Most processes have one edge; a parent has one for each child.
        const auto walk = [&](auto&& self, const record* at) -> bool {
            if (const auto seen = std::ranges::find(path, at); seen != path.end()) {
                path.erase(path.begin(), seen);
                return true;
            }
            if (!finished.insert(at).second) return false;
            path.push_back(at);
            const auto [first, last] = awaited.equal_range(at);
            for (auto edge = first; edge != last; ++edge) {
                if (self(self, edge->second)) return true;
            }
            path.pop_back();
            return false;
        };
        if (walk(walk, start)) {
            std::vector<std::uint32_t> numbers;
            numbers.reserve(path.size());
            for (const record* r : path) numbers.push_back(r->number);
            return numbers;
        }
    }
    return {};
}

std::string post_mortem(const core& c)
{
    const std::vector<living_process> all = census(c);
    // Processes with the same text share one row, so a thousand idle workers do not hide the others.
    struct row {
        std::uint32_t number;
        std::string text;
        std::size_t others = 0;
    };
    std::vector<row> rows;
    std::unordered_map<std::string, std::size_t> row_of;
    for (const living_process& p : all) {
        std::string text = fmt::format("{:<24} of {:<6} {:<28} {}", p.name, p.parent ? std::to_string(*p.parent) : "-",
                                       place(p.where), p.waits_for);
        const auto [known, is_new] = row_of.emplace(text, rows.size());
        if (is_new) {
            rows.push_back({p.number, std::move(text)});
        } else {
            ++rows[known->second].others;
        }
    }
    std::string table = fmt::format("core {}: {} living processes\n", c.index(), all.size());
    for (const row& r : rows) {
        table += fmt::format("{:>6}  {}", r.number, r.text);
        table += r.others == 0 ? "\n" : fmt::format(" (and {} more like it)\n", r.others);
    }
    if (const auto ring = cycle_of_waits(c); !ring.empty()) {
        table += "each waits for the next:";
        for (const std::uint32_t number : ring) {
            const auto p = std::ranges::find(all, number, &living_process::number);
            table += fmt::format(" {} {} ->", p->name, p->number);
        }
        const auto first = std::ranges::find(all, ring.front(), &living_process::number);
        table += fmt::format(" {} {}\n", first->name, first->number);
    }
    return table;
}

void print_post_mortem(const core& c) noexcept
{
    try {
        std::fputs(post_mortem(c).c_str(), stderr);
    } catch (const std::exception&) {
        std::fputs("there is not enough memory to print the table of processes\n", stderr);
    }
}

}  // namespace csp
