// SPDX-License-Identifier: MIT
#include "server/cgi_farm/find_program.hpp"

#include <string_view>
#include <sys/stat.h>
#include <utility>

#include <fmt/core.h>

#include "http/target.hpp"
#include "io/file.hpp"
#include "server/configuration/sites.hpp"
#include "server/respond/refusal.hpp"

namespace server {
namespace {

using http::status;
using found = std::expected<found_program, http::error>;

constexpr http::error no_program{status::not_found, "There is no such program."};
constexpr http::error is_hidden{status::forbidden, "Names that begin with a dot are not served."};
constexpr http::error is_directory{status::forbidden, "This is a directory of programs, which is not listed."};
constexpr http::error not_executable{status::forbidden, "This file is not executable."};
constexpr mode_t by_anybody = S_IXUSR | S_IXGRP | S_IXOTH;

/// The rest of the path after its first `bytes`. A NUL stands for an encoded slash there, but such a path names no
/// file.
found_program split_at(const http::canonical_path& path, std::size_t bytes)
{
    const std::string_view text = path.view();
    found_program f;
    f.script_name = text.substr(0, bytes);
    f.path_info = text.substr(bytes);
    return f;
}

bool writes_whole_response(std::string_view script) { return script.substr(script.rfind('/') + 1).starts_with("nph-"); }

/// Looks at longer and longer beginnings of the path until one is not a directory. No longer one can be a file.
csp::step<found> find_in_directory(const exchange_record& x, const cgi_rules& rules)
{
    const http::canonical_path& path = x.asked.path;
    const std::string_view rest = rest_of(x.acting_route(), path.view());
    const std::size_t before = path.view().size() - rest.size();
    const io::directory& directory = x.by->roots[*x.of_site().programs.at(*x.asked.acting).programs];
    for (std::size_t end = 0; end < rest.size();) {
        end = std::min(rest.find('/', end + (end > 0 ? 1 : 0)), rest.size());
        std::string name(rest.substr(0, end));
        if (name.ends_with('/') || name.empty()) break;
        if (name.starts_with('.') || name.contains("/.")) co_return std::unexpected(is_hidden);
        const auto here = co_await io::look_beneath(directory, name);
        if (!here) co_return std::unexpected(refusal(here.error()));
        if (here->status().is_directory()) continue;
        if (!here->status().is_regular()) co_return std::unexpected(not_a_page);
        if ((here->status().mode & by_anybody) == 0) co_return std::unexpected(not_executable);
        found_program f = split_at(path, before + end);
        f.file = fmt::format("{}/{}", rules.path, name);
        f.writes_whole_response = writes_whole_response(name);
        f.asked_for = std::move(name);
        co_return f;
    }
    co_return std::unexpected(is_directory);
}

/// The path of the route itself is the name of the program, and everything beneath it is PATH_INFO.
found the_program(const exchange_record& x, const cgi_rules& rules)
{
    const http::canonical_path& path = x.asked.path;
    const std::string_view rest = rest_of(x.acting_route(), path.view());
    std::size_t name = path.view().size() - rest.size();
    if (name > 0 && path.view()[name - 1] == '/' && kind_of(x.acting_route().path) == path_kind::beneath) --name;
    found_program f = split_at(path, name);
    f.file = rules.path;
    f.writes_whole_response = writes_whole_response(rules.path);
    return f;
}

/// The requested file of the site, for an interpreter. It may be a directory of that name, which is not interpreted.
csp::step<found> find_interpreted(const exchange_record& x)
{
    const http::canonical_path& path = x.asked.path;
    if (path.ends_with_slash()) co_return std::unexpected(no_program);
    if (http::is_hidden(path)) co_return std::unexpected(is_hidden);
    const auto here = co_await io::look_beneath(x.root(), std::string(path.relative()));
    if (!here) co_return std::unexpected(refusal(here.error()));
    if (!here->status().is_regular()) co_return std::unexpected(not_a_page);
    auto file = io::real_path(*here);
    if (!file) co_return std::unexpected(refusal(file.error()));
    found_program f = split_at(path, path.view().size());
    f.asked_for = *file;
    f.file = std::move(*file);
    co_return f;
}

}  // namespace

csp::step<found> find_program(const exchange_record& x, const cgi_rules& rules)
{
    if (!x.asked.path.names_file()) co_return std::unexpected(no_program);
    switch (rules.what) {
        case cgi_rules::kind::directory:
            co_return co_await find_in_directory(x, rules);
        case cgi_rules::kind::program:
            co_return the_program(x, rules);
        case cgi_rules::kind::interpreter:
            co_return co_await find_interpreted(x);
    }
    std::unreachable();
}

}  // namespace server
