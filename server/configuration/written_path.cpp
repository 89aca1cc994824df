// SPDX-License-Identifier: MIT
//
// How it works. The front end compares paths of the configuration with the path of a request byte by byte, after
// http::canonicalize() has decoded the latter and removed its empty and dot segments. So each path here goes through
// the same function. A path that loses segments in it, such as "//x" or "/a/../b", could never match, and is refused
// with the spelling that would.
//
// Parts that are not text of a path are replaced before that, and put back afterwards: the star of a route is cut off,
// or
// "/x" stands for it, and for "{path}" at the beginning of an entry of `try`. Rewrites and redirects are only checked
// in this way. They stay as written, because fill_in() of sites.hpp needs their placeholders for each request.
//
// Operators often copy from nginx or Apache. So their variables are refused with the placeholder that means the same.
#include "server/configuration/written_path.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "http/authority.hpp"
#include "http/characters.hpp"
#include "http/target.hpp"
#include "server/configuration/sites.hpp"

namespace server {
namespace {

using problem = std::optional<std::string>;
using placeholders = std::span<const std::string_view>;

constexpr std::array<std::string_view, 3> all_placeholders{"{path}", "{rest}", "{query}"};
constexpr std::array<std::string_view, 2> of_rewrites{"{path}", "{rest}"};
constexpr std::array<std::string_view, 1> of_tries{"{path}"};

/// A variable of another web server, and what to write here instead: a placeholder, words that say so, or nothing.
struct foreign {
    std::string_view name;
    std::string_view here;
};
constexpr std::array<foreign, 16> foreign_variables{{{"uri", "{path}"},
                                                     {"request_uri", "{path}{query}"},
                                                     {"document_uri", "{path}"},
                                                     {"1", "{rest}"},
                                                     {"2", ""},
                                                     {"args", "{query}"},
                                                     {"query_string", "{query}"},
                                                     {"is_args", "{query}"},
                                                     {"host", "the host name"},
                                                     {"http_host", "the host name"},
                                                     {"server_name", "the host name"},
                                                     {"scheme", "http or https"},
                                                     {"document_root", ""},
                                                     {"request_filename", "{path}"},
                                                     {"REQUEST_URI", "{path}{query}"},
                                                     {"QUERY_STRING", "{query}"}}};

std::string_view word_at(std::string_view text)
{
    const auto* const end =
        std::ranges::find_if_not(text, [](char c) { return http::is_alpha(c) || http::is_digit(c) || c == '_'; });
    return {text.begin(), end};
}

/// Refuses variables such as $uri of nginx and $1 of Apache. `known` are the placeholders that are valid here.
problem foreign_variable(std::string_view text, placeholders known)
{
    for (auto at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
        const std::string_view word = word_at(text.substr(at + 1));
        const auto* const variable = std::ranges::find(foreign_variables, word, &foreign::name);
        if (variable == foreign_variables.end()) continue;
        const bool is_known = !variable->here.starts_with('{') ||
                              std::ranges::any_of(known, [&](auto k) { return variable->here.starts_with(k); });
        return fmt::format(
            "`${}` is a variable of another web server, without meaning here: {}", word,
            is_known && !variable->here.empty() ? fmt::format("write {}", variable->here) : std::string("remove it"));
    }
    return std::nullopt;
}

/// Refuses braces that do not enclose one of these placeholders.
problem unknown_placeholder(std::string_view text, placeholders known)
{
    for (auto at = text.find_first_of("{}"); at != std::string_view::npos; at = text.find_first_of("{}", at)) {
        const std::string_view rest = text.substr(at);
        const auto match = std::ranges::find_if(known, [&](auto k) { return rest.starts_with(k); });
        if (match != known.end()) {
            at += match->size();
            continue;
        }
        const std::string_view what = rest.substr(0, rest.find('}') == std::string_view::npos ? 1 : rest.find('}') + 1);
        return known.empty()
                   ? fmt::format("`{}`: this path cannot have placeholders; for literal braces write %7B and %7D", what)
                   : fmt::format("unknown placeholder `{}`; expected {}; for literal braces write %7B and %7D", what,
                                 fmt::join(known, ", "));
    }
    return std::nullopt;
}

problem wrong_placeholder(std::string_view text, placeholders known)
{
    if (auto wrong = foreign_variable(text, known)) return wrong;
    return unknown_placeholder(text, known);
}

/// A canonical path as an operator would write it: only characters that would mean something else are encoded.
std::string spelled(std::string_view path)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    for (const char c : path) {
        if (std::string_view("%?#{}*\0", 7).contains(c)) {
            const auto byte =
                static_cast<unsigned char>(c == '\0' ? '/' : c);  // a canonical path has NUL for an encoded slash
            text += {'%', digits[byte >> 4], digits[byte & 15]};
        } else {
            text += c;
        }
    }
    return text;
}

/// A sentence, for use after a colon: "The path contains a backslash." -> "the path contains a backslash".
std::string inside_a_sentence(std::string_view sentence)
{
    std::string text(sentence.substr(0, sentence.size() - (sentence.ends_with('.') ? 1 : 0)));
    if (!text.empty()) text.front() = http::to_lower(text.front());
    return text;
}

enum class names : std::uint8_t { a_page, any_path };

/// Checks a path without placeholders and stars, and makes it canonical. Messages quote `as_a_whole`, the text from
/// which `written` was made.
reading canonical(std::string_view written, std::string_view as_a_whole, names what = names::a_page)
{
    if (!written.starts_with('/')) {
        return std::unexpected(fmt::format("`{}` is not a path: a path must begin with /", as_a_whole));
    }
    if (const auto end = written.find_first_of("?#"); end != std::string_view::npos) {
        return std::unexpected(
            written[end] == '?'
                ? fmt::format(
                      "`{}` has a query, which is not part of a path: write `{}`, or %3F for a literal question "
                      "mark",
                      as_a_whole, written.substr(0, end))
                : fmt::format("`{}` has a fragment, which clients do not send: write `{}`, or %23 for a literal #",
                              as_a_whole, written.substr(0, end)));
    }
    const auto path = http::canonicalize(written);
    if (!path) {
        return std::unexpected(
            fmt::format("`{}` is not a valid path: {}", as_a_whole, inside_a_sentence(path.error().text)));
    }
    if (what == names::a_page && !path->names_file()) {
        return std::unexpected(
            fmt::format("`{}` cannot be the path of a file: it contains an encoded slash, a backslash, a control "
                        "character or bytes that are not UTF-8",
                        as_a_whole));
    }
    // Each escape of three characters became one byte. If the path is shorter than that, it has lost segments.
    const auto escapes = static_cast<std::size_t>(std::ranges::count(written, '%'));
    if (path->text().size() != written.size() - 2 * escapes) {
        return std::unexpected(
            fmt::format("`{}` never matches, because the server removes empty, `.` and `..` segments from the path "
                        "of each request: did you mean `{}`?",
                        as_a_whole, spelled(path->text())));
    }
    return path->text();
}

reading without_star(reading path, std::string_view written)
{
    if (!path || !path->contains('*')) return path;
    return std::unexpected(fmt::format("`{}`: the path of a route cannot contain an encoded star (%2A)", written));
}

reading canonical_ending(std::string_view written)
{
    constexpr std::string_view before = "/x";
    auto path =
        without_star(canonical(fmt::format("{}{}", before, written.substr(1)), written, names::any_path), written);
    if (path) path->replace(0, before.size(), "*");
    return path;
}

std::size_t end_of_authority(std::string_view to)
{
    const auto scheme = to.find("://");
    const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
    return std::min({to.size(), to.find_first_of("/?#", begin), to.find("{path}"), to.find("{query}")});
}

problem wrong_host(std::string_view to)
{
    const auto scheme = to.find("://");
    if (scheme == std::string_view::npos || (to.substr(0, scheme) != "http" && to.substr(0, scheme) != "https")) {
        return fmt::format(
            "`{}` is not a redirect target: expected one that begins with /, {{path}}, http:// or https://", to);
    }
    const std::string_view host = to.substr(scheme + 3, end_of_authority(to) - scheme - 3);
    if (http::parse_authority(host)) return std::nullopt;
    const bool is_ascii = std::ranges::none_of(host, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    return fmt::format(
        "`{}` is not a valid host name: {}", host,
        is_ascii ? "write it without placeholders, and with a / after it" : "write its ASCII form, with xn--");
}

problem wrong_escape(std::string_view to)
{
    for (auto at = to.find('%'); at != std::string_view::npos; at = to.find('%', at + 1)) {
        if (at + 2 >= to.size() || http::hex_value(to[at + 1]) < 0 || http::hex_value(to[at + 2]) < 0) {
            return fmt::format("`{}` has a % that is not followed by two hexadecimal digits: write %25 for a literal %",
                               to);
        }
    }
    return std::nullopt;
}

problem wrong_query(std::string_view to)
{
    constexpr std::string_view placeholder = "{query}";
    const auto at = to.find(placeholder);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view after = to.substr(at + placeholder.size());
    if (to.substr(0, at).contains('#')) return fmt::format("`{}`: {{query}} must come before the #", to);
    if (after.empty() || after.front() == '#') return std::nullopt;
    return fmt::format(
        "`{}`: {{query}} must come last, because it adds its own ? or & and may be empty: write `?a=b{{query}}`", to);
}

problem wrong_redirect(std::string_view to)
{
    if (std::ranges::any_of(to, http::is_control)) return "a redirect target must not contain control characters";
    if (to.contains(' ')) return fmt::format("`{}` contains a space: write %20", to);
    // Browsers take "//name/" as the address of another host, which the client could choose by its path.
    if (to.starts_with("//")) {
        return fmt::format("`{}` leads to another host: if you mean that, write http:{} or https:{}", to, to, to);
    }
    if (auto wrong = wrong_placeholder(to, all_placeholders)) return wrong;
    if (!to.starts_with('/') && !to.starts_with("{path}")) {
        if (auto wrong = wrong_host(to)) return wrong;
    }
    if (auto wrong = wrong_escape(to)) return wrong;
    if (std::ranges::count(to, '#') > 1) return fmt::format("`{}` has two #: write %23 for a literal #", to);
    return wrong_query(to);
}

/// Refuses what is valid only in try_files of nginx, and placeholders that `try` does not have.
problem wrong_in_try(std::string_view written)
{
    if (written.starts_with('=') && written.size() == 4) {
        return fmt::format(
            "`{}` is a status for nginx's try_files: remove it, since the server answers 404 when no entry of "
            "`try` exists; for another status write a route with `status`",
            written);
    }
    if (written.starts_with('@')) {
        return fmt::format("`{}` is a named location of nginx, without meaning here: write the path of a file",
                           written);
    }
    return wrong_placeholder(written, of_tries);
}

}  // namespace

reading read_path(std::string_view written)
{
    if (auto wrong = wrong_placeholder(written, {})) return std::unexpected(std::move(*wrong));
    return canonical(written, written);
}

reading read_route_path(std::string_view written)
{
    const auto kind = kind_of(written);
    if (!kind) {
        return std::unexpected(fmt::format(
            "`{}` is not the path of a route: expected /a for one path, /a/* for all paths below it, or *.php "
            "for a file extension",
            written));
    }
    if (auto wrong = wrong_placeholder(written, {})) return std::unexpected(std::move(*wrong));
    if (*kind == path_kind::ending) return canonical_ending(written);
    const std::string_view star = *kind == path_kind::beneath ? "*" : "";
    auto path =
        without_star(canonical(written.substr(0, written.size() - star.size()), written, names::any_path), written);
    if (path) path->append(star);
    return path;
}

reading read_try(std::string_view written)
{
    constexpr std::string_view placeholder = "{path}";
    if (auto wrong = wrong_in_try(written)) return std::unexpected(std::move(*wrong));
    if (const auto at = written.find(placeholder); at == std::string_view::npos) {
        return canonical(fmt::format("{}{}", written.starts_with('/') ? "" : "/", written), written);
    } else if (at > 0 || written.find(placeholder, 1) != std::string_view::npos) {
        return std::unexpected(
            fmt::format("`{}`: {{path}} can stand only at the beginning of an entry of `try`", written));
    }
    const std::string_view ending = written.substr(placeholder.size());
    if (ending == "/") {
        return std::unexpected(fmt::format(
            "`{}` never exists: write `{{path}}`, which includes a directory with its index page", written));
    }
    constexpr std::string_view before = "/x";
    auto path = canonical(fmt::format("{}{}", before, ending), written);
    if (path) path->replace(0, before.size(), placeholder);
    return path;
}

reading read_index(std::string_view written)
{
    if (auto wrong = wrong_placeholder(written, {})) return std::unexpected(std::move(*wrong));
    if (written.empty() || written.starts_with('/') || written.ends_with('/')) {
        return std::unexpected(
            fmt::format("`{}` is not the name of an index page: expected a name such as index.html", written));
    }
    auto path = canonical(fmt::format("/{}", written), written);
    if (path) path->erase(0, 1);
    return path;
}

reading read_rewrite(std::string_view written)
{
    if (auto wrong = wrong_placeholder(written, of_rewrites)) {
        if (written.contains("{query}")) wrong = "a rewrite does not change the query: remove {query}";
        return std::unexpected(std::move(*wrong));
    }
    std::string as_plain(written);
    if (as_plain.starts_with("{path}")) as_plain.replace(0, 6, "/x");
    for (const std::string_view p : of_rewrites) {
        for (auto at = as_plain.find(p); at != std::string::npos; at = as_plain.find(p))
            as_plain.replace(at, p.size(), "x");
    }
    if (const auto path = canonical(as_plain, written); !path) return std::unexpected(path.error());
    return std::string(written);
}

reading read_redirect(std::string_view written)
{
    // RFC 3986: the unreserved characters, the reserved ones except brackets, and the percent sign; the braces are
    // those of the placeholders.
    constexpr http::char_set plain{
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#@!$&'()*+,;=%{}"};
    if (auto wrong = wrong_redirect(written)) return std::unexpected(std::move(*wrong));
    const auto path = written.starts_with('/') || written.starts_with("{path}") ? 0 : end_of_authority(written);
    return fmt::format("{}{}", written.substr(0, path), http::percent_encode(written.substr(path), plain));
}

}  // namespace server
