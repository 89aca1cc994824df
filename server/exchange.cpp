// SPDX-License-Identifier: MIT
#include "server/exchange.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <span>

#include "http/response.hpp"
#include "server/progress.hpp"

namespace server {
namespace {

constexpr std::size_t pieces_from_file = 64 * 1024;  // bytes; for carriers that cannot send from the file itself

/// The head of an HTTP/1.1 response up to the fields of the response itself; those follow, then the empty line.
class http1_head {
  public:
    http1_head(http::status code, bool persists)
    {
        http::head_writer writer(room_);
        writer.status_line(code).field("Server", "occwserv").date(today());
        writer.field("Connection", persists ? "keep-alive" : "close");
        // The writer ends the head; the fields that follow need that empty line taken back.
        const auto written = writer.finish();
        CSP_CHECK(written, "the fixed part of a head fits in its room");
        bytes_ = *written - 2;
    }
    [[nodiscard]] std::span<const char> bytes() const { return std::span(room_).first(bytes_); }

  private:
    static std::chrono::sys_seconds today()
    {
        return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    }
    std::array<char, 256> room_;
    std::size_t bytes_;
};

constexpr std::string_view end_of_head = "\r\n";

using pieces = std::array<std::span<const char>, 4>;

/// Sends all of them: in one call where the socket takes them, else bit by bit as long as there is progress.
csp::step<bool> send_pieces(connection& c, pieces left, io::more_follows more, progress& going)
{
    std::size_t bytes_left = 0;
    for (const auto& p : left) bytes_left += p.size();
    while (bytes_left > 0) {
        const auto sent =
            co_await io::send(c.socket, std::span<const std::span<const char>>(left), going.next_deadline(), more);
        if (!sent) co_return false;
        going.made(*sent);
        bytes_left -= *sent;
        std::size_t skip = *sent;
        for (auto& p : left) {
            const std::size_t gone = std::min(skip, p.size());
            p = p.subspan(gone);
            skip -= gone;
        }
    }
    co_return true;
}

csp::step<bool> send_range(connection& c, const file_range& range, progress& going, std::uint64_t& sent_bytes)
{
    while (sent_bytes < range.bytes) {
        const auto sent = co_await io::send_file(c.socket, range.from, range.offset + sent_bytes,
                                                 range.bytes - sent_bytes, going.next_deadline());
        // A file that became shorter than its announced length: the response cannot be completed any more.
        if (!sent || *sent == 0) co_return false;
        sent_bytes += *sent;
        going.made(*sent);
    }
    co_return true;
}

struct to_send {
    http::status code;
    std::string_view fields;
    std::string_view text;
    const file_range* range;
};

csp::step<void> send_http1(http1_carrier& carrier, const to_send& what, bool head_only, account& sent, patience limits)
{
    connection& c = *carrier.connection;
    progress going(limits);
    const http1_head head(what.code, carrier.persists);
    const bool range_follows = what.range != nullptr && what.range->bytes > 0 && !head_only;
    const std::string_view text = head_only ? std::string_view() : what.text;
    sent.complete = co_await send_pieces(c, pieces{head.bytes(), what.fields, end_of_head, text},
                                         range_follows ? io::more_follows::yes : io::more_follows::no, going);
    if (sent.complete) sent.content_bytes = text.size();
    if (sent.complete && range_follows) {
        sent.complete = co_await send_range(c, *what.range, going, sent.content_bytes);
    }
}

csp::step<void> send_stream(stream_carrier& carrier, const to_send& what, response_fields fields, bool head_only,
                            account& sent)
{
    const std::uint64_t ranged = what.range != nullptr && !head_only ? what.range->bytes : 0;
    const std::string_view text = head_only ? std::string_view() : what.text;
    stream_piece first{.stream = carrier.stream,
                       .code = what.code,
                       .fields = std::move(fields),
                       .bytes = std::string(text),
                       .last = ranged == 0};
    if (!co_await carrier.to_session.output(std::move(first))) co_return;
    sent.content_bytes = text.size();
    while (sent.content_bytes < ranged) {
        std::string bytes(std::min<std::uint64_t>(pieces_from_file, ranged - sent.content_bytes), '\0');
        const auto got = co_await io::read(what.range->from, bytes, what.range->offset + sent.content_bytes);
        if (!got || *got == 0) co_return;
        bytes.resize(*got);
        sent.content_bytes += *got;
        stream_piece next{.stream = carrier.stream,
                          .code = std::nullopt,
                          .fields = {},
                          .bytes = std::move(bytes),
                          .last = sent.content_bytes == ranged};
        if (!co_await carrier.to_session.output(std::move(next))) co_return;
    }
    sent.complete = true;
}

csp::step<void> send(exchange_record& x, const to_send& what, const response_fields& fields, patience limits)
{
    x.sent.code = what.code;
    const bool head_only = x.asked.method == http::method::head;
    if (auto* http1 = std::get_if<http1_carrier>(&x.carrier)) {
        co_await send_http1(*http1, what, head_only, x.sent, limits);
    } else {
        co_await send_stream(std::get<stream_carrier>(x.carrier), what, fields, head_only, x.sent);
    }
}

}  // namespace

csp::step<void> respond(exchange_record& x, response&& r, patience limits)
{
    const auto* text = std::get_if<std::string>(&r.body);
    const to_send what{.code = r.code,
                       .fields = r.fields.lines(),
                       .text = text != nullptr ? std::string_view(*text) : std::string_view(),
                       .range = std::get_if<file_range>(&r.body)};
    co_await send(x, what, r.fields, limits);
}

csp::step<void> respond(exchange_record& x, frozen_page p, patience limits)
{
    co_await send(x, {.code = p->code, .fields = p->fields.lines(), .text = p->content, .range = nullptr}, p->fields,
                  limits);
}

}  // namespace server
