// SPDX-License-Identifier: MIT
#include "server/static_farm/get_page.hpp"

#include <chrono>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "http/date.hpp"
#include "http/media_type.hpp"
#include "http/target.hpp"

namespace server {
namespace {

using http::status;

constexpr http::error not_a_page{status::forbidden, "This is not a file that can be served."};

http::error refusal(const io::error& e)
{
    switch (e.number) {
        case ENOENT:
        case ENOTDIR:
        case ENAMETOOLONG:
        case ELOOP:
            return {status::not_found, "There is no such page."};
        case EACCES:
        case EPERM:
            return {status::forbidden, "The server may not read this file."};
        case ENXIO:  // a socket or a device without a driver
        case ENODEV:
            return not_a_page;
        case EXDEV:
            return {status::forbidden, "This name leads out of what is served."};
        default:
            return {status::internal_server_error, "The file could not be read."};
    }
}

file_identity identity_of(const io::file_status& s)
{
    return {.device = s.device, .inode = s.inode, .size = s.size, .modified = s.modified, .changed = s.changed};
}

response_fields fields_of_file(const std::string& name, const io::file_status& s)
{
    const auto modified = std::chrono::sys_seconds(std::chrono::floor<std::chrono::seconds>(s.modified));
    const http::date_text date = http::format_date(modified);
    response_fields f;
    f.add("Content-Type", http::media_type_of(name).text)
        .add("Content-Length", s.size)
        .add("Last-Modified", std::string_view(date.data(), date.size()))
        .add("X-Content-Type-Options", "nosniff");
    return f;
}

/// Reads the whole file. Nothing when it is shorter than it was said to be.
csp::step<io::result<std::string>> read_all(const io::file& f, std::uint64_t size)
{
    std::string content(size, '\0');
    std::size_t got = 0;
    while (got < size) {
        const auto n = co_await io::read(f, std::span(content).subspan(got), got);
        if (!n) co_return std::unexpected(n.error());
        if (*n == 0) co_return std::unexpected(io::error::of(EIO));
        got += *n;
    }
    co_return content;
}

struct open_file {
    io::file file;
    io::file_status what;
    std::string name;  // beneath the root, from which the media type follows
};

csp::step<io::result<open_file>> look_beneath(const io::directory& root, std::string name)
{
    auto f = co_await io::open_beneath(root, name.empty() ? "." : name);
    if (!f) co_return std::unexpected(f.error());
    const auto what = io::status(*f);
    if (!what) co_return std::unexpected(what.error());
    co_return open_file{.file = std::move(*f), .what = *what, .name = std::move(name)};
}

/// A directory's address ends with a slash, or the links in its pages would lead elsewhere.
response to_directory(const request& asked)
{
    std::string location = http::encode_path(asked.path.view()) + '/';
    if (!asked.query.empty()) location.append("?").append(asked.query);
    response r{.code = status::moved_permanently, .fields = {}, .body = {}};
    r.body = fmt::format(
        "<!doctype html>\n<html lang=\"en\"><title>Moved</title>\n<p>This is a directory: <a "
        "href=\"{0}\">{0}</a></p>\n</html>\n",
        http::encode_path(asked.path.view()) + '/');
    r.fields.add("Location", location)
        .add("Content-Type", "text/html; charset=utf-8")
        .add("Content-Length", std::get<std::string>(r.body).size());
    return r;
}

csp::step<std::expected<open_file, http::error>> open_index(const page_rules& rules, std::string_view directory)
{
    for (const std::string& index : rules.files.index) {
        auto f = co_await look_beneath(rules.root, directory.empty() ? index : fmt::format("{}/{}", directory, index));
        if (f && f->what.is_regular()) co_return std::move(*f);
        if (!f && f.error().number != ENOENT) co_return std::unexpected(refusal(f.error()));
    }
    co_return std::unexpected(http::error{status::forbidden, "This directory has no index page, and is not listed."});
}

}  // namespace

csp::step<std::expected<found_page, http::error>> get_page(const page_rules& rules, const request& asked,
                                                           const frozen_page& kept)
{
    auto opened = co_await look_beneath(rules.root, std::string(asked.path.relative()));
    if (!opened) co_return std::unexpected(refusal(opened.error()));

    if (opened->what.is_directory()) {
        if (!asked.path.ends_with_slash()) co_return to_directory(asked);
        auto index = co_await open_index(rules, opened->name);
        if (!index) co_return std::unexpected(index.error());
        *opened = std::move(*index);
    } else if (asked.path.ends_with_slash()) {
        co_return std::unexpected(http::error{status::not_found, "There is no such directory."});
    }
    // Devices, sockets and pipes are no pages, and reading some of them would never end.
    if (!opened->what.is_regular()) {
        co_return std::unexpected(not_a_page);
    }

    const file_identity identity = identity_of(opened->what);
    if (kept && kept->made_from == identity) co_return kept;

    response_fields fields = fields_of_file(opened->name, opened->what);
    if (identity.size > rules.cache.largest_page) {
        response whole{.code = status::ok, .fields = std::move(fields), .body = {}};
        whole.body = file_range{.from = std::move(opened->file), .offset = 0, .bytes = identity.size};
        co_return whole;
    }
    auto text = co_await read_all(opened->file, identity.size);
    if (!text) co_return std::unexpected(refusal(text.error()));
    page p{.code = status::ok, .fields = std::move(fields), .content = std::move(*text), .made_from = identity};
    co_return frozen_page(std::move(p));
}

csp::step<response> error_page(const io::directory& root, http::error why)
{
    constexpr std::uint64_t longest_page = 1024 * 1024;
    const auto code = http::number(why.code);
    response r{.code = why.code, .fields = {}, .body = {}};

    if (auto own = co_await look_beneath(root, fmt::format("error.{}.html", code));
        own && own->what.is_regular() && own->what.size <= longest_page) {
        if (auto text = co_await read_all(own->file, own->what.size)) r.body = std::move(*text);
    }
    if (std::holds_alternative<std::monostate>(r.body)) {
        const std::string_view reason = http::reason_phrase(why.code);
        r.body = fmt::format(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{0} {1}</title>\n"
            "<meta name=\"viewport\" content=\"width=device-width\"></head>\n"
            "<body><h1>{0} {1}</h1>\n<p>{2}</p></body>\n</html>\n",
            code, reason, why.text);
    }
    r.fields.add("Content-Type", "text/html; charset=utf-8")
        .add("Content-Length", std::get<std::string>(r.body).size())
        .add("X-Content-Type-Options", "nosniff");
    if (why.code == status::method_not_allowed) r.fields.add("Allow", "GET, HEAD, OPTIONS");
    co_return r;
}

}  // namespace server
