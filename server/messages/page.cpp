// SPDX-License-Identifier: MIT
#include "server/messages/page.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "csp/check.hpp"
#include "http/accept.hpp"
#include "http/date.hpp"
#include "http/precondition.hpp"
#include "http/response.hpp"
#include "server/messages/entity_tag.hpp"

namespace server {

// How a page is stored. Each representation is a ready_response: one string with the whole head and the content, so
// that a hit costs one send and no formatting. The string begins with the fields that the server always sends, then
// come those of the representation, then the content; `fields_at_` and `content_at_` are the offsets of the second and
// the third part.
//
// A page changes in three ways after it was built. The Date is the last field of the first part and always has 29
// characters, so set_date() overwrites it in place, at most once a second. Compressed representations are added when
// the compressor has finished. If only the Last-Modified dates change, set_dates() builds the responses again. All this
// happens in the cache process that owns the page, and only while no worker shares it; otherwise that process first
// makes a copy (see cache_process.cpp).
//
// An absence (a cached 404) is stored in the same way, once for each error_form; `id_at` is where the id of the request
// has to be inserted.

namespace {

constexpr std::string_view end_of_line = "\r\n";
constexpr std::size_t date_bytes = std::tuple_size_v<http::date_text>;

}  // namespace

file_identity identity_of(const io::file_status& what)
{
    return {.device = what.device,
            .inode = what.inode,
            .size = what.size,
            .modified = what.modified,
            .changed = what.changed};
}

bool is_settled(const file_identity& i, std::chrono::system_clock::time_point now, std::chrono::milliseconds quiet)
{
    const auto age = now.time_since_epoch() - i.changed;
    return std::chrono::abs(age) > quiet;  // far in the future: the times come from a different clock
}

std::optional<std::chrono::sys_seconds> date_of(const file_identity& plain, const file_identity& as_sent,
                                                std::chrono::system_clock::time_point looked_at)
{
    return http::last_modified(std::max(plain.modified, as_sent.modified), looked_at);
}

response_fields& response_fields::add(std::string_view name, std::string_view value)
{
    constexpr std::string_view splitting("\r\n\0", 3);
    CSP_CHECK(value.find_first_of(splitting) == std::string_view::npos, "a field's value would split the response");
    lines_.reserve(lines_.size() + name.size() + value.size() + 4);
    lines_.append(name).append(": ").append(value).append("\r\n");
    return *this;
}

response_fields& response_fields::add(std::string_view name, std::uint64_t value)
{
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
    return add(name, std::string_view(digits.begin(), end));
}

response_fields& response_fields::add(const response_fields& more)
{
    lines_ += more.lines_;
    return *this;
}

response_fields response_fields::without(std::string_view name) const
{
    response_fields others;
    for (std::string_view left = lines_; !left.empty();) {
        const std::string_view line = left.substr(0, left.find(end_of_line) + end_of_line.size());
        left.remove_prefix(line.size());
        const bool is_of_name = line.starts_with(name) && line.substr(name.size()).starts_with(':');
        if (!is_of_name) others.lines_ += line;
    }
    return others;
}

response_fields metadata_fields(const description& d)
{
    constexpr std::size_t usually_enough = 384;  // bytes
    response_fields f;
    f.reserve(usually_enough + d.more.lines().size());
    if (!d.etag.empty()) f.add("ETag", d.etag);
    if (d.modified) {
        const http::date_text modified = http::format_date(*d.modified);
        f.add("Last-Modified", std::string_view(modified.data(), modified.size()));
    }
    if (!d.cache_control.empty()) f.add("Cache-Control", d.cache_control);
    if (d.varies) f.add("Vary", "Accept-Encoding");
    f.add(d.more);
    return f;
}

response_fields full_fields(const description& d) { return part_fields(d, d.media_type, d.bytes); }

response_fields part_fields(const description& d, std::string_view media_type, std::uint64_t bytes)
{
    response_fields f = metadata_fields(d);
    f.add("Content-Type", media_type).add("Content-Length", bytes);
    const http::coding applied = d.coding == http::coding::identity ? d.stored : d.coding;
    if (applied != http::coding::identity) f.add("Content-Encoding", http::token(applied));
    f.add("Accept-Ranges", "bytes").add("X-Content-Type-Options", "nosniff");
    return f;
}

ready_response::ready_response(http::status code, const response_fields& fields, std::string_view content)
{
    std::array<char, 128> room;
    http::head_writer head(room);
    head.status_line(code).field("Server", "occwserv").date(date_);
    const auto written = head.finish();
    CSP_CHECK(written, "the beginning of a head has room");
    fields_at_ = *written - end_of_line.size();  // the fields replace the empty line
    content_at_ = fields_at_ + fields.lines().size() + end_of_line.size();
    bytes_.reserve(content_at_ + content.size());
    bytes_.append(room.data(), fields_at_).append(fields.lines()).append(end_of_line).append(content);
}

void ready_response::set_date(std::chrono::sys_seconds now)
{
    date_ = now;
    const http::date_text text = http::format_date(now);
    bytes_.replace(fields_at_ - end_of_line.size() - date_bytes, date_bytes, text.data(), text.size());
}

error_form preferred_form(std::string_view accept) noexcept
{
    if (accept.empty()) return error_form::text;
    if (http::prefers_json(accept)) return error_form::json;
    return http::acceptance_of(accept, "text/html").is_named() ? error_form::html : error_form::text;
}

const ready_response& page::ready_for(const http::accepted_codings& accepted, std::string_view accept) const
{
    return nothing ? nothing->form_for(accept).most : best(accepted).whole;
}

void page::set_date(const http::accepted_codings& accepted, std::string_view accept, std::chrono::sys_seconds now)
{
    if (nothing) {
        nothing->form_for(accept).most.set_date(now);
    } else {
        as(best(accepted).about.coding).whole.set_date(now);
    }
}

const representation& page::best(const http::accepted_codings& accepted) const
{
    http::coding_set available;
    for (const auto& r : in) {
        if (r) available.add(r->about.coding);
    }
    return as(accepted.choose(available));
}

std::optional<http::coding> page::missing_for(const http::accepted_codings& accepted) const
{
    if (nothing || accepted.permits(http::coding::identity)) return std::nullopt;
    const description& at_hand = best(accepted).about;
    const http::coding wanted = accepted.choose(http::all_codings);
    if (accepted.permits(at_hand.coding) || !accepted.permits(wanted) || !at_hand.varies) return std::nullopt;
    return wanted;
}

void page::add(http::coding c, std::string_view text)
{
    auto& place = in[static_cast<std::size_t>(c)];
    if (text.empty() || place) return;
    description about = as(http::coding::identity).about;
    about.coding = c;
    about.etag = coded_etag(about.etag, c);
    about.bytes = text.size();
    ready_response whole(http::status::ok, full_fields(about), text);
    place = representation{.about = std::move(about), .whole = std::move(whole)};
}

page_dates page::dates() const
{
    page_dates all;
    all.fill(as(http::coding::identity).about.modified);
    for (const auto& r : in) {
        if (r) all[static_cast<std::size_t>(r->about.coding)] = r->about.modified;
    }
    return all;
}

page_dates page::dates_at(std::chrono::system_clock::time_point looked_at) const
{
    const file_identity& plain = made_from.front();
    page_dates all;
    all.fill(date_of(plain, plain, looked_at));
    for (std::size_t c = 0; c < std::min(all.size(), made_from.size()); ++c) {
        if (in[c] && made_from[c] != file_identity()) all[c] = date_of(plain, made_from[c], looked_at);
    }
    return all;
}

void page::set_dates(const page_dates& dates)
{
    for (auto& r : in) {
        if (!r) continue;
        r->about.modified = dates[static_cast<std::size_t>(r->about.coding)];
        r->whole = ready_response(http::status::ok, full_fields(r->about), r->whole.content());
    }
}

bool page::is_unchanged() const
{
    const auto now = io::status(*file);
    return now && identity_of(*now) == made_from.front();
}

std::size_t page::bytes() const
{
    std::size_t bytes = sizeof *this + made_from.size() * sizeof made_from[0];
    for (const auto& r : in) {
        if (r) bytes += r->whole.bytes().size() + r->about.media_type.size() + r->about.etag.size();
    }
    if (nothing) {
        for (const ready_error& form : nothing->in) bytes += form.most.bytes().size();
    }
    return bytes;
}

}  // namespace server
