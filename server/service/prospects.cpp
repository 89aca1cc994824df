// SPDX-License-Identifier: MIT
#include "server/service/prospects.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <variant>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "http/target.hpp"
#include "io/address.hpp"
#include "io/socket.hpp"
#include "server/service/listeners.hpp"
#include "server/service/privileges.hpp"
#include "server/service/prospects_of_programs.hpp"
#include "server/service/who_listens.hpp"

namespace server {
namespace {

namespace fs = std::filesystem;

using messages = std::vector<std::string>;

/// The directory of `file`, if it does not exist. Empty if it exists, or if this user may not find out.
std::optional<std::string> missing_directory_of(const std::string& file)
{
    const auto directory = std::filesystem::path(file).parent_path();
    struct stat there{};
    if (directory.empty() || ::stat(directory.c_str(), &there) == 0) return std::nullopt;
    if (errno != ENOENT && errno != ENOTDIR) return std::nullopt;
    return directory.string();
}

/// systemd may create directories there when it starts the service (RuntimeDirectory=).
bool is_created_by_systemd(std::string_view directory)
{
    return directory.starts_with("/run/") || directory.starts_with("/var/run/");
}

std::string no_directory(std::string_view key, const std::string& file, const std::string& directory)
{
    return fmt::format("`{}` is {}, but the directory {} does not exist: create it, or choose another path", key, file,
                       directory);
}

bool is_there(const io::directory& root, std::string_view name)
{
    return ::faccessat(root.number(), name.empty() ? "." : std::string(name).c_str(), F_OK, 0) == 0;
}

/// The rules and the root of one site.
struct site_files {
    const static_rules& rules;
    const io::directory& root;

