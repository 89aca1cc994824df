// SPDX-License-Identifier: MIT
#include "server/configuration/written_cgi.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "http/characters.hpp"
#include "server/configuration/sites.hpp"

namespace server {
namespace {

using key = toml_reader::key;
using keys = std::vector<key>;
using value_reader = toml_reader::value_reader;

constexpr std::uint64_t most_bytes = 1024ULL * 1024 * 1024 * 1024;
constexpr std::uint64_t a_day = 86'400;  // seconds

/// A path that is not empty.
value_reader path(toml_reader& r, std::string& into)
{
    return [&](const toml::node& node) {
        r.string(into)(node);
        if (!node.is_string()) return;
        if (into.empty()) r.complain(node.source(), "expected a path, not an empty text");
        if (into.contains('\0')) r.complain(node.source(), "a path must not contain a NUL");
    };
}

value_reader program(toml_reader& r, cgi_rules& into, cgi_rules::kind what)
{
    return [&, what](const toml::node& node) {
        into.what = what;
        path(r, into.path)(node);
    };
}

value_reader whole_seconds(toml_reader& r, std::chrono::seconds& into, std::uint64_t least, std::uint64_t most)
{
    return [&, least, most](const toml::node& node) {
        auto count = static_cast<std::uint64_t>(into.count());
        r.integer(count, least, most)(node);
        into = std::chrono::seconds(count);
    };
}

/// 0 for no limit, or a number with which a program can start at all.
template <class Number>
value_reader limit(toml_reader& r, Number& into, Number least, std::uint64_t most)
{
    return [&, least, most](const toml::node& node) {
        r.integer(into, 0, most)(node);
        if (into != 0 && into < least)
            r.complain(node.source(), fmt::format("expected 0 for no limit, or at least {}", least));
    };
}

value_reader niceness(toml_reader& r, int& into)
{
    return [&](const toml::node& node) {
        auto number = static_cast<unsigned>(into);
        r.integer(number, 0, 19)(node);
        into = static_cast<int>(number);
    };
}

// ---- the environment

bool is_variable_name(std::string_view name)
{
    const auto is_plain = [](char c) { return http::is_alpha(c) || http::is_digit(c) || c == '_'; };
    return !name.empty() && !http::is_digit(name.front()) && std::ranges::all_of(name, is_plain);
}

/// Variables that say how the request is to be read. A fixed value would be wrong for every other request.
bool is_of_request(std::string_view name)
{
    constexpr std::array<std::string_view, 4> all{"CONTENT_LENGTH", "CONTENT_TYPE", "QUERY_STRING", "REQUEST_METHOD"};
    return std::ranges::find(all, name) != all.end();
}

std::size_t bytes_of(const std::vector<cgi_rules::variable>& all)
{
    std::size_t bytes = 0;
    for (const cgi_rules::variable& v : all) bytes += v.name.size() + v.value.size();
    return bytes;
}

constexpr std::size_t most_for_variables = 64 * 1024;  // bytes; this leaves room for those of the request

value_reader environment(toml_reader& r, std::vector<cgi_rules::variable>& into)
{
    const auto one = [&](const toml::key& written, const std::string& value, const toml::node& node) {
        const std::string_view name = written.str();
        if (!is_variable_name(name)) {
            r.complain(written.source(), fmt::format("`{}` is not the name of an environment variable: expected "
                                                     "letters, digits and `_`",
                                                     name));
        } else if (is_of_request(name)) {
            r.complain(written.source(), fmt::format("the server sets `{}` for each request: remove this line", name));
        } else if (value.contains('\0')) {
            r.complain(node.source(), "the value of a variable must not contain a NUL");
        } else if (bytes_of(into) + name.size() + value.size() > most_for_variables) {
            r.complain(node.source(),
                       fmt::format("the variables together must not exceed {} bytes", most_for_variables));
        } else {
            into.push_back({.name = std::string(name), .value = value});
        }
    };
    return r.pairs("site.route.cgi.environment", one);
}

// ---- the table

keys keys_of(toml_reader& r, cgi_rules& into)
{
    return {{"directory", program(r, into, cgi_rules::kind::directory)},
            {"program", program(r, into, cgi_rules::kind::program)},
            {"interpreter", program(r, into, cgi_rules::kind::interpreter)},
            {"environment", environment(r, into.environment)},
            {"working_directory", path(r, into.working_directory)},
            {"body", r.choice(into.unknown_length,
                              {{"collect", cgi_rules::body::collected}, {"stream", cgi_rules::body::streamed}})},
            {"authorization", r.boolean(into.passes_authorization)},
            {"sendfile_root", path(r, into.sendfile_root)},
            {"user", r.string(into.user)},
            {"group", r.string(into.group)},
            {"idle_seconds", whole_seconds(r, into.of_each.idle, 0, a_day)},
            {"total_seconds", whole_seconds(r, into.of_each.total, 0, 7 * a_day)},
            {"cpu_seconds", whole_seconds(r, into.of_each.cpu, 0, a_day)},
            {"memory_bytes", limit<std::uint64_t>(r, into.of_each.memory, 1024 * 1024, most_bytes)},
            {"open_files", limit<std::uint32_t>(r, into.of_each.open_files, 16, 1024 * 1024)},
            {"output_bytes", r.integer(into.of_each.output, 0, most_bytes)},
            {"niceness", niceness(r, into.niceness)},
            {"running", r.integer(into.running, 1, 65'536)},
            {"waiting", r.integer(into.waiting, 0, 1'000'000)},
            {"wait_seconds", whole_seconds(r, into.wait, 1, a_day)}};
}

/// Checks which keys are set together.
void check_table(toml_reader& r, const toml::table& table)
{
    const auto has = [&](std::string_view name) { return table.contains(name) ? 1 : 0; };
    if (has("directory") + has("program") + has("interpreter") > 1) {
        r.complain(table.source(), "`cgi` can have only one of `directory`, `program` and `interpreter`");
    }
    if (has("group") > has("user")) r.complain(table.source(), "`group` has no meaning without `user`");
}

/// What is wrong with the path of the route; empty if nothing is.
std::string_view wrong_path(const cgi_rules& rules, path_kind path)
{
    switch (rules.what) {
        case cgi_rules::kind::directory:
            if (path == path_kind::beneath) return {};
            return rules.path.empty() ? "`cgi` needs `directory`, `program` or `interpreter`"
                                      : "a `directory` of programs needs a path such as \"/cgi-bin/*\"";
        case cgi_rules::kind::program:
            if (path != path_kind::ending) return {};
            return "a `program` needs a path such as \"/git\" or \"/git/*\"; for an ending, set `interpreter`";
        case cgi_rules::kind::interpreter:
            if (path == path_kind::ending) return {};
            return "an `interpreter` needs an ending as path, such as \"*.php\"";
    }
    std::unreachable();
}

}  // namespace

toml_reader::value_reader read_cgi(toml_reader& r, std::optional<cgi_rules>& into)
{
    return [&](const toml::node& node) {
        cgi_rules& rules = into.emplace();
        r.table("site.route.cgi", keys_of(r, rules))(node);
        if (const auto* const table = node.as_table()) check_table(r, *table);
    };
}

void check_cgi_path(toml_reader& r, const cgi_rules& rules, std::string_view route_path, const toml::node& at)
{
    const auto kind = kind_of(route_path);
    if (!kind || !at.is_table()) return;  // other functions report these mistakes
    if (const std::string_view wrong = wrong_path(rules, *kind); !wrong.empty()) {
        r.complain(at.source(), wrong);
    } else if (rules.what == cgi_rules::kind::directory && rules.path.empty() && route_path.contains('\0')) {
        r.complain(at.source(), "no directory has the name of this path: set `directory`");
    }
}

}  // namespace server
