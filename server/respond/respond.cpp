// SPDX-License-Identifier: MIT
#include "server/respond/respond.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <span>
#include <type_traits>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "http/response.hpp"
#include "io/readiness.hpp"
#include "server/respond/progress.hpp"
#include "server/respond/sending.hpp"

namespace server {
namespace {

/// Whether the kernel may hold back the end of this response: if the next request has already arrived, both responses
/// can be sent together.
io::more_follows cork(http1_carrier& carrier)
{
    const bool next_is_here = carrier.next_is_here();
    carrier.connection->is_corked = next_is_here;
    return next_is_here ? io::more_follows::yes : io::more_follows::no;
}

/// The key of a file that the cache keeps open; none for other files.
io::file_key key_of(const response& r)
{
    if (!r.page || !r.page->file) return io::file_key::none;
    const file_identity& i = r.page->made_from.front();
    static_assert(std::has_unique_object_representations_v<file_identity>);
    return io::file_key{XXH3_64bits(&i, sizeof i)};
}

csp::step<bool> send_file_part(connection& c, const response& r, slice part, progress& going, std::uint64_t& sent_bytes)
{
    const io::file_key key = key_of(r);
    while (part.bytes > 0) {
        const auto sent =
            co_await io::send_file(c.socket, *r.file, part.offset, part.bytes, going.next_deadline(), key);
        // The file became shorter than the announced length, so the response cannot be completed.
        if (sent == 0U) co_return false;
        if (sent) {
            part.offset += *sent;
            part.bytes -= *sent;
            sent_bytes += *sent;
        }
        if (!still_goes(sent, c, going)) co_return false;
    }
    co_return true;
}

/// The bytes of a segment that are in memory; nothing for a part of a file.
std::string_view text_of(const response& r, const segment& s)
{
    if (const auto* text = std::get_if<std::string>(&s)) return *text;
    const slice& part = std::get<slice>(s);
    return r.page && !r.file ? r.page->as(r.coding).whole.content().substr(part.offset, part.bytes)
                             : std::string_view();
}

csp::step<void> send_http1(http1_carrier& carrier, const response& r, patience limits, head_cache& heads,
                           account& account)
{
    connection& c = *carrier.connection;
    progress going(limits);
    // The head is sent together with the first part of the content, if that is in memory. In most cases that is the
    // whole response.
    const std::string_view first = r.content.empty() ? std::string_view() : text_of(r, r.content.front());
    const auto fixed = heads.fixed_part(r.code, carrier.option());
    const auto whole = heads.whole(r.fields.lines(), first);
    pieces head = whole ? pieces{*whole} : pieces{fixed, r.fields.lines(), end_of_head, first};
    const std::uint64_t all = r.content_bytes();
    const auto more_after = [&](std::uint64_t bytes) { return bytes < all ? io::more_follows::yes : cork(carrier); };
    const bool is_begun = co_await send_pieces(c, head, more_after(first.size()), going);
    account.content_bytes = first.size() - std::min(first.size(), bytes_of(head));
    if (!is_begun) co_return;

    for (std::size_t i = first.empty() ? 0 : 1; i < r.content.size(); ++i) {
        const std::string_view text = text_of(r, r.content[i]);
        if (!text.empty()) {
            const auto more = more_after(account.content_bytes + text.size());
            pieces left{text};
            const bool is_sent = co_await send_pieces(c, left, more, going);
            account.content_bytes += text.size() - bytes_of(left);
            if (!is_sent) co_return;
        } else if (const auto* part = std::get_if<slice>(&r.content[i])) {
            if (!co_await send_file_part(c, r, *part, going, account.content_bytes)) co_return;
            c.is_corked = false;  // sendfile(2) holds nothing back
        }
    }
    account.complete = true;
}

/// A segment for a session. Takes its text.
piece_content content_of(const response& r, segment& s)
{
    if (auto* const text = std::get_if<std::string>(&s)) return std::move(*text);
    const slice& part = std::get<slice>(s);
    if (r.file) return file_part{r.file, part};
    return page_part{r.page, r.coding, part};
}

csp::step<void> send_stream(stream_carrier& carrier, response r, account& account)
{
    using enum stream_piece::what_follows;
    if (r.content.empty()) r.content.emplace_back();
    stream_piece piece{.stream = carrier.stream, .code = r.code, .fields = std::move(r.fields)};
    for (segment& s : r.content) {
        piece.content = content_of(r, s);
        piece.next = &s == &r.content.back() ? nothing : more;
        if (!co_await send_piece(carrier, std::exchange(piece, {.stream = carrier.stream}), account)) co_return;
    }
    account.complete = true;
}

constexpr std::string_view connection_field(http1_carrier::connection_option option)
{
    switch (option) {
        case http1_carrier::connection_option::close:
            return "Connection: close\r\n";
        case http1_carrier::connection_option::none:
            return "";  // the default of HTTP/1.1 (RFC 9112, section 9.3)
        case http1_carrier::connection_option::keep_alive:
            return "Connection: keep-alive\r\n";
    }
    std::unreachable();
}

/// The pieces of a ready page, and the fields that the connection and the request add to it.
class ready_pieces {
  public:
    /// REQUIRES: the carrier is HTTP/1.1; the exchange and the page outlive this object.
    ready_pieces(const exchange_record& x, const page& ready) : option_(x.carrier.http1()->option())
    {
        if (ready.nothing) {
            take(x, *ready.nothing);
        } else {
            take(x, ready.best(x.asked.accepted).whole);
        }
    }
    ready_pieces(const ready_pieces&) = delete;
    ready_pieces& operator=(const ready_pieces&) = delete;

    [[nodiscard]] const pieces& all() const { return all_; }
    [[nodiscard]] http::status code() const { return code_; }
    [[nodiscard]] std::size_t content_bytes() const { return content_bytes_; }

