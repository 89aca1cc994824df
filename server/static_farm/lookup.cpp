// SPDX-License-Identifier: MIT
#include "server/static_farm/lookup.hpp"

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "server/respond/refusal.hpp"

namespace server {

using http::status;

namespace {

using found = std::expected<found_file, http::error>;

constexpr std::string_view placeholder = "{path}";

/// The `try` of the route that applies, or that of the site.
const std::vector<std::string>& tries_of(const static_rules& rules, const request& asked)
{
    const auto* const own = asked.acting ? std::get_if<look_for>(&rules.routes[*asked.acting].then) : nullptr;
    return own != nullptr ? own->tries : rules.tries;
}

/// The result of one entry of `try`.
struct attempt {
    found what;
    bool is_final = true;  // false: the result counts only if all further entries fail too
};

attempt failed(const http::error& why)
{
    return {.what = std::unexpected(why), .is_final = why.code != status::not_found};
}

csp::step<attempt> in_directory(const io::directory& root, const static_rules& rules, std::string directory)
{
    for (const std::string& index : rules.index) {
        auto f = co_await look_at(root, directory.empty() ? index : fmt::format("{}/{}", directory, index));
        if (f && f->what().is_regular()) co_return attempt{std::move(*f)};
        if (!f && refusal(f.error()).code != status::not_found) co_return failed(refusal(f.error()));
    }
    if (rules.directories == listing::on) co_return attempt{may_be_listed{std::move(directory)}};
    constexpr http::error nothing_to_show{status::forbidden, "This directory has no index page, and is not listed."};
    co_return attempt{.what = std::unexpected(nothing_to_show), .is_final = false};
}

/// The name, relative to the root, for an entry of `try`, which may begin with "{path}". Nullopt if the path cannot
/// name a file, or if a directory was requested but the name is a file's: if about.html were sent for /about/, its
/// relative links would not work.
std::optional<std::string> name_of_try(std::string_view pattern, const http::canonical_path& path)
{
    if (!pattern.starts_with(placeholder)) return std::string(pattern.substr(pattern.starts_with('/') ? 1 : 0));
    if (!path.names_file()) return std::nullopt;
    const std::string_view ending = pattern.substr(placeholder.size());
    if (path.ends_with_slash() && !ending.empty() && !ending.starts_with('/')) return std::nullopt;
    const std::string_view asked = path.relative();
    return fmt::format("{}{}", asked, ending.substr(asked.empty() && ending.starts_with('/') ? 1 : 0));
}

csp::step<attempt> try_one(const io::directory& root, const static_rules& rules, const request& asked, std::string name)
{
    const bool is_what_was_asked = name == asked.path.relative();
    auto seen = co_await look_at(root, std::move(name));
    if (!seen) co_return failed(refusal(seen.error()));
    if (seen->what().is_directory()) {
        if (!is_what_was_asked) co_return failed(not_there);
        attempt inside = co_await in_directory(root, rules, std::move(seen->name));
        if (!asked.path.ends_with_slash()) inside.what = needs_slash();
        co_return inside;
    }
    if (is_what_was_asked && asked.path.ends_with_slash()) {
        co_return failed({status::not_found, "There is no such directory."});
    }
    // Devices, sockets and pipes are not served: reading some of them would never end.
    if (!seen->what().is_regular()) co_return failed(not_a_page);
    co_return attempt{std::move(*seen)};
}

}  // namespace

bool has_content_of(const found_entry& sidecar, const found_entry& plain)
{
    // An older precompressed file is ignored: otherwise an edit of the original alone would have no visible effect.
    // Times are compared in seconds, because some compressors copy the original's time without the fraction.
    return sidecar.what().is_regular() && sidecar.what().size > 0 &&
           sidecar.what().modified >= std::chrono::floor<std::chrono::seconds>(plain.what().modified);
}

csp::step<io::result<found_entry>> look_at(const io::directory& root, std::string name)
{
    auto e = co_await io::look_beneath(root, name.empty() ? "." : name);
    if (!e) co_return std::unexpected(e.error());
    co_return found_entry{.entry = std::move(*e), .name = std::move(name)};
}

csp::step<found> find_file(const io::directory& root, const static_rules& rules, const request& asked)
{
    // If no entry succeeds, the client is told the error of the first one; the others are fallbacks.
    std::optional<found> otherwise;
    for (const std::string& pattern : tries_of(rules, asked)) {
        auto name = name_of_try(pattern, asked.path);
        if (!name) continue;
        attempt a = co_await try_one(root, rules, asked, std::move(*name));
        if (auto* const file = a.what ? std::get_if<found_entry>(&*a.what) : nullptr) {
            file->is_fallback = !pattern.starts_with(placeholder);
        }
        if (a.is_final) co_return std::move(a.what);
        if (!otherwise) otherwise = std::move(a.what);
    }
    co_return otherwise ? std::move(*otherwise) : std::unexpected(not_there);
}

}  // namespace server
