// SPDX-License-Identifier: MIT
#include "server/cgi_farm/start.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <sys/socket.h>
#include <utility>
#include <variant>
#include <vector>

#include "csp/channel.hpp"
#include "csp/timer.hpp"
#include "http/status.hpp"
#include "io/child.hpp"
#include "io/socket.hpp"
#include "server/cgi_farm/body_feeder.hpp"
#include "server/cgi_farm/collect.hpp"
#include "server/cgi_farm/environment.hpp"
#include "server/messages/request_id.hpp"
#include "server/messages/runner_line.hpp"
#include "server/respond/refusal.hpp"
#include "server/respond/request_body.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;
using http::status;

constexpr std::chrono::milliseconds until_started = 10s;
constexpr std::chrono::milliseconds unlimited = 24h;  // of patience

refused refused_start(const start_failure& why)
{
    switch (why.what) {
        case start_failure::kind::missing:
            return {.why = not_there, .cause = why.text};
        case start_failure::kind::forbidden:
            return {.why = {status::forbidden, "The server may not run this program."}, .cause = why.text};
        case start_failure::kind::unavailable:
            return {
                .why = {status::service_unavailable, "The program cannot be started at the moment. Try again later."},
                .cause = why.text};
        default:
            return {.why = {status::internal_server_error, "The program could not be started."}, .cause = why.text};
    }
}

// ---- the body

/// What the program reads.
struct standard_input {
    io::descriptor descriptor = {};  // the program's end; empty: /dev/null
    std::optional<std::uint64_t> bytes = {};
    std::string first = {};      // bytes that were taken from the body already
    io::socket to_program = {};  // the server's end, if a feeder is needed
};

/// Reads a body of unknown length to its end: a program expects CONTENT_LENGTH.
csp::step<std::optional<refused>> collect_body(program_work& w, standard_input& in)
{
    auto all = co_await collect(*w.body, w.x.by->programs);
    if (!all) {
        if (const auto* const of_client = std::get_if<body_failure>(&all.error())) co_return refused_body(*of_client);
        co_return refused{.why = {status::service_unavailable, "The server has no room for the body of the request."},
                          .cause = std::get<std::string>(all.error())};
    }
    in.bytes = all->bytes;
    in.descriptor = std::move(all->file).release();
    in.first = std::move(all->text);
    co_return std::nullopt;
}

csp::step<std::optional<refused>> prepare_pipe(program_work& w, standard_input& in)
{
    // The feeder could send "100 Continue" after the response has begun.
    if (const auto invited = co_await w.body->invite(); !invited) co_return refused_body(invited.error());
    auto pipe = io::pipe_to_child();
    if (!pipe) co_return refused_for_descriptors();
    in.descriptor = std::move(pipe->childs);
    in.to_program = std::move(pipe->ours);
    co_return std::nullopt;
}

/// Takes the body from the exchange, and decides how the program is to read it. After a redirect the request has none,
/// although some of it may be unread.
csp::step<std::optional<refused>> prepare_input(program_work& w, standard_input& in)
{
    if (w.x.asked.redirects > 0 || !request_body::is_in(w.x)) co_return std::nullopt;
    auto body = request_body::take(w.x);
    if (!body) co_return refused_for_descriptors();
    in.bytes = body->length();
    w.body = std::move(*body);
    if (!in.bytes && w.rules.unknown_length == cgi_rules::body::collected) {
        if (auto failed = co_await collect_body(w, in)) co_return failed;
    }
    if (in.descriptor) co_return std::nullopt;
    co_return co_await prepare_pipe(w, in);
}