    [[nodiscard]] bool has(std::string_view path) const
    {
        return is_there(root, path.substr(path.starts_with('/') ? 1 : 0));
    }
};

void check_tries(const site_files& at, const std::vector<std::string>& tries, std::string_view key, messages& warnings)
{
    for (const std::string& name : tries) {
        if (name.starts_with("{path}") || at.has(name)) continue;
        warnings.push_back(
            fmt::format("{}`try` names `{}`, which is not in {}", at.rules.places(key), name, at.rules.root));
    }
}

/// Whether `/` is answered with a file, a listing or the action of a route.
bool has_start_page(const site_files& at, const route_table& routes)
{
    const auto in_root = [&](const std::string& name) { return at.has(name); };
    const auto is_fixed = [](const std::string& name) { return !name.starts_with("{path}"); };
    return at.rules.directories == listing::on || std::ranges::any_of(at.rules.index, in_root) ||
           std::ranges::any_of(at.rules.tries, is_fixed) || routes.match("/").acting;
}

/// Only if `index` is configured: a site of files alone needs no start page.
void check_index(const site_files& at, const route_table& routes, messages& warnings)
{
    const std::string place = at.rules.places("index");
    if (place.empty() || has_start_page(at, routes)) return;
    warnings.push_back(fmt::format("{}there is no {} in {}, and `listing` is off: `/` is answered with 403", place,
                                   fmt::join(at.rules.index, " or "), at.rules.root));
}

void check_error_pages(const site_files& at, messages& warnings)
{
    for (const auto& [code, name] : at.rules.error_pages) {
        if (at.has(name)) continue;
        warnings.push_back(fmt::format("{}the error page `/{}` for {} is not in {}: the server sends its built-in page",
                                       at.rules.places(fmt::format("error_pages.{}", code)), name, code,
                                       at.rules.root));
    }
}

/// Checks a rewrite to a fixed page, unless `try` is set: then the file that answers may have another name.
void check_rewrite(const site_files& at, std::size_t number, messages& warnings)
{
    const route& r = at.rules.routes[number];
    const auto* const to = std::get_if<rewrite>(&r.then);
    if (to == nullptr || to->to.contains('{') || at.rules.tries != static_rules().tries) return;
    const auto path = http::canonicalize(to->to);
    if (!path || at.has(path->view())) return;
    warnings.push_back(fmt::format("{}the route `{}` rewrites to `{}`, which is not in {}",
                                   at.rules.places(fmt::format("route.{}", number)), r.path, to->to, at.rules.root));
}

void check_account(const settings& s, messages& wrong)
{
    const auto who = find_account(s.user, s.group);
    if (who) return;
    const std::string place = s.places(who.error().is_group ? "group" : "user");
    wrong.push_back(fmt::format("{}{}", place, who.error().text));
}

/// The path without links; empty if nothing is there.
std::string real_path(const std::string& path)
{
    std::error_code absent;
    return fs::canonical(path, absent).string();
}

bool is_beneath(std::string_view directory, std::string_view path)
{
    if (directory.ends_with('/')) directory.remove_suffix(1);
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

bool is_readable(const std::vector<std::string>& allowed, const std::string& path)
{
    return std::ranges::any_of(allowed, [&](const std::string& one) { return is_beneath(one, path); });
}

void append(messages& to, messages more) { std::ranges::move(more, std::back_inserter(to)); }

/// Reports a directory that may not be read. One that does not exist is reported elsewhere.
void check_reading(const std::vector<std::string>& allowed, const std::string& directory, std::string_view key,
                   const std::string& place, std::vector<std::string>& wrong)
{
    const std::string path = real_path(directory);
    if (path.empty() || is_readable(allowed, path)) return;
    wrong.push_back(fmt::format("{}`{}` names {}, which is outside the directories that [sandbox] `read` permits: {}",
                                place, key, directory, fmt::join(allowed, ", ")));
}

/// The directories in which the server itself looks for what a program, or its answer, names.
void check_reading_for_programs(const std::vector<std::string>& allowed, const static_rules& files, messages& wrong)
{
    for (std::size_t i = 0; i < files.routes.size(); ++i) {
        const auto* const rules = std::get_if<cgi_rules>(&files.routes[i].then);
        if (rules == nullptr) continue;
        const std::string place = files.places(fmt::format("route.{}.cgi", i));
        if (rules->what == cgi_rules::kind::directory) check_reading(allowed, rules->path, "cgi", place, wrong);
        if (!rules->sendfile_root.empty()) check_reading(allowed, rules->sendfile_root, "sendfile_root", place, wrong);
    }
}

}  // namespace

std::vector<std::string> missing_on_this_machine(const settings& s, user_is user)
{
    messages wrong;
    if (user == user_is::to_be_found) {
        check_account(s, wrong);
        append(wrong, missing_accounts_of_programs(s));
    }
    append(wrong, missing_for_programs(s));
    if (const auto directory = missing_directory_of(s.control); directory && !is_created_by_systemd(*directory)) {
        wrong.push_back(fmt::format("{}{}", s.places("control"), no_directory("control", s.control, *directory)));
    }
    return wrong;
}

std::vector<std::string> missing_rights(const settings& s)
{
    messages warnings;
    if (const auto who = find_account(s.user, s.group);
        who && *who && ::geteuid() != 0 && ::geteuid() != (*who)->user) {
        warnings.push_back(
            fmt::format("{}only root can switch to the user `{}`, and you are not root", s.places("user"), s.user));
    }
    if (const auto directory = missing_directory_of(s.control); directory && is_created_by_systemd(*directory)) {
        warnings.push_back(fmt::format("{}{} (in a systemd unit, RuntimeDirectory= creates it)", s.places("control"),
                                       no_directory("control", s.control, *directory)));
    }
    append(warnings, missing_rights_for_programs(s));
    return warnings;
}

findings check_addresses(const settings& s)
{
    std::vector<std::string> listen = s.listen;
    findings all{.mistakes = {}, .warnings = settle_addresses(listen, {})};
    for (std::size_t i = 0; i < listen.size(); ++i) {
        const std::string& where = listen[i];
        const std::string place = s.places(fmt::format("listen.{}", s.listen[i]));
        const auto address = io::address::parse(where);
        if (!address || address->family() == AF_UNIX) continue;
        const auto may = io::may_listen(*address);
        if (may) continue;
        switch (may.error().number) {
            case EADDRNOTAVAIL:
                all.mistakes.push_back(
                    fmt::format("{}cannot listen on `{}`: this machine has no such address", place, where));
                break;
            case EACCES:
                all.warnings.push_back(fmt::format(
                    "{}you cannot listen on `{}`: ports below 1024 need root or CAP_NET_BIND_SERVICE", place, where));
                break;
            case EADDRINUSE: {
                const auto who = who_listens(address->port());
                if (who && who->starts_with("occwserv ")) break;
                all.warnings.push_back(
                    fmt::format("{}`{}` is in use by {}", place, where,
                                who ? *who : "a program of another user (ignore this if it is this server)"));
                break;
            }
            default:
                all.warnings.push_back(fmt::format("{}cannot listen on `{}`: {}", place, where, may.error().text));
        }
    }
    return all;
}

std::vector<std::string> missing_pages(const policy& p)
{
    messages warnings;
    for (const served_site& each : p.sites) {
        const io::directory& root = p.roots[each.root];
        if (!root) continue;
        const site_files at{.rules = each.pages.files, .root = root};
        check_index(at, each.pages.routes, warnings);
        check_tries(at, at.rules.tries, "try", warnings);
        check_error_pages(at, warnings);
        for (std::size_t i = 0; i < at.rules.routes.size(); ++i) {
            check_rewrite(at, i, warnings);
            if (const auto* const own = std::get_if<look_for>(&at.rules.routes[i].then)) {
                check_tries(at, own->tries, fmt::format("route.{}.try", i), warnings);
            }
        }
    }
    return warnings;
}

std::vector<std::string> closed_to_reading(const settings& s)
{
    std::vector<std::string> wrong;
    std::vector<std::string> allowed;
    if (!s.sandbox.files || s.sandbox.read.empty()) return wrong;
    const std::string place = s.places("sandbox.read");
    for (const std::string& name : s.sandbox.read) {
        allowed.push_back(real_path(name));
        if (allowed.back().empty()) {
            wrong.push_back(fmt::format("{}[sandbox] `read` names {}, which does not exist", place, name));
        }
    }
    if (!wrong.empty()) return wrong;
    for (const site& each : all_sites(s)) {
        check_reading(allowed, each.files.root, "root", each.files.places("root"), wrong);
        for (const std::string& target : each.files.links_into) {
            check_reading(allowed, target, "links_into", each.files.places("links_into"), wrong);
        }
        check_reading_for_programs(allowed, each.files, wrong);
    }
    return wrong;
}

}  // namespace server
