// SPDX-License-Identifier: MIT
#include "server/respond/sending.hpp"

#include <algorithm>
#include <utility>

#include "csp/ask.hpp"
#include "server/messages/request_id.hpp"

namespace server {
namespace {

/// Whether the client receives fast enough.
bool takes_enough(connection& c, progress& going)
{
    if (going.goes_on(io::unacknowledged(c.socket))) return true;
    io::drop_unsent(c.socket);
    return false;
}

}  // namespace

void skip(pieces& all, std::size_t bytes)
{
    for (auto& p : all) {
        const std::size_t gone = std::min(bytes, p.size());
        p = p.subspan(gone);
        bytes -= gone;
    }
}

bool still_goes(const io::result<std::size_t>& sent, connection& c, progress& going)
{
    if (!sent) return sent.error().timed_out() && takes_enough(c, going);
    going.add_accepted(*sent);
    return !going.is_due() || takes_enough(c, going);
}

csp::step<bool> send_pieces(connection& c, pieces& left, io::more_follows more, progress& going)
{
    for (std::size_t bytes = bytes_of(left); bytes > 0;) {
        const auto sent =
            co_await io::send(c.socket, std::span<const std::span<const char>>(left), going.next_deadline(), more);
        if (sent) {
            skip(left, *sent);
            bytes -= *sent;
        }
        if (!still_goes(sent, c, going)) co_return false;
    }
    co_return true;
}

csp::step<bool> send_piece(stream_carrier& carrier, stream_piece piece, account& account)
{
    const std::uint64_t bytes = bytes_of(piece.content);
    const auto taken = co_await csp::ask(carrier.to_session, std::move(piece));
    account.content_bytes += taken ? taken->bytes : 0;
    co_return taken && taken->bytes == bytes;
}

bool is_told_its_id(const exchange_record& x, http::status code)
{
    return http::number(code) >= 400 || x.by->ids_in_responses == ids_in_answers::always;
}

void add_id(const exchange_record& x, response& r)
{
    if (is_told_its_id(x, r.code)) r.fields.add(id_field_name, to_string(x.carrier.id()));
}

}  // namespace server