/// Starts the feeder, if it is needed.
std::optional<running_program::feeding> feed(program_work& w, standard_input& in)
{
    if (!in.to_program) return std::nullopt;
    csp::chan<stop> until;
    csp::chan<fed_body> told;
    const std::chrono::milliseconds idle = w.rules.of_each.idle;
    program_input input{.first = std::move(in.first), .body = std::exchange(w.body, std::nullopt)};
    w.helpers.start(body_feeder(std::move(input), std::move(in.to_program), idle.count() > 0 ? idle : unlimited,
                                until.rx(), told.tx()));
    return running_program::feeding{.told = told.rx(), .until = until.tx()};
}

void put_back_body(program_work& w)
{
    if (w.body) request_body::put_back(w.x, std::move(*std::exchange(w.body, std::nullopt)));
}

// ---- the environment

struct socket_addresses {
    std::string server, server_port, client_port;
};

/// All empty for a carrier without a connection of its own, and for a Unix socket.
socket_addresses addresses_of(const exchange_record& x)
{
    socket_addresses all;
    const connection* const c = x.carrier.own_connection();
    if (c == nullptr) return all;
    const auto local = io::local(c->socket);
    const auto peer = io::peer(c->socket);
    if (!local || !peer || local->family() == AF_UNIX) return all;
    all.server = local->host();
    all.server_port = std::to_string(local->port());
    all.client_port = std::to_string(peer->port());
    return all;
}

std::expected<std::vector<std::string>, http::error> environment_for(const program_work& w,
                                                                     std::optional<std::uint64_t> body_bytes)
{
    const socket_addresses at = addresses_of(w.x);
    const std::string id = to_string(w.x.carrier.id());
    return environment_of({.head = &w.tools.head,
                           .script_name = w.found.script_name,
                           .path_info = w.found.path_info,
                           .query = w.x.asked.query,
                           .request_target = w.tools.head.target,
                           .script_file = w.found.file,
                           .document_root = w.x.of_site().pages.files.root,
                           .content_length = body_bytes,
                           .remote_address = w.x.carrier.client(),
                           .remote_port = at.client_port,
                           .server_address = at.server,
                           .server_port = at.server_port,
                           .request_id = id,
                           .is_redirected = w.x.asked.redirects > 0},
                          w.rules);
}

// ---- the program

csp::step<std::optional<refused>> run(program_work& w, standard_input in, std::vector<std::string> environment)
{
    auto output = io::pipe_from_child();
    auto errors = io::pipe_from_child();
    if (!output || !errors) co_return refused_for_descriptors();
    auto program = co_await start_program(w.x.by->programs,
                                          {.site = w.x.site,
                                           .route = *w.x.asked.acting,
                                           .script = w.found.asked_for,
                                           .environment = std::move(environment),
                                           .in = std::move(in.descriptor),
                                           .out = std::move(output->childs),
                                           .err = std::move(errors->childs)},
                                          csp::core::here().now() + until_started);
    if (!program) co_return refused_start(program.error());
    w.program.emplace(std::move(*program), std::move(output->ours), std::move(errors->ours), feed(w, in),
                      w.rules.of_each);
    co_return std::nullopt;
}

csp::step<std::optional<refused>> prepare_and_run(program_work& w)
{
    standard_input in;
    if (auto failed = co_await prepare_input(w, in)) co_return failed;
    auto environment = environment_for(w, in.bytes);
    if (!environment) co_return refused{.why = environment.error()};
    co_return co_await run(w, std::move(in), std::move(*environment));
}

}  // namespace

csp::step<std::optional<refused>> start(program_work& w)
{
    auto failed = co_await prepare_and_run(w);
    if (failed) put_back_body(w);
    co_return failed;
}

void feed_on(program_work& w, fed_body stuck)
{
    standard_input in{.first = std::move(stuck.first), .to_program = std::move(stuck.input)};
    w.program->feed_on(feed(w, in));
}

csp::step<void> end(program_work& w)
{
    co_await w.program->end();
    co_await w.program->stop_feeding();
    if (auto fed = w.program->take_fed()) w.body = std::move(fed->body);
    put_back_body(w);
    co_await w.log_errors(error_lines::part::all);
}

}  // namespace server
