// SPDX-License-Identifier: MIT
#include "server/cgi_farm/body_feeder.hpp"

#include <array>
#include <expected>
#include <span>
#include <string_view>
#include <utility>

#include "csp/alt.hpp"
#include "csp/timer.hpp"
#include "io/readiness.hpp"

namespace server {
namespace {

using result = fed_body::result;

/// Writes the bytes to the program as it reads them. Leaves those that it has not written.
csp::step<result> write(std::string_view& bytes, io::socket& to_program, std::chrono::milliseconds patience,
                        csp::in<stop>& until)
{
    io::writable room(to_program);
    while (!bytes.empty()) {
        const csp::timeout too_long = csp::after(patience);
        const auto chosen = co_await csp::pri_alt(until, room, too_long);
        if (chosen == until) co_return result::not_read;
        if (chosen == too_long) co_return result::stuck;
        const auto sent = co_await io::send(to_program, bytes, csp::core::here().now());
        if (sent) bytes.remove_prefix(*sent);
        if (!sent && !sent.error().timed_out()) co_return result::not_read;
    }
    co_return result::all;
}

csp::step<fed_body> feed(program_input& input, io::socket& to_program, std::chrono::milliseconds patience,
                         csp::in<stop>& until)
{
    std::string_view left = input.first;
    fed_body fed{.how = co_await write(left, to_program, patience, until)};
    std::string room;
    while (fed.how == result::all && input.body) {
        room.resize(io::buffer::capacity);
        const auto got = co_await input.body->read(room, until);
        if (!got && got.error() == body_failure::cancelled) {
            fed.how = result::not_read;
        } else if (!got) {
            fed.how = result::body_failed;
            fed.why = got.error();
        } else if (*got == 0) {
            break;
        } else {
            left = std::string_view(room).substr(0, *got);
            fed.how = co_await write(left, to_program, patience, until);
        }
    }
    if (fed.how == result::stuck) fed.first = left;
    fed.body = std::move(input.body);
    co_return fed;
}

}  // namespace

csp::process body_feeder(program_input input, io::socket to_program, std::chrono::milliseconds patience,
                         csp::in<stop> until, csp::out<fed_body> told)
{
    fed_body fed = co_await feed(input, to_program, patience, until);
    if (fed.how == result::stuck || fed.how == result::body_failed) {
        fed.input = std::move(to_program);
    } else {
        to_program = {};  // the program reads the end
    }
    co_await told.output(std::move(fed));
}

}  // namespace server
