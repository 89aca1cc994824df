// SPDX-License-Identifier: MIT
#include "server/static_farm/lookup.hpp"

#include <optional>
#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace server {
namespace {

using http::status;

constexpr http::error not_a_page{status::forbidden, "This is not a file that can be served."};
constexpr http::error not_there{status::not_found, "There is no such page."};

http::error refusal(const io::error& e)
{
    switch (e.number) {
        case ENOENT:
        case ENOTDIR:
        case ENAMETOOLONG:
        case ELOOP:
            return not_there;
        case EACCES:
        case EPERM:
            return {status::forbidden, "The server may not read this file."};
        case ENXIO:  // a socket or a device without a driver
        case ENODEV:
            return not_a_page;
        case EXDEV:
            return {status::forbidden, "This name leads out of what is served."};
        case EMFILE:
        case ENFILE:
            return {status::service_unavailable, "The server has too many files open just now."};
        default:
            return {status::internal_server_error, "The file could not be read."};
    }
}

using found = std::expected<found_file, http::error>;

csp::step<found> in_directory(const io::directory& root, const static_rules& rules, std::string directory)
{
    for (const std::string& index : rules.index) {
        auto f = co_await open_by_name(root, directory.empty() ? index : fmt::format("{}/{}", directory, index));
        if (f && f->what.is_regular()) co_return std::move(*f);
        if (!f && f.error().number != ENOENT) co_return std::unexpected(refusal(f.error()));
    }
    if (rules.directories == listing::on) co_return may_be_listed{std::move(directory)};
    co_return std::unexpected(http::error{status::forbidden, "This directory has no index page, and is not listed."});
}

/// The name beneath the root that a try stands for; "{path}" may begin it.
std::string name_of_try(std::string_view pattern, std::string_view path)
{
    constexpr std::string_view placeholder = "{path}";
    if (pattern.starts_with(placeholder)) return fmt::format("{}{}", path, pattern.substr(placeholder.size()));
    return std::string(pattern.substr(pattern.starts_with('/') ? 1 : 0));
}

csp::step<found> try_one(const io::directory& root, const static_rules& rules, const request& asked, std::string name)
{
    const bool is_what_was_asked = name == asked.path.relative();
    auto opened = co_await open_by_name(root, std::move(name));
    if (!opened) co_return std::unexpected(refusal(opened.error()));
    if (opened->what.is_directory()) {
        if (!is_what_was_asked) co_return std::unexpected(not_there);
        if (!asked.path.ends_with_slash()) co_return needs_slash();
        co_return co_await in_directory(root, rules, std::move(opened->name));
    }
    if (is_what_was_asked && asked.path.ends_with_slash()) {
        co_return std::unexpected(http::error{status::not_found, "There is no such directory."});
    }
    // Devices, sockets and pipes are no pages, and reading some of them would never end.
    if (!opened->what.is_regular()) co_return std::unexpected(not_a_page);
    co_return std::move(*opened);
}

}  // namespace

file_identity identity_of(const io::file_status& what)
{
    return {.device = what.device,
            .inode = what.inode,
            .size = what.size,
            .modified = what.modified,
            .changed = what.changed};
}

csp::step<io::result<open_file>> open_by_name(const io::directory& root, std::string name)
{
    auto f = co_await io::open_beneath(root, name.empty() ? "." : name);
    if (!f) co_return std::unexpected(f.error());
    const auto what = io::status(*f);
    if (!what) co_return std::unexpected(what.error());
    co_return open_file{.file = std::move(*f), .what = *what, .name = std::move(name)};
}

csp::step<found> find_file(const io::directory& root, const static_rules& rules, const request& asked)
{
    // What was wrong with the first is what the client is told; the others are guesses of ours.
    std::optional<http::error> why;
    for (const std::string& pattern : rules.tries) {
        auto f = co_await try_one(root, rules, asked, name_of_try(pattern, asked.path.relative()));
        if (f) co_return f;
        if (f.error().code != status::not_found) co_return f;
        if (!why) why = f.error();
    }
    co_return std::unexpected(why.value_or(not_there));
}

}  // namespace server
