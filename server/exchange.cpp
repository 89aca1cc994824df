// SPDX-License-Identifier: MIT
#include "server/exchange.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>

#include "http/response.hpp"
#include "server/progress.hpp"

namespace server {
namespace {

constexpr std::size_t pieces_from_file = 64 * 1024;  // bytes; for carriers that cannot send from the file itself
constexpr std::string_view end_of_head = "\r\n";

using pieces = std::array<std::span<const char>, 4>;

/// What to send, whatever it was made of; all of it outlives the sending.
struct outgoing {
    http::status code;
    const response_fields& fields;
    std::string_view text;
    const file_range* range;  // null: no part of a file follows
};

std::size_t bytes_of(const pieces& all)
{
    std::size_t bytes = 0;
    for (const auto& p : all) bytes += p.size();
    return bytes;
}

void skip(pieces& all, std::size_t bytes)
{
    for (auto& p : all) {
        const std::size_t gone = std::min(bytes, p.size());
        p = p.subspan(gone);
        bytes -= gone;
    }
}

/// Whether to try again after `e`: the deadline passed, and yet there is progress.
bool still_goes(const io::error& e, const connection& c, progress& going)
{
    return e.timed_out() && going.goes_on(io::unacknowledged(c.socket));
}

/// Goes on with what the socket did not take at once, as long as there is progress.
csp::step<bool> send_rest(connection& c, pieces left, io::more_follows more, progress& going)
{
    for (std::size_t bytes = bytes_of(left); bytes > 0;) {
        const auto sent =
            co_await io::send(c.socket, std::span<const std::span<const char>>(left), going.next_deadline(), more);
        if (!sent && still_goes(sent.error(), c, going)) continue;
        if (!sent) co_return false;
        going.made(*sent);
        skip(left, *sent);
        bytes -= *sent;
    }
    co_return true;
}

csp::step<bool> send_range(connection& c, const file_range& range, progress& going, std::uint64_t& sent_bytes)
{
    while (sent_bytes < range.bytes) {
        const auto sent = co_await io::send_file(c.socket, range.from, range.offset + sent_bytes,
                                                 range.bytes - sent_bytes, going.next_deadline());
        if (!sent && still_goes(sent.error(), c, going)) continue;
        // A file that became shorter than its announced length: the response cannot be completed any more.
        if (!sent || *sent == 0) co_return false;
        sent_bytes += *sent;
        going.made(*sent);
    }
    co_return true;
}

csp::step<void> send_stream(stream_carrier& carrier, const outgoing& what, account& sent)
{
    using enum stream_piece::what_follows;
    const std::uint64_t ranged = what.range != nullptr ? what.range->bytes : 0;
    stream_piece first{.stream = carrier.stream,
                       .code = what.code,
                       .fields = what.fields,
                       .bytes = std::string(what.text),
                       .next = ranged == 0 ? nothing : more};
    if (!co_await carrier.to_session.output(std::move(first))) co_return;
    sent.content_bytes = what.text.size();
    while (sent.content_bytes < ranged) {
        std::string bytes(std::min<std::uint64_t>(pieces_from_file, ranged - sent.content_bytes), '\0');
        const auto got = co_await io::read(what.range->from, bytes, what.range->offset + sent.content_bytes);
        const bool broken = !got || *got == 0;  // a file that cannot be read, or is shorter than was announced
        bytes.resize(broken ? 0 : *got);
        sent.content_bytes += bytes.size();
        stream_piece rest{.stream = carrier.stream,
                          .code = std::nullopt,
                          .fields = {},
                          .bytes = std::move(bytes),
                          .next = broken                         ? never
                                  : sent.content_bytes == ranged ? nothing
                                                                 : more};
        if (!co_await carrier.to_session.output(std::move(rest)) || broken) co_return;
    }
    sent.complete = true;
}

csp::step<void> send(exchange_record& x, outgoing what, patience limits, http1_pen& pen)
{
    x.sent.code = what.code;
    if (x.asked.method == http::method::head) {
        what.text = {};
        what.range = nullptr;
    }
    auto* const http1 = std::get_if<http1_carrier>(&x.carrier);
    if (http1 == nullptr) {
        co_await send_stream(std::get<stream_carrier>(x.carrier), what, x.sent);
        co_return;
    }

    connection& c = *http1->connection;
    progress going(limits);
    const auto fixed = pen.fixed_part(what.code, http1->persists);
    const auto whole = pen.whole(what.fields.lines(), what.text);
    pieces out = whole ? pieces{*whole} : pieces{fixed, what.fields.lines(), end_of_head, what.text};
    const auto more = what.range != nullptr ? io::more_follows::yes : io::more_follows::no;

    // In nearly every case the socket takes all of it here.
    const auto sent =
        co_await io::send(c.socket, std::span<const std::span<const char>>(out), going.next_deadline(), more);
    if (!sent && !still_goes(sent.error(), c, going)) co_return;
    if (sent) {
        going.made(*sent);
        skip(out, *sent);
    }
    if (bytes_of(out) > 0 && !co_await send_rest(c, out, more, going)) co_return;
    x.sent.content_bytes = what.text.size();
    x.sent.complete = what.range == nullptr || co_await send_range(c, *what.range, going, x.sent.content_bytes);
}

}  // namespace

std::span<const char> http1_pen::fixed_part(http::status code, bool persists)
{
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (fixed_bytes_ == 0 || code != code_ || persists != persists_ || now != second_) {
        code_ = code;
        persists_ = persists;
        second_ = now;
        http::head_writer writer(room_);
        writer.status_line(code).field("Server", "occwserv").date(now);
        writer.field("Connection", persists ? "keep-alive" : "close");
        const auto written = writer.finish();
        CSP_CHECK(written, "the fixed part of a head has room");
        fixed_bytes_ = *written - end_of_head.size();  // the fields of the response follow
    }
    return std::span(room_).first(fixed_bytes_);
}

std::optional<std::span<const char>> http1_pen::whole(std::string_view fields, std::string_view text)
{
    const std::size_t bytes = fixed_bytes_ + fields.size() + end_of_head.size() + text.size();
    if (bytes > room_.size()) return std::nullopt;
    char* to = room_.data() + fixed_bytes_;
    for (const std::string_view part : {fields, end_of_head, text}) {
        to += part.copy(to, part.size());
    }
    return std::span(room_).first(bytes);
}

csp::step<void> respond(exchange_record& x, response r, patience limits, http1_pen& pen)
{
    const auto* text = std::get_if<std::string>(&r.body);
    const auto* range = std::get_if<file_range>(&r.body);
    co_await send(x,
                  {.code = r.code,
                   .fields = r.fields,
                   .text = text != nullptr ? std::string_view(*text) : std::string_view(),
                   .range = range != nullptr && range->bytes > 0 ? range : nullptr},
                  limits, pen);
}

csp::step<void> respond(exchange_record& x, frozen_page p, patience limits, http1_pen& pen)
{
    co_await send(x, {.code = p->code, .fields = p->fields, .text = p->content, .range = nullptr}, limits, pen);
}

}  // namespace server