  private:
    void take(const exchange_record& x, const ready_response& whole)
    {
        content_bytes_ = whole.content().size();
        all_ = {whole.bytes()};
        const bool is_told = is_told_its_id(x, code_);
        if (option_ == http1_carrier::connection_option::none && !is_told) return;
        begin(whole);
        if (is_told) add_id(x);
        all_ = {own(), whole.bytes().substr(whole.beginning().size())};
    }
    void take(const exchange_record& x, const absence& nothing)
    {
        code_ = nothing.why.code;
        const ready_error& form = nothing.form_for(x.asked.accept);
        const ready_response& most = form.most;
        begin(most);
        const std::string_view id = add_id(x);
        const bool shows_id = form.id_at != ready_error::nowhere;
        const std::size_t content = most.content().size() + (shows_id ? id.size() : 0);
        add("Content-Length: ");
        end_ = std::to_chars(end_, own_.data() + own_.size(), content).ptr;
        add(end_of_head);

        const std::string_view rest = most.bytes().substr(most.beginning().size());
        const std::size_t head = rest.size() - most.content().size();
        if (x.asked.method == http::method::head) {
            all_ = {own(), rest.substr(0, head)};
        } else if (shows_id) {
            all_ = {own(), rest.substr(0, head + form.id_at), id, rest.substr(head + form.id_at)};
        } else {
            all_ = {own(), rest};
        }
        content_bytes_ = x.asked.method == http::method::head ? 0 : content;
    }

    void begin(const ready_response& r)
    {
        CSP_CHECK(r.beginning().size() <= longest_beginning, "a status line, Server and Date have room");
        add(r.beginning());
        add(connection_field(option_));
    }
    /// Returns the text of the id.
    std::string_view add_id(const exchange_record& x)
    {
        add(id_field_name);
        add(": ");
        char* const id = end_;
        end_ = print(x.carrier.id(), end_);
        const std::string_view printed(id, end_);
        add(end_of_head);
        return printed;
    }
    void add(std::string_view text) { end_ += text.copy(end_, text.size()); }
    [[nodiscard]] std::string_view own() const { return {own_.data(), end_}; }

    static constexpr std::size_t longest_beginning = 160;
    std::array<char, longest_beginning + 160> own_;  // and two fields, each of which is shorter than 80
    char* end_ = own_.data();
    http1_carrier::connection_option option_;
    http::status code_ = http::status::ok;
    std::size_t content_bytes_ = 0;
    pieces all_;
};

void note_all_sent(exchange_record& x, const ready_pieces& sent)
{
    x.sent.content_bytes = sent.content_bytes();
    x.sent.complete = true;
}

}  // namespace

std::span<const char> head_cache::fixed_part(http::status code, http1_carrier::connection_option option)
{
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (fixed_bytes_ == 0 || code != code_ || option != option_ || now != second_) {
        code_ = code;
        option_ = option;
        second_ = now;
        http::head_writer writer(room_);
        writer.status_line(code).field("Server", "occwserv").date(now);
        const auto written = writer.finish();
        CSP_CHECK(written, "the fixed part of a head has room");
        fixed_bytes_ = *written - end_of_head.size();  // the fields of the connection and of the response follow
        fixed_bytes_ += connection_field(option).copy(room_.data() + fixed_bytes_, room_.size() - fixed_bytes_);
    }
    return std::span(room_).first(fixed_bytes_);
}

std::optional<std::span<const char>> head_cache::whole(std::string_view fields, std::string_view text)
{
    const std::size_t bytes = fixed_bytes_ + fields.size() + end_of_head.size() + text.size();
    if (bytes > room_.size()) return std::nullopt;
    char* to = room_.data() + fixed_bytes_;
    for (const std::string_view part : {fields, end_of_head, text}) {
        to += part.copy(to, part.size());
    }
    return std::span(room_).first(bytes);
}

csp::step<void> respond(exchange_record& x, response r, patience limits, head_cache& heads)
{
    x.sent.code = r.code;
    add_id(x, r);
    if (x.asked.method == http::method::head) r.content.clear();
    if (auto* const http1 = x.carrier.http1()) {
        co_await send_http1(*http1, r, limits, heads, x.sent);
    } else {
        co_await send_stream(*x.carrier.stream(), std::move(r), x.sent);
    }
}

void push_last_answer(exchange_record& x)
{
    auto* const http1 = x.carrier.http1();
    if (http1 != nullptr && std::exchange(http1->connection->is_corked, false)) io::push(http1->connection->socket);
}

bool client_has_left(const exchange_record& x)
{
    const connection* const c = x.carrier.own_connection();
    return c != nullptr && io::has_left(c->socket);
}

at_once send_at_once(exchange_record& x, const page& ready)
{
    auto* const http1 = x.carrier.http1();
    if (http1 == nullptr) return {};
    const ready_pieces outgoing(x, ready);
    x.sent.code = outgoing.code();
    const std::size_t bytes = io::send_now(http1->connection->socket, outgoing.all(), cork(*http1));
    if (bytes < bytes_of(outgoing.all())) return {.bytes = bytes};
    note_all_sent(x, outgoing);
    return {.bytes = bytes, .is_all = true};
}

csp::step<void> send_rest(exchange_record& x, const page& ready, std::size_t sent_bytes, patience limits)
{
    const ready_pieces outgoing(x, ready);
    x.sent.code = outgoing.code();
    progress going(limits);
    going.add_accepted(sent_bytes);
    pieces left = outgoing.all();
    skip(left, sent_bytes);
    http1_carrier& carrier = *x.carrier.http1();
    if (co_await send_pieces(*carrier.connection, left, cork(carrier), going)) note_all_sent(x, outgoing);
}

}  // namespace server
