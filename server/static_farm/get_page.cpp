// SPDX-License-Identifier: MIT
#include "server/static_farm/get_page.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <utility>
#include <variant>

#include <fmt/core.h>

#include "http/accept.hpp"
#include "http/list.hpp"
#include "http/media_type.hpp"
#include "http/precondition.hpp"
#include "http/target.hpp"
#include "server/messages/entity_tag.hpp"
#include "server/respond/refusal.hpp"
#include "server/static_farm/built_in_style.hpp"
#include "server/static_farm/error_text.hpp"
#include "server/static_farm/listing.hpp"
#include "server/static_farm/lookup.hpp"
#include "server/static_farm/select.hpp"

namespace server {

// How a page is made.
//
// 1. find_file() (lookup.cpp) turns the path into an entry: a file that was looked at but not opened, a directory to be
//    listed, or a directory whose URL lacks its final slash.
// 2. family_of() also looks for its precompressed files: a.css.gz, a.css.br and a.css.zst beside a.css.
// 3. The versions of all these files (file_identity) are compared with those that the cached page was made from. If
//    they are the same, the cached page is still current and nothing is read.
// 4. Otherwise a small file is read in all its codings and becomes a page, which the caller reports to the cache. A
//    large file is only opened, in the best coding for this client.
//
// A file may change while it is read. Each version is determined before its file is read, so a page may have newer
// content than `made_from` says but never the other way round, and the next look at the file corrects it. A file that
// becomes shorter while it is read is reported as `file_changing`, and get_page() starts again. Two versions written
// within the resolution of file times have the same identity: a page of such recent files is not `settled`, and is read
// again at the next look.
//
// If the server is short of descriptors, threads or memory, a page that is in memory is served although its file could
// not be looked at.

namespace {

using http::coding;
using http::status;

constexpr std::array coded{coding::gzip, coding::brotli, coding::zstd};
constexpr std::string_view html = "text/html; charset=utf-8";
constexpr std::string_view json = "application/json";
constexpr std::string_view plain_text = "text/plain; charset=utf-8";
constexpr std::string_view methods_of_pages = "GET, HEAD, OPTIONS";
constexpr std::size_t longest_listing = 10'000;  // entries on one page

constexpr http::error is_program{status::forbidden, "This file is run by programs at its own address, and not sent."};

/// The errno for a file that became shorter while it was read.
constexpr int changing = ESTALE;

/// Reads the whole file.
csp::step<io::result<std::string>> read_all(const found_entry& f)
{
    const auto file = io::open_to_read(f.entry);
    if (!file) co_return std::unexpected(file.error());
    std::string content(f.what().size, '\0');
    std::size_t got = 0;
    while (got < content.size()) {
        const auto n = co_await io::read(*file, std::span(content).subspan(got), got);
        if (!n) co_return std::unexpected(n.error());
        if (*n == 0) co_return std::unexpected(io::error::of(changing));
        got += *n;
    }
    co_return content;
}

/// A file and its precompressed files: a.css, and a.css.gz, a.css.br, a.css.zst.
struct file_family {
    found_entry identity;
    std::array<std::optional<found_entry>, coded.size()> in;
    bool is_known = true;  // false: for lack of resources some of them could not be looked for

