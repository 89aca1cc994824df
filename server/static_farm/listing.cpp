// SPDX-License-Identifier: MIT
#include "server/static_farm/listing.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "csp/check.hpp"
#include "http/characters.hpp"
#include "server/respond/escape.hpp"
#include "server/static_farm/built_in_style.hpp"

namespace server {
namespace {

using entries_shown = std::vector<io::directory_entry>;

// ---- what is shown

bool has_public_name(const io::directory_entry& e)
{
    if (e.name.starts_with('.')) return false;
    const auto path = http::canonicalize(http::encode_path("/" + e.name));
    return path && path->names_file();
}

entries_shown shown(entries_shown entries)
{
    std::erase_if(entries, [](const io::directory_entry& e) { return !has_public_name(e); });
    std::ranges::sort(entries, io::comes_before);
    return entries;
}

// ---- figures

std::chrono::sys_seconds modification_time(const io::directory_entry& e)
{
    using std::chrono::nanoseconds, std::chrono::seconds, std::chrono::sys_seconds;
    // The formatter converts to nanoseconds, which cannot represent the earliest second.
    return sys_seconds(std::chrono::floor<seconds>(std::max(e.modified, nanoseconds::min() + seconds(1))));
}

/// "812 B", "1.4 KiB", "23 MiB".
std::string human_readable(std::uint64_t bytes)
{
    constexpr std::array<std::string_view, 6> units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) return fmt::format("{} B", bytes);
    double size = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; size >= 1023.5 && unit + 1 < units.size(); ++unit) size /= 1024;
    return size < 9.95 ? fmt::format("{:.1f} {}", size, units[unit]) : fmt::format("{:.0f} {}", size, units[unit]);
}

std::string counted(std::size_t n, std::string_view one, std::string_view many)
{
    return fmt::format("{} {}", n, n == 1 ? one : many);
}

// ---- the page

/// The directories of the path, with the root as a slash. All but the last are links.
std::string breadcrumbs(std::string_view path)
{
    std::vector<std::string_view> names;
    for (std::size_t at = 1; at < path.size();) {
        const std::size_t end = path.find('/', at);
        names.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    const auto link_up = [&](std::size_t how_far, std::string_view name) {
        std::string up;
        for (std::size_t i = 0; i < how_far; ++i) up += "../";
        return fmt::format("<a href=\"{}\"><bdi>{}</bdi></a>", up, html_escaped(name));
    };
    if (names.empty()) return "/";
    std::string html = link_up(names.size(), "/");
    for (std::size_t i = 0; i + 1 < names.size(); ++i) html += link_up(names.size() - 1 - i, names[i]) + "<i>/</i>";
    html += fmt::format("<span aria-current=\"page\"><bdi>{}</bdi></span><i>/</i>", html_escaped(names.back()));
    return html;
}

void append_row(std::string& to, const io::directory_entry& e)
{
    // Without "./" a name with a colon would be read as a URL with a scheme.
    const std::string_view slash = e.is_directory ? "/" : "";
    const auto when = modification_time(e);
    fmt::format_to(std::back_inserter(to),
                   "<tr{}><th scope=\"row\"><a href=\"./{}{}\"><bdi>{}{}</bdi></a></th><td>{}</td>"
                   "<td><time datetime=\"{:%FT%TZ}\">{:%F %H:%M}</time></td></tr>\n",
                   e.is_directory ? " class=\"d\"" : "", http::encode_path(e.name), slash, html_escaped(e.name), slash,
                   e.is_directory ? "" : human_readable(e.size), when, when);
}

std::string summary(const entries_shown& entries, const listing_links& rest)
{
    const auto directories =
        static_cast<std::size_t>(std::ranges::count(entries, true, &io::directory_entry::is_directory));
    const std::size_t files = entries.size() - directories;
    std::uint64_t bytes = 0;
    for (const io::directory_entry& e : entries) bytes += e.is_directory ? 0 : e.size;
    std::string text =
        fmt::format("{}, {}", counted(directories, "directory", "directories"), counted(files, "file", "files"));
    if (files > 0) text += fmt::format(", {} in total", human_readable(bytes));
    if (!rest.first.empty() || !rest.next.empty()) text += ", on this page";
    if (!rest.first.empty()) text += fmt::format(R"(; <a href="{}">first page</a>)", rest.first);
    if (!rest.next.empty()) text += fmt::format(R"(; <a rel="next" href="{}">next page</a>)", rest.next);
    return text;
}

// ---- paging

constexpr std::string_view after = "after=";

int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Decodes form encoding, in which a plus is a space. Invalid escapes are kept as they are.
std::string decoded(std::string_view value)
{
    std::string text;
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] == '%' && i + 2 < value.size() && digit(value[i + 1]) >= 0 && digit(value[i + 2]) >= 0) {
            text += static_cast<char>(digit(value[i + 1]) * 16 + digit(value[i + 2]));
            i += 2;
        } else {
            text += value[i] == '+' ? ' ' : value[i];
        }
    }
    return text;
}

}  // namespace

