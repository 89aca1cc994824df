// SPDX-License-Identifier: MIT
#include "server/respond/request_body.hpp"

#include <algorithm>
#include <cstring>

#include "csp/check.hpp"
#include "io/readiness.hpp"
#include "server/respond/respond.hpp"

namespace server {
namespace {

constexpr std::string_view continue_answer = "HTTP/1.1 100 Continue\r\n\r\n";

body_failure failure_of(const http::error& why)
{
    return why.code == http::status::bad_request ? body_failure::malformed : body_failure::too_large;
}

}  // namespace

// ---- from a connection

request_body::from_connection::from_connection(unread_body& of, const connection& c, const policy& by)
    : rest_(of.rest), awaits_continue_(of.awaits_continue), sizes_(by.limits), pace_(by.patience)
{
    std::string_view input = c.input.text().substr(c.head_bytes() + of.consumed);
    if (const auto* const bytes = std::get_if<std::uint64_t>(&rest_)) {
        input = input.substr(0, std::min<std::uint64_t>(*bytes, input.size()));
    }
    is_here_input_ = of.beyond.empty();
    here_ = is_here_input_ ? std::string(input) : of.beyond;
}

bool request_body::from_connection::needs_socket() const
{
    if (const auto* const bytes = std::get_if<std::uint64_t>(&rest_)) return here_.size() < *bytes;
    auto chunks = std::get<http::chunked_decoder>(rest_);
    for (std::span<const char> left = here_; !left.empty();) {
        const auto piece = chunks.feed(left, sizes_);
        if (!piece || piece->done) return false;
        left = left.subspan(piece->consumed);
    }
    return true;
}

void request_body::from_connection::put_back(unread_body& into)
{
    into.rest = rest_;
    into.awaits_continue = awaits_continue_;
    into.is_over = is_over_;
    into.consumed += consumed_;
    here_.erase(0, used_);
    into.beyond = is_here_input_ ? std::string() : std::move(here_);
}

/// Decodes in place: moves the content to the beginning of the memory.
std::expected<request_body::from_connection::decoded, body_failure> request_body::from_connection::decode(
    std::span<char> raw)
{
    if (auto* const bytes = std::get_if<std::uint64_t>(&rest_)) {
        *bytes -= raw.size();
        is_over_ = *bytes == 0;
        return decoded{.content = raw.size()};
    }
    decoded all;
    for (std::span<const char> left = raw; !left.empty() && !is_over_;) {
        const auto piece = std::get<http::chunked_decoder>(rest_).feed(left, sizes_);
        if (!piece) return std::unexpected(failure_of(piece.error()));
        if (!piece->data.empty()) std::memmove(raw.data() + all.content, piece->data.data(), piece->data.size());
        all.content += piece->data.size();
        left = left.subspan(piece->consumed);
        is_over_ = piece->done;
        all.unused = left.size();
    }
    return all;
}

request_body::outcome request_body::from_connection::read_what_is_here(std::span<char> into)
{
    const std::span<char> raw = into.first(std::min(into.size(), here_.size() - used_));
    std::copy_n(here_.data() + used_, raw.size(), raw.data());
    const auto got = decode(raw);
    if (!got) return std::unexpected(got.error());
    const std::size_t bytes = raw.size() - got->unused;
    used_ += bytes;
    if (is_here_input_) consumed_ += bytes;
    awaits_continue_ = false;  // the client has begun to send
    return got->content;
}

/// Receives and decodes what has arrived, or waits until something has. 0: call it again.
csp::step<request_body::outcome> request_body::from_connection::receive(std::span<char> into, csp::in<stop>& until)
{
    const auto* const bytes = std::get_if<std::uint64_t>(&rest_);
    const std::span<char> raw = into.first(bytes ? std::min<std::uint64_t>(into.size(), *bytes) : into.size());
    const auto got = co_await io::recv(socket_, raw, csp::core::here().now());
    if (!got && got.error().timed_out()) {
        if (const auto failed = co_await invite()) co_return std::unexpected(*failed);
        io::readable arrivals(socket_);
        if (const auto failed = co_await pace_.wait_for(arrivals, until)) co_return std::unexpected(*failed);
        co_return 0;
    }
    if (!got || *got == 0) co_return std::unexpected(body_failure::client_left);
    awaits_continue_ = false;
    pace_.add_received(*got);
    const auto content = decode(raw.first(*got));
    if (!content) co_return std::unexpected(content.error());
    if (content->unused > 0) {
        here_ = std::string_view(raw.data(), *got).substr(*got - content->unused);
        used_ = 0;
        is_here_input_ = false;
    }
    co_return content->content;
}

csp::step<request_body::outcome> request_body::from_connection::read(std::span<char> into, csp::in<stop>& until)
{
    while (!is_over_) {
        const bool is_here = used_ < here_.size();
        const outcome got = is_here ? read_what_is_here(into) : co_await receive(into, until);
        if (!got || *got > 0) co_return got;
    }
    co_return 0;
}

csp::step<std::optional<body_failure>> request_body::from_connection::invite()
{
    const bool sends = awaits_continue_ && here_.empty();
    awaits_continue_ = false;
    if (!sends) co_return std::nullopt;
    const auto sent = co_await io::send_all(socket_, continue_answer, csp::core::here().now() + pace_.left());
    if (sent) co_return std::nullopt;
    co_return sent.error().timed_out() ? body_failure::too_slow : body_failure::client_left;
}

// ---- from a session

csp::step<request_body::outcome> request_body::from_session::read(std::span<char> into, csp::in<stop>& until)
{
    if (is_over_) co_return 0;
    csp::chan<body_piece> answer;
    auto pieces = answer.rx();
    body_question next{.most_bytes = into.size(), .answer = answer.tx()};
    if (!co_await pieces_.output(std::move(next))) co_return std::unexpected(body_failure::client_left);
    if (const auto failed = co_await pace_.wait_for(pieces, until)) co_return std::unexpected(*failed);
    auto piece = co_await pieces.input();
    if (!piece) co_return std::unexpected(body_failure::client_left);
    const std::string& bytes = piece->bytes;
    CSP_CHECK(bytes.size() <= into.size() && (piece->is_last || !bytes.empty()), "a session answers what was asked");
    if (bytes.size() > most_bytes_) co_return std::unexpected(body_failure::too_large);
    most_bytes_ -= bytes.size();
    pace_.add_received(bytes.size());
    is_over_ = piece->is_last;
    std::ranges::copy(bytes, into.begin());
    co_return bytes.size();
}

// ---- for any carrier

bool request_body::is_in(const exchange_record& x)
{
    if (const auto* const s = x.carrier.stream()) return static_cast<bool>(s->body);
    const auto& body = x.carrier.http1()->body;
    return body && !body->is_taken && !body->is_over;
}

std::optional<std::uint64_t> request_body::length_of(const exchange_record& x)
{
    if (const auto* const s = x.carrier.stream()) return s->body_length;
    const auto& body = x.carrier.http1()->body;
    return body ? body->length : std::nullopt;
}

std::expected<request_body, io::error> request_body::take(exchange_record& x)
{
    CSP_CHECK(is_in(x), "an exchange has one body, which is taken once");
    const auto length = length_of(x);
    if (auto* const s = x.carrier.stream()) return request_body(from_session(std::move(s->body), *x.by), length);

    push_last_answer(x);  // the reader may wait for a client that waits for that answer
    http1_carrier& carrier = *x.carrier.http1();
    unread_body& unread = *carrier.body;
    from_connection source(unread, *carrier.connection, *x.by);
    if (source.needs_socket()) {
        auto socket = carrier.connection->socket.another();
        if (!socket) return std::unexpected(socket.error());
        source.set_socket(std::move(*socket));
    }
    unread.is_taken = true;
    if (unread.persists_if_read) carrier.then = http1_carrier::keep_open();
    return request_body(std::move(source), length);
}

void request_body::put_back(exchange_record& x, request_body&& b)
{
    request_body body = std::move(b);
    auto* const source = std::get_if<from_connection>(&body.source_);
    if (!source) return;  // the session notices that the channel was dropped
    http1_carrier& carrier = *x.carrier.http1();
    source->put_back(*carrier.body);
    carrier.body->is_taken = false;
    if (body.failure_ || source->awaits_continue())
        carrier.then = http1_carrier::close{.lingers = true, .takes_chunks = carrier.takes_chunks()};
}

bool request_body::is_over() const
{
    return std::visit([](const auto& source) { return source.is_over(); }, source_);
}

csp::step<request_body::outcome> request_body::read(std::span<char> into, csp::in<stop>& until)
{
    if (failure_) co_return std::unexpected(*failure_);
    if (until && (co_await csp::pri_alt(until, csp::skip)) == until) {
        co_return std::unexpected(body_failure::cancelled);
    }
    auto* const connected = std::get_if<from_connection>(&source_);
    const outcome got =
        connected ? co_await connected->read(into, until) : co_await std::get<from_session>(source_).read(into, until);
    if (!got && (!connected || got.error() != body_failure::cancelled)) failure_ = got.error();
    co_return got;
}

csp::step<request_body::outcome> request_body::read(std::span<char> into)
{
    csp::in<stop> nobody;
    co_return co_await read(into, nobody);
}

csp::step<std::expected<void, body_failure>> request_body::invite()
{
    auto* const connected = std::get_if<from_connection>(&source_);
    if (connected && !failure_) failure_ = co_await connected->invite();
    if (failure_) co_return std::unexpected(*failure_);
    co_return std::expected<void, body_failure>();
}

}  // namespace server