    [[nodiscard]] http::media_type type() const { return http::media_type_of(identity.name); }
    [[nodiscard]] bool varies() const
    {
        return type().compressible() || std::ranges::any_of(in, [](const auto& f) { return f.has_value(); });
    }
    [[nodiscard]] std::vector<file_identity> identities() const
    {
        std::vector<file_identity> all{identity.identity()};
        for (const auto& f : in) all.push_back(f ? f->identity() : file_identity());
        return all;
    }
};

/// Files of types that are already compressed, such as images and films, have no precompressed files, which saves three
/// look-ups.
csp::step<file_family> family_of(const io::directory& root, found_entry f)
{
    file_family family{.identity = std::move(f), .in = {}};
    if (family.type().by_coding == http::compression::useless) co_return family;
    for (std::size_t i = 0; i < coded.size(); ++i) {
        auto sidecar = co_await look_at(root, family.identity.name + std::string(http::suffix(coded[i])));
        if (!sidecar && is_resource_shortage(refusal(sidecar.error()))) family.is_known = false;
        if (sidecar && has_content_of(*sidecar, family.identity)) family.in[i] = std::move(*sidecar);
    }
    co_return family;
}

/// The fields that every response with this page has.
struct common_fields {
    std::string cache_control;
    response_fields more;
};

common_fields common_of(const page_rules& rules, const request& asked, std::string_view name, way_to_file way)
{
    const std::vector<header> headers = headers_of_file(rules, asked.routes, name, way);
    common_fields c{.cache_control = has_header(headers, "Cache-Control") ? "" : rules.files.cache_control, .more = {}};
    for (const header& h : headers) {
        if (!h.value.empty()) c.more.add(h.name, h.value);
    }
    return c;
}

way_to_file way_to(const found_entry& file, const page_rules& rules, const request& asked)
{
    if (file.is_fallback) return way_to_file::fallback;
    const bool is_rewritten = asked.acting && std::holds_alternative<rewrite>(rules.files.routes[*asked.acting].then);
    return is_rewritten ? way_to_file::rewritten : way_to_file::by_path;
}

/// The fields of a redirect, which may be cached as long as a page at its path.
common_fields common_of(const page_rules& rules, const request& asked)
{
    return common_of(rules, asked, asked.path.relative(), way_to_file::by_path);
}

/// For responses that may be cached as long as a page.
void add_common(response_fields& fields, const common_fields& common)
{
    if (!common.cache_control.empty()) fields.add("Cache-Control", common.cache_control);
    fields.add(common.more);
}

void add_headers(response_fields& fields, const std::vector<header>& headers)
{
    for (const header& h : headers) {
        if (!h.value.empty()) fields.add(h.name, h.value);
    }
}

/// For a page that the server itself generates: its Content-Security-Policy replaces that of the site.
void add_headers(response_fields& fields, std::vector<header> headers, const built_in_style& style)
{
    std::erase_if(headers, [](const header& h) {
        return http::equal_ignoring_case(h.name, "Content-Security-Policy") ||
               http::equal_ignoring_case(h.name, "Content-Security-Policy-Report-Only");
    });
    fields.add("Content-Security-Policy", style.policy);
    add_headers(fields, headers);
}

/// What the descriptions of all representations of a file have in common.
struct common_description {
    const common_fields& fields;
    std::chrono::system_clock::time_point looked_at;
    bool varies = false;
};

description describe(const common_description& common, const found_entry& plain, const found_entry& as_sent, coding c)
{
    const http::media_type type = http::media_type_of(plain.name);
    return {.media_type = std::string(type.text),
            .etag = {},
            .modified = date_of(plain.identity(), as_sent.identity(), common.looked_at),
            .bytes = as_sent.what().size,
            .coding = c,
            .stored = type.stored,
            .varies = common.varies,
            .cache_control = common.fields.cache_control,
            .more = common.fields.more};
}

csp::step<io::result<representation>> load(const common_description& common, const found_entry& plain,
                                           const found_entry& as_sent, coding c)
{
    auto content = co_await read_all(as_sent);
    if (!content) co_return std::unexpected(content.error());
    description about = describe(common, plain, as_sent, c);
    about.etag = content_etag(*content, c);
    ready_response whole(status::ok, full_fields(about), *content);
    co_return representation{.about = std::move(about), .whole = std::move(whole)};
}

csp::step<io::result<frozen_page>> make_page(const page_rules& rules, const common_description& common,
                                             const file_family& files)
{
    constexpr std::uint64_t least_worth_compressing = 256;  // bytes; less fits into one packet anyway
    page p{.made_from = files.identities(), .in = {}};
    const auto now = std::chrono::system_clock::now();
    p.settled = std::ranges::all_of(p.made_from, [now](const file_identity& i) { return is_settled(i, now); });
    auto plain = co_await load(common, files.identity, files.identity, coding::identity);
    if (!plain) co_return std::unexpected(plain.error());
    p.compressible = files.type().compressible() && plain->about.bytes >= least_worth_compressing;
    p.in.front() = std::move(*plain);
    for (std::size_t i = 0; i < coded.size(); ++i) {
        if (!files.in[i] || files.in[i]->what().size > rules.cache.largest_text) continue;
        auto r = co_await load(common, files.identity, *files.in[i], coded[i]);
        if (r) p.in[static_cast<std::size_t>(coded[i])] = std::move(*r);
    }
    co_return frozen_page(std::move(p));
}

/// The best of the existing codings for a client that accepts these.
coding best_of(const file_family& files, const http::accepted_codings& accepted)
{
    http::coding_set available;
    available.add(coding::identity);
    for (std::size_t i = 0; i < coded.size(); ++i) {
        if (files.in[i]) available.add(coded[i]);
    }
    return accepted.choose(available);
}

io::result<large_file> open_best(const common_description& common, file_family files,
                                 const http::accepted_codings& accepted)
{
    for (;;) {
        const coding best = best_of(files, accepted);
        const auto at = static_cast<std::size_t>(std::ranges::find(coded, best) - coded.begin());
        const found_entry& chosen = best == coding::identity ? files.identity : *files.in[at];
        auto file = io::open_to_read(chosen.entry);
        if (file) {
            return large_file{.file = std::move(*file),
                              .identity = chosen.identity(),
                              .about = describe(common, files.identity, chosen, best)};
        }
        if (best == coding::identity) return std::unexpected(file.error());
        files.in[at].reset();  // it may be unreadable, for example; try the next best
    }
}

response text_response(status code, std::string_view media_type, std::string text)
{
    response r(code, {});
    r.fields.add("Content-Type", media_type)
        .add("Content-Length", text.size())
        .add("X-Content-Type-Options", "nosniff");
    if (!text.empty()) r.content.emplace_back(std::move(text));
    return r;
}

response to_directory(const page_rules& rules, const request& asked)
{
    const std::string path = http::encode_path(asked.path.view()) + '/';
    response r = text_response(status::moved_permanently, html,
                               fmt::format("<!doctype html>\n<html lang=\"en\"><title>Moved</title>\n<p>This is a "
                                           "directory: <a href=\"{0}\">{0}</a></p>\n</html>\n",
                                           path));
    r.fields.add("Location", asked.query.empty() ? path : fmt::format("{}?{}", path, http::encode_query(asked.query)));
    add_common(r.fields, common_of(rules, asked));
    return r;
}

csp::step<std::expected<found_page, http::error>> list(const io::directory& root, const page_rules& rules,
                                                       const request& asked, const std::string& name)
{
    const auto after = listing_start(asked.query);
    auto part = co_await io::list(root, name.empty() ? "." : name, after, longest_listing);
    if (!part) {
        http::error why = refusal(part.error());
        if (why.code == status::forbidden) why.text = "The server may not read this directory.";
        co_return std::unexpected(why);
    }
    const listing_links rest{.first = after ? "./" : "",
                             .next = part->has_more ? listing_after(part->entries.back()) : ""};
    const bool for_program = http::prefers_json(asked.accept);
    std::string text =
        for_program ? listing_json(std::move(part->entries)) : listing_html(asked.path, std::move(part->entries), rest);
    const std::string etag =
        content_etag(text + rest.next);  // includes whether there is a next part: a 304 confirms that too

    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto met = http::evaluate(asked.method, asked.conditions, {.etag = etag, .modified = {}, .now = now});
    if (met == http::outcome::failed) co_return std::unexpected(precondition_failed);
    response r = met == http::outcome::not_modified
                     ? response(status::not_modified, {})
                     : text_response(status::ok, for_program ? json : html, std::move(text));
    r.fields.add("ETag", etag).add("Cache-Control", "no-cache").add("Vary", "Accept");
    if (!rest.next.empty()) r.fields.add("Link", fmt::format("<{}>; rel=\"next\"", rest.next));  // RFC 8288
    add_headers(r.fields, headers_of_other(rules.files, asked.routes), style_of_listings);
    co_return r;
}

/// Whether caches may keep a redirect. A permanent one is kept as long as a page: without Cache-Control it could be
/// kept for ever, even if it was a mistake. For a temporary one the server sends no Cache-Control, so it is not kept,
/// unless its own route sets one.
bool may_be_kept(const static_rules& rules, const request& asked, status redirect_code)
{
    return redirect_code == status::moved_permanently || redirect_code == status::permanent_redirect ||
           std::ranges::any_of(asked.routes, [&](route_number r) {
               return rules.routes[r].acts() && has_header(rules.routes[r].headers, "Cache-Control");
           });
}

std::string name_of_error_page(const static_rules& rules, status code)
{
    const auto named = rules.error_pages.find(http::number(code));
    return named != rules.error_pages.end() ? named->second : fmt::format("error.{}.html", http::number(code));
}

/// Nothing if the site has none, or none that can be read.
csp::step<std::optional<response>> own_error_page(const io::directory& root, const static_rules& rules, status code)
{
    const auto own = co_await find_error_page(root, rules, code);
    if (!own) co_return std::nullopt;
    auto text = co_await read_all(*own);
    if (!text) co_return std::nullopt;
    co_return text_response(code, http::media_type_of(own->name).text, std::move(*text));
}

/// The cached page, with the Last-Modified dates that its files have now.
frozen_page dated(const frozen_page& kept, std::chrono::system_clock::time_point looked_at)
{
    const page_dates dates = kept->dates_at(looked_at);
    if (kept->dates() == dates) return kept;
    page p = *kept;
    p.set_dates(dates);
    return frozen_page(std::move(p));
}

/// Whether programs answer for this file, so that its content must never be sent: it may contain passwords. The path of
/// the request need not show that: "/" leads to index.php, and so may a rewrite.
bool belongs_to_programs(const page_rules& rules, const found_entry& file)
{
    const auto rules_of = [&](const route& r) { return std::get_if<cgi_rules>(&r.then); };
    if (std::ranges::none_of(rules.files.routes, rules_of)) return false;
    const auto acting = rules.routes.match(fmt::format("/{}", file.name)).acting;
    const auto* const programs = acting ? rules_of(rules.files.routes[*acting]) : nullptr;
    if (programs == nullptr) return false;
    const bool is_executable = (file.what().mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
    return programs->what == cgi_rules::kind::interpreter ||
           (programs->what == cgi_rules::kind::directory && is_executable);
}

/// One attempt of get_page(). It fails with `file_changing` if the file became shorter while it was read.
csp::step<std::expected<found_page, http::error>> find_page(const io::directory& root, const page_rules& rules,
                                                            const request& asked, const frozen_page& kept)
{
    const auto looked_at = std::chrono::system_clock::now();  // before the first look at a file
    auto found = co_await find_file(root, rules.files, asked);
    // If its files cannot be looked at for lack of resources, a cached page in memory is served all the same. Not a
    // cached 404: the file may exist by now. Nor an open file: its content may have changed.
    const bool may_stand_in = kept && !kept->nothing && !kept->file;
    if (!found && may_stand_in && is_resource_shortage(found.error())) co_return kept;
    if (!found) co_return std::unexpected(found.error());
    if (std::holds_alternative<needs_slash>(*found)) co_return to_directory(rules, asked);
    if (const auto* directory = std::get_if<may_be_listed>(&*found)) {
        co_return co_await list(root, rules, asked, directory->name);
    }
    found_entry& file = std::get<found_entry>(*found);
    if (belongs_to_programs(rules, file)) co_return std::unexpected(is_program);
    const bool is_text = http::media_type_of(file.name).compressible();
    const bool is_large = file.what().size > (is_text ? rules.cache.largest_text : rules.cache.largest_page);
    const way_to_file way = way_to(file, rules, asked);
    file_family files = co_await family_of(root, std::move(file));

    if (!is_large && may_stand_in && !files.is_known) co_return kept;
    if (!is_large && kept && kept->settled && kept->made_from == files.identities()) co_return dated(kept, looked_at);
    const common_fields fields = common_of(rules, asked, files.identity.name, way);
    const common_description common{.fields = fields, .looked_at = looked_at, .varies = files.varies()};
    if (is_large) {
        auto opened = open_best(common, std::move(files), asked.accepted);
        if (!opened) co_return std::unexpected(refusal(opened.error()));
        co_return std::move(*opened);
    }
    auto made = co_await make_page(rules, common, files);
    if (made) co_return std::move(*made);
    if (may_stand_in && is_resource_shortage(refusal(made.error()))) co_return kept;
    co_return std::unexpected(refusal(made.error()));
}

}  // namespace

csp::step<std::expected<found_page, http::error>> get_page(const io::directory& root, const page_rules& rules,
                                                           const request& asked, const frozen_page& kept)
{
    // A program that rewrites a file in place truncates it first. A moment later the file may be complete.
    for (int tries_left = 2;; --tries_left) {
        auto found = co_await find_page(root, rules, asked, kept);
        if (found || found.error() != file_changing || tries_left == 0) co_return found;
    }
}

response redirection(const page_rules& rules, const request& asked, const redirect_to& to)
{
    constexpr std::string_view text =
        "<!doctype html>\n<html lang=\"en\"><title>Moved</title>\n<p>This page has moved.</p>\n</html>\n";
    response r = text_response(to.code, html, std::string(text));
    r.fields.add("Location", to.location);
    if (may_be_kept(rules.files, asked, to.code)) {
        add_common(r.fields, common_of(rules, asked));
    } else {
        add_headers(r.fields, headers_of_other(rules.files, asked.routes));
    }
    return r;
}

csp::step<std::optional<found_entry>> find_error_page(const io::directory& root, const static_rules& rules, status code)
{
    constexpr std::uint64_t longest_page = 1024 * 1024;
    auto own = co_await look_at(root, name_of_error_page(rules, code));
    if (!own || !own->what().is_regular() || own->what().size > longest_page) co_return std::nullopt;
    co_return std::move(*own);
}

csp::step<response> error_page(const io::directory& root, const page_rules& rules, const request& asked,
                               http::error why, response_fields with, std::string id)
{
    response r;
    const std::vector<header> headers = headers_of_error(rules.files, asked.routes);
    const error_form form = preferred_form(asked.accept);
    if (form == error_form::json) {
        r = text_response(why.code, json, error_json(why.code, why.text, id));
        add_headers(r.fields, headers);
    } else if (auto own = co_await own_error_page(root, rules.files, why.code)) {
        r = std::move(*own);
        add_headers(r.fields, headers);
    } else if (form == error_form::text) {
        r = text_response(why.code, plain_text, error_plain(why.code, why.text, id));
        add_headers(r.fields, headers);
    } else {
        r = text_response(why.code, html, error_html(why.code, why.text, id));
        add_headers(r.fields, headers, style_of_errors);
    }
    r.fields.add("Vary", "Accept");
    if (why.code == status::method_not_allowed) r.fields.add("Allow", methods_of_pages);
    r.fields.add(with);
    co_return r;
}

response options(const page_rules& rules, const request& asked)
{
    response r(status::no_content, {});
    r.fields.add("Allow", methods_of_pages);
    add_headers(r.fields, headers_of_other(rules.files, asked.routes));
    return r;
}

}  // namespace server
