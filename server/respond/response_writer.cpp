// SPDX-License-Identifier: MIT
#include "server/respond/response_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>
#include <string>
#include <utility>

#include "http/chunked.hpp"
#include "http/method.hpp"
#include "http/status.hpp"
#include "io/readiness.hpp"
#include "server/respond/sending.hpp"

namespace server {
namespace {

/// From this number of ready bytes on, splice(2) is cheaper than a copy. For the 64 KiB of a full pipe, to a TCP socket
/// of the same machine, it takes a quarter of our processor time less; for 8 KiB the two are equal; for less, splice is
/// dearer, because it hands over a page for each short write.
constexpr std::size_t worth_splicing = 16 * 1024;

constexpr std::string_view end_of_last_piece = "\r\n0\r\n\r\n";
static_assert(end_of_last_piece.starts_with(http::chunk_suffix) && end_of_last_piece.ends_with(http::last_chunk));

/// The status of a head that was made elsewhere.
http::status status_in(std::string_view head)
{
    const std::size_t space = std::min(head.find(' '), head.size());
    unsigned code = 0;
    std::from_chars(head.data() + std::min(space + 1, head.size()), head.data() + head.size(), code);
    return code >= 100 && code <= 999 ? static_cast<http::status>(code) : http::status::ok;
}

/// The response ends with the connection, so that this cannot persist.
void close_after(http1_carrier& carrier)
{
    if (carrier.persists()) carrier.then = http1_carrier::close{.lingers = true, .takes_chunks = false};
}

/// Whether the kernel, or a filter of system calls, refuses this splice(2) whatever the state of the connection.
bool is_refusal(const io::error& why)
{
    return why.number == EINVAL || why.number == ENOSYS || why.number == EPERM || why.number == EACCES;
}

}  // namespace

bool may_have_content(http::status code)
{
    using enum http::status;
    return code != no_content && code != reset_content && code != not_modified;
}

csp::step<bool> response_writer::begin(response head, std::optional<std::uint64_t> length, std::string_view first)
{
    x_.sent.code = head.code;
    add_id(x_, head);
    left_ = length;
    sends_content_ = may_have_content(head.code) && x_.asked.method != http::method::head;
    if (may_have_content(head.code)) {
        if (length) head.fields.add("Content-Length", *length);
    } else if (head.code == http::status::reset_content) {
        head.fields.add("Content-Length", std::uint64_t{0});
    }
    if (auto* const http1 = x_.carrier.http1()) {
        co_return co_await begin_http1(*http1, std::move(head), take_due(first));
    }
    co_return co_await send_to_session({.stream = x_.carrier.stream()->stream,
                                        .code = head.code,
                                        .fields = std::move(head.fields),
                                        .content = std::string(take_due(first))});
}

/// The part of a piece that is to be sent.
std::string_view response_writer::take_due(std::string_view piece)
{
    if (!sends_content_) return {};
    if (!left_) return piece;
    piece = piece.substr(0, *left_);
    *left_ -= piece.size();
    return piece;
}

void response_writer::choose_framing(http1_carrier& carrier, response& head)
{
    if (!sends_content_ || left_) return;
    is_chunked_ = carrier.takes_chunks();
    if (is_chunked_) {
        head.fields.add("Transfer-Encoding", "chunked");
    } else {
        close_after(carrier);
    }
}

csp::step<bool> response_writer::begin_http1(http1_carrier& carrier, response head, std::string_view first)
{
    choose_framing(carrier, head);
    const auto fixed = heads_.fixed_part(head.code, carrier.option());
    const http::chunk_prefix size(std::max<std::size_t>(first.size(), 1));
    const bool is_chunk = is_chunked_ && !first.empty();
    const auto whole = heads_.whole(head.fields.lines(), is_chunk ? size.text() : std::string_view());
    const std::string_view suffix = is_chunk ? http::chunk_suffix : std::string_view();
    if (whole) co_return co_await send({whole->begin(), whole->end()}, first, suffix);

    std::string text(fixed.begin(), fixed.end());
    text.append(head.fields.lines()).append(end_of_head);
    if (is_chunk) text.append(size.text());
    co_return co_await send(text, first, suffix);
}

/// Sends a piece of content between other bytes, over HTTP/1.1.
csp::step<bool> response_writer::send(std::string_view before, std::string_view content, std::string_view after,
                                      io::more_follows more)
{
    if (!goes_on_) co_return false;
    going_.resume();
    pieces left{before, content, after};
    client().is_corked = more == io::more_follows::yes;
    goes_on_ = co_await send_pieces(client(), left, more, going_);
    x_.sent.content_bytes += content.size() - left[1].size();
    co_return goes_on_;
}

csp::step<bool> response_writer::send_to_session(stream_piece piece)
{
    if (!goes_on_) co_return false;
    goes_on_ = co_await send_piece(*x_.carrier.stream(), std::move(piece), x_.sent);
    co_return goes_on_;
}

csp::step<bool> response_writer::write(std::string_view piece)
{
    piece = take_due(piece);
    if (piece.empty()) co_return goes_on_;
    if (const auto* const carrier = x_.carrier.stream()) {
        co_return co_await send_to_session({.stream = carrier->stream, .content = std::string(piece)});
    }
    if (!is_chunked_) co_return co_await send({}, piece, {});
    co_return co_await send(http::chunk_prefix(piece.size()).text(), piece, http::chunk_suffix);
}

csp::step<bool> response_writer::end(std::string_view last)
{
    last = take_due(last);
    const bool is_short = sends_content_ && left_.value_or(0) > 0;
    if (const auto* const carrier = x_.carrier.stream()) {
        co_await send_to_session(
            {.stream = carrier->stream,
             .content = std::string(last),
             .next = is_short ? stream_piece::what_follows::never : stream_piece::what_follows::nothing});
    } else if (is_chunked_ && last.empty()) {
        co_await send({}, {}, http::last_chunk);
    } else if (is_chunked_) {
        co_await send(http::chunk_prefix(last.size()).text(), last, end_of_last_piece);
    } else if (!last.empty()) {
        co_await send({}, last, {});
    }
    x_.sent.complete = goes_on_ && !is_short;
    co_return x_.sent.complete;
}

csp::step<bool> response_writer::raw(std::string_view bytes)
{
    auto* const carrier = x_.carrier.http1();
    if (carrier == nullptr) co_return false;
    if (!std::exchange(is_raw_, true)) {
        close_after(*carrier);
        x_.sent.code = status_in(bytes);
    }
    co_return co_await send({}, bytes, {});
}

bool response_writer::client_has_left()
{
    if (!goes_on_) return true;
    const auto* const session = x_.carrier.stream();
    if (session == nullptr) return io::has_left(client().socket);
    return session->left && session->left.guarded()->closed();
}

// ---- from a pipe

std::span<char> response_writer::room()
{
    if (room_ == nullptr) room_ = std::make_unique_for_overwrite<char[]>(worth_splicing);
    return {room_.get(), worth_splicing};
}

csp::step<std::optional<response_writer::moved>> response_writer::splice(io::socket& pipe, std::size_t most)
{
    if (!goes_on_) co_return std::nullopt;
    // A program that writes little by little costs no extra call: only after a full room do we ask for the number.
    if (is_flooding_ && splices_ && sends_content_ && x_.carrier.http1() != nullptr) {
        std::size_t bytes = std::min(io::ready_bytes(pipe), most);
        if (left_) bytes = std::min<std::uint64_t>(bytes, *left_);
        if (bytes >= worth_splicing) {
            if (!co_await send_spliced(pipe, bytes)) co_return std::nullopt;
            co_return moved{.bytes = bytes};
        }
    }
    co_return co_await copy(pipe, most);
}

/// Reads and writes. `most` is at least 1.
csp::step<std::optional<response_writer::moved>> response_writer::copy(io::socket& pipe, std::size_t most)
{
    const auto into = room().first(std::min(most, room().size()));
    const auto got = co_await io::recv(pipe, into, csp::core::here().now());
    if (!got && got.error().timed_out()) co_return moved{};
    if (got.value_or(0) == 0) co_return moved{.is_at_end = true};
    is_flooding_ = *got == into.size();
    if (!co_await write({into.data(), *got})) co_return std::nullopt;
    co_return moved{.bytes = *got};
}

/// Sends so many bytes that are ready in the pipe. REQUIRES: HTTP/1.1.
csp::step<bool> response_writer::send_spliced(io::socket& pipe, std::size_t bytes)
{
    if (left_) *left_ -= bytes;
    if (is_chunked_ && !co_await send(http::chunk_prefix(bytes).text(), {}, {}, io::more_follows::yes)) co_return false;
    going_.resume();
    std::size_t left = bytes;
    goes_on_ = co_await splice_all(pipe, left) && co_await copy_all(pipe, left);
    if (is_chunked_) co_return co_await send({}, {}, http::chunk_suffix);
    co_return goes_on_;
}

/// Sends what the kernel can splice; `left` is the number of bytes that it refused.
csp::step<bool> response_writer::splice_all(io::socket& pipe, std::size_t& left)
{
    const auto more = is_chunked_ ? io::more_follows::yes : io::more_follows::no;
    while (left > 0) {
        const auto sent = co_await io::splice(pipe, client().socket, left, going_.next_deadline(), more);
        if (!sent && is_refusal(sent.error())) {
            splices_ = false;
            co_return true;
        }
        if (sent == 0U) co_return false;  // another process has read from the pipe
        left -= sent.value_or(0);
        x_.sent.content_bytes += sent.value_or(0);
        if (!still_goes(sent, client(), going_)) co_return false;
    }
    co_return true;
}

csp::step<bool> response_writer::copy_all(io::socket& pipe, std::size_t& left)
{
    while (left > 0) {
        const auto into = room().first(std::min(left, room().size()));
        const auto got = co_await io::recv(pipe, into, csp::core::here().now());
        if (got.value_or(0) == 0) co_return false;
        left -= *got;
        if (!co_await send({}, {into.data(), *got}, {})) co_return false;
    }
    co_return true;
}

}  // namespace server