std::optional<io::directory_entry> listing_start(std::string_view query)
{
    while (!query.empty()) {
        const std::string_view one = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(one.size() + 1, query.size()));
        if (!one.starts_with(after)) continue;
        io::directory_entry e{.name = decoded(one.substr(after.size()))};
        e.is_directory = e.name.ends_with('/');
        if (e.is_directory) e.name.pop_back();
        return e;
    }
    return std::nullopt;
}

std::string listing_after(const io::directory_entry& last)
{
    constexpr http::char_set unreserved("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");
    return fmt::format("?{}{}{}", after, http::percent_encode(last.name, unreserved), last.is_directory ? "/" : "");
}

std::string listing_html(const http::canonical_path& path, std::vector<io::directory_entry> entries,
                         const listing_links& rest)
{
    CSP_CHECK(path.ends_with_slash(), "the links of a listing are relative to its directory");
    const entries_shown all = shown(std::move(entries));
    constexpr std::size_t page_bytes = 6000;
    constexpr std::size_t row_bytes = 200;
    std::string page;
    page.reserve(page_bytes + all.size() * row_bytes);
    page += fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Index of "
        "{}</title>\n{}<style>",
        html_escaped(path.view()), built_in_icon);
    page.append(style_of_listings.sheet);
    page +=
        fmt::format("</style>\n</head>\n<body>\n<header>\n<p>Index of</p>\n<h1>{}</h1>\n</header>\n<main>\n<table>\n",
                    breadcrumbs(path.view()));
    page +=
        "<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Size</th><th scope=\"col\">Modified, UTC</th></tr>"
        "</thead>\n<tbody>\n";
    if (path.view() != "/") {
        page +=
            "<tr class=\"u\"><th scope=\"row\"><a href=\"../\"><bdi>Parent directory</bdi></a></th><td></td><td></td>"
            "</tr>\n";
    }
    for (const io::directory_entry& e : all) append_row(page, e);
    page += "</tbody>\n</table>\n";
    if (all.empty()) page += "<p class=\"empty\">This directory has no entries to show.</p>\n";
    page += fmt::format("</main>\n<footer><p>{}</p><p>occwserv</p></footer>\n</body>\n</html>\n", summary(all, rest));
    return page;
}

std::string listing_json(std::vector<io::directory_entry> entries)
{
    std::string json = "[";
    for (const io::directory_entry& e : shown(std::move(entries))) {
        fmt::format_to(std::back_inserter(json),
                       "{}\n{{\"name\":{},\"type\":\"{}\",\"size\":{},\"modified\":\"{:%FT%TZ}\"}}",
                       json.size() > 1 ? "," : "", json_quoted(e.name), e.is_directory ? "directory" : "file",
                       e.is_directory ? "null" : fmt::to_string(e.size), modification_time(e));
    }
    json += json.size() > 1 ? "\n]\n" : "]\n";
    return json;
}

}  // namespace server
