// SPDX-License-Identifier: MIT
#include "server/cgi_farm/cgi_page.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"
#include "csp/timer.hpp"
#include "http/characters.hpp"
#include "http/list.hpp"
#include "http/target.hpp"
#include "io/socket.hpp"
#include "server/cgi_farm/body_feeder.hpp"
#include "server/cgi_farm/collect.hpp"
#include "server/cgi_farm/environment.hpp"
#include "server/cgi_farm/find_program.hpp"
#include "server/cgi_farm/running_program.hpp"
#include "server/cgi_farm/script_head.hpp"
#include "server/messages/runner_line.hpp"
#include "server/respond/decide.hpp"
#include "server/respond/refusal.hpp"
#include "server/respond/request_body.hpp"
#include "server/respond/response_writer.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;
using http::status;
using event = running_program::event;

constexpr std::size_t output_at_once = 64 * 1024;  // bytes; what a pipe has room for
constexpr std::chrono::milliseconds until_started = 10s;
// A program ends when it closes its standard output, or a moment later. Only then is it known whether it was killed.
constexpr std::chrono::milliseconds for_its_status = 100ms;
constexpr std::chrono::milliseconds for_its_end = 3s;
constexpr unsigned most_redirects = 10;

constexpr http::error no_trace{status::method_not_allowed, "TRACE is not supported."};
constexpr http::error too_many_run{status::service_unavailable,
                                   "Too many programs run at the moment. Try again later."};
constexpr http::error not_started{status::internal_server_error, "The program could not be started."};
constexpr http::error cannot_start_now{status::service_unavailable,
                                       "The program cannot be started at the moment. Try again later."};
constexpr http::error no_valid_answer{status::bad_gateway, "The program sent no valid response."};
constexpr http::error no_answer_in_time{status::gateway_timeout, "The program did not answer in time."};
constexpr http::error redirect_loop{status::bad_gateway, "The programs of this site redirect in a circle."};
constexpr http::error no_such_file{status::bad_gateway, "The program named a file that cannot be sent."};

/// Why a request is not answered by its program.
struct refused {
    http::error why;
    std::string cause = {};  // for the log; empty if the client is at fault
    program_end counts_as = program_end::failed;
    response_fields with = {};
};

/// How the work of a program ended: its response was sent, as far as the client took it; or the request is to be
/// decided again, for the path that the program has redirected to.
enum class outcome : std::uint8_t { answered, cut_short, client_left, timed_out, redirected };

constexpr const char* no_descriptor = "no file descriptor is left";

// ---- places

std::string name_of_places(const exchange_record& x)
{
    return fmt::format("{} {}", x.of_site().name, x.acting_route().path);
}

/// Waits for a place. Withdraws the request if the client leaves meanwhile; the answer comes in any case.
csp::step<place_answer> take_place(exchange_record& x, const cgi_rules& rules, csp::bridge_out<place_order>& to_desk)
{
    csp::bridge<place_answer> answer(csp::core::here());
    csp::in<place_answer> answers = answer.rx();
    place_request asks{.of = name_of_places(x),
                       .running = rules.running,
                       .waiting = rules.waiting,
                       .wait = rules.wait,
                       .by = x.carrier.id(),
                       .answer = answer.tx()};
    if (!co_await to_desk.output(std::move(asks))) co_return place_answer::too_many;
    for (bool waits = true; waits;) {
        const csp::timeout look = csp::after(1s);
        waits = co_await csp::pri_alt(answers, look) == look;
        if (waits && client_has_left(x)) {
            co_await to_desk.output(place_withdrawn{.of = name_of_places(x), .by = x.carrier.id()});
            waits = false;
        }
    }
    co_return (co_await answers.input()).value_or(place_answer::too_many);
}

refused no_place()
{
    refused r{.why = too_many_run, .cause = "too many programs of this route run, and too many requests wait"};
    r.with.add("Retry-After", std::uint64_t{5});
    return r;
}

// ---- what the program is told

struct socket_addresses {
    std::string server, server_port, client_port;
};

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

/// Whether the field lines have a field of this name.
bool has_field(std::string_view lines, std::string_view name)
{
    while (!lines.empty()) {
        const std::string_view line = lines.substr(0, lines.find("\r\n"));
        if (line.size() > name.size() && line[name.size()] == ':' &&
            http::equal_ignoring_case(line.substr(0, name.size()), name)) {
            return true;
        }
        lines.remove_prefix(std::min(line.size() + 2, lines.size()));
    }
    return false;
}

// ---- one program

/// A program's answer to a request. Exists while the program runs.
class program_answer {
  public:
    program_answer(exchange_record& x, const cgi_rules& rules, page_tools& tools, cgi_links& to)
        : x_(x), rules_(rules), tools_(tools), to_(to)
    {
    }

    csp::step<std::expected<outcome, refused>> run(found_program found)
    {
        found_ = std::move(found);
        if (auto failed = co_await start()) co_return std::unexpected(std::move(*failed));
        auto done = co_await respond();
        co_await program_->end();
        co_await program_->stop_feeding();
        put_back_body();
        for (const std::string& line : program_->errors().take(true)) co_await log("notice", line);
        co_return done;
    }

    csp::step<void> log(std::string_view severity, std::string_view what)
    {
        co_await to_.to_log.output(
            error_line(severity, fmt::format("{}: {}", found_.script_name, what), to_string(x_.carrier.id())));
    }

  private:
    // ---- start

    struct input {
        io::descriptor descriptor = {};  // of the program; empty: it reads nothing
        std::optional<std::uint64_t> bytes = {};
        program_input to_feed = {};
        io::socket by = {};
    };

    csp::step<std::optional<refused>> start()
    {
        input in;
        if (auto failed = co_await prepare_input(in)) co_return failed;
        auto environment = environment_for(in.bytes);
        if (!environment) co_return refused{.why = environment.error()};
        auto output = io::pipe_from_child();
        auto errors = io::pipe_from_child();
        if (!output || !errors) co_return refused{.why = cannot_start_now, .cause = no_descriptor};
        auto program = co_await start_program(x_.by->programs,
                                              {.site = x_.site,
                                               .route = *x_.asked.acting,
                                               .script = found_.asked_for,
                                               .environment = std::move(*environment),
                                               .in = std::move(in.descriptor),
                                               .out = std::move(output->childs),
                                               .err = std::move(errors->childs)},
                                              csp::core::here().now() + until_started);
        if (!program) co_return not_run(program.error());
        program_.emplace(std::move(*program), std::move(output->ours), std::move(errors->ours), feed(in),
                         rules_.of_each);
        co_return std::nullopt;
    }

    static refused not_run(const start_failure& why)
    {
        switch (why.what) {
            case start_failure::kind::missing:
                return {.why = not_there, .cause = why.text};
            case start_failure::kind::forbidden:
                return {.why = {status::forbidden, "The server may not run this program."}, .cause = why.text};
            case start_failure::kind::unavailable:
                return {.why = cannot_start_now, .cause = why.text};
            default:
                return {.why = not_started, .cause = why.text};
        }
    }

    std::expected<std::vector<std::string>, http::error> environment_for(std::optional<std::uint64_t> body_bytes)
    {
        const socket_addresses at = addresses_of(x_);
        const std::string id = to_string(x_.carrier.id());
        return environment_of({.head = &tools_.head,
                               .script_name = found_.script_name,
                               .path_info = found_.path_info,
                               .query = x_.asked.query,
                               .request_target = tools_.head.target,
                               .script_file = found_.file,
                               .document_root = x_.of_site().pages.files.root,
                               .content_length = body_bytes,
                               .remote_address = x_.carrier.client(),
                               .remote_port = at.client_port,
                               .server_address = at.server,
                               .server_port = at.server_port,
                               .request_id = id,
                               .is_redirected = x_.asked.redirects > 0},
                              rules_);
    }

    /// Takes the body from the exchange, and decides how the program is to read it.
    csp::step<std::optional<refused>> prepare_input(input& in)
    {
        if (!request_body::is_in(x_)) co_return std::nullopt;
        auto body = request_body::take(x_);
        if (!body) co_return refused{.why = cannot_start_now, .cause = no_descriptor};
        in.bytes = body->length();
        in.to_feed.body = std::move(*body);
        if (!in.bytes && rules_.unknown_length == cgi_rules::body::collected) {
            auto all = co_await collect(*in.to_feed.body, x_.by->programs);
            if (!all) co_return not_collected(in, all.error());
            in.bytes = all->bytes;
            in.descriptor = std::move(all->file).release();
            in.to_feed.first = std::move(all->text);
        }
        if (in.descriptor) {
            body_ = std::exchange(in.to_feed.body, std::nullopt);
            co_return std::nullopt;
        }
        if (in.to_feed.body) {
            // Not by the feeder, which could send it after the response has begun.
            if (const auto invited = co_await in.to_feed.body->invite(); !invited)
                co_return refuse_body(invited.error());
        }
        auto pipe = io::pipe_to_child();
        if (!pipe) co_return refused{.why = cannot_start_now, .cause = no_descriptor};
        in.descriptor = std::move(pipe->childs);
        in.by = std::move(pipe->ours);
        co_return std::nullopt;
    }

    refused not_collected(input& in, const collect_failure& why)
    {
        request_body::put_back(x_, std::move(*in.to_feed.body));
        if (const auto* const of_client = std::get_if<body_failure>(&why)) return refuse_body(*of_client);
        return {.why = {status::service_unavailable, "The server has no room for the body of the request."},
                .cause = std::get<std::string>(why)};
    }

    /// Starts the feeder, if the program has something to read.
    std::optional<running_program::feeding> feed(input& in)
    {
        if (!in.by) return std::nullopt;
        csp::chan<stop> until;
        csp::chan<fed_body> told;
        const auto patience = rules_.of_each.idle.count() > 0 ? std::chrono::milliseconds(rules_.of_each.idle) : 24h;
        helpers_.start(body_feeder(std::move(in.to_feed), std::move(in.by), patience, until.rx(), told.tx()));
        return running_program::feeding{.told = told.rx(), .until = until.tx()};
    }

    void put_back_body()
    {
        if (auto fed = program_->take_fed()) body_ = std::move(fed->body);
        if (body_) request_body::put_back(x_, std::move(*std::exchange(body_, std::nullopt)));
    }

    // ---- its response

    csp::step<std::expected<outcome, refused>> respond()
    {
        if (found_.writes_whole_response) co_return co_await pass_through();
        auto head = co_await read_head();
        if (!head) co_return std::unexpected(std::move(head.error()));
        if (head->what == script_head::kind::local_redirect) co_return redirect(*head);
        if (!head->sendfile.empty() && !rules_.sendfile_root.empty()) co_return co_await send_file(*head);
        co_return co_await send_document(std::move(*head));
    }

    /// Waits for output. Nothing: it is there; otherwise why there is none.
    csp::step<std::optional<refused>> wait_for_output()
    {
        for (;;) {
            switch (co_await program_->next()) {
                case event::output:
                    co_return std::nullopt;
                case event::look:
                    co_await log_errors();
                    if (client_has_left(x_)) co_return refused{.why = {}, .counts_as = program_end::client_left};
                    break;
                case event::fed:
                    if (auto failed = look_at_fed()) co_return failed;
                    break;
                case event::no_output:
                    co_return late(fmt::format("no output for {} s", rules_.of_each.idle.count()));
                case event::too_long:
                    co_return late(fmt::format("it ran for {} s", rules_.of_each.total.count()));
                case event::left_open:  // its output ends with it, although another process could still write
                    output_is_over_ = true;
                    co_return std::nullopt;
            }
        }
    }
    static refused late(std::string cause)
    {
        return {.why = no_answer_in_time, .cause = std::move(cause), .counts_as = program_end::timed_out};
    }
    std::optional<refused> look_at_fed()
    {
        auto fed = program_->take_fed();
        if (!fed) return std::nullopt;
        body_ = std::move(fed->body);
        if (fed->how == fed_body::result::stuck) return late("it did not read the body of the request");
        if (fed->how == fed_body::result::body_failed) return refuse_body(fed->why);
        return std::nullopt;
    }
    static refused refuse_body(body_failure why)
    {
        switch (why) {
            case body_failure::too_slow:
                return {.why = {status::request_timeout, "The body of the request did not arrive in time."}};
            case body_failure::malformed:
                return {.why = {status::bad_request, "The body of the request is malformed."}};
            case body_failure::too_large:
                return {.why = {status::content_too_large, "The body of the request is too large (body_bytes)."}};
            default:
                return {.why = {}, .counts_as = program_end::client_left};
        }
    }
    csp::step<void> log_errors()
    {
        for (const std::string& line : program_->errors().take(false)) co_await log("notice", line);
    }

    /// Reads output that is there into `room`. Returns the number of bytes; 0 at the end.
    csp::step<std::size_t> read_output()
    {
        if (output_is_over_) co_return 0;
        if (tools_.room.empty()) tools_.room.resize(output_at_once);
        const auto got = co_await io::recv(program_->output(), tools_.room, csp::core::here().now());
        if (!got) co_return got.error().timed_out() ? no_bytes : 0;
        note_output(*got);
        co_return *got;
    }
    void note_output(std::uint64_t bytes)
    {
        program_->note_output();
        output_bytes_ += bytes;
    }

    csp::step<std::expected<script_head, refused>> read_head()
    {
        script_head_parser parser;
        for (;;) {
            if (auto none = co_await wait_for_output()) co_return std::unexpected(std::move(*none));
            const std::size_t got = co_await read_output();
            if (got == no_bytes) continue;
            if (got == 0) co_return std::unexpected(co_await no_head());
            begun_.append(tools_.room, 0, got);
            auto head = parser.feed(begun_);
            if (!head) co_return std::unexpected(refused{.why = no_valid_answer, .cause = std::move(head.error())});
            if (!*head) continue;
            begun_.erase(0, (*head)->bytes);
            co_return std::move(**head);
        }
    }
    csp::step<refused> no_head()
    {
        const auto how = co_await program_->ended(for_its_end);
        co_return refused{.why = no_valid_answer,
                          .cause = fmt::format("{} (it {})", script_head_parser::why_unfinished(begun_),
                                               how ? how->text() : "still runs")};
    }

    std::expected<outcome, refused> redirect(const script_head& head)
    {
        if (x_.asked.redirects >= most_redirects)
            return std::unexpected(refused{.why = redirect_loop, .cause = "more than 10 redirects"});
        const auto mark = std::min(head.location.find('?'), head.location.size());
        auto path = http::canonicalize(std::string_view(head.location).substr(0, mark));
        if (!path) {
            return std::unexpected(
                refused{.why = no_valid_answer,
                        .cause = fmt::format("it redirected to an invalid path: {}", path.error().text)});
        }
        x_.asked.path = std::move(*path);
        x_.asked.query = {};
        if (mark < head.location.size())
            x_.asked.query = x_.asked.own_fields.emplace_front(head.location.substr(mark + 1));
        ++x_.asked.redirects;
        return outcome::redirected;
    }

    response response_with(script_head& head)
    {
        response r(head.code, std::move(head.fields));
        add_site_headers(r);
        return r;
    }
    /// The headers of the site and its routes, except those that the program has set.
    void add_site_headers(response& r) const
    {
        const static_rules& rules = x_.of_site().pages.files;
        const bool is_error = http::number(r.code) >= 400;
        const auto more =
            is_error ? headers_of_error(rules, x_.asked.routes) : headers_of_other(rules, x_.asked.routes);
        const std::string own(r.fields.lines());
        for (const header& h : more) {
            if (!h.value.empty() && !has_field(own, h.name)) r.fields.add(h.name, h.value);
        }
    }

    csp::step<std::expected<outcome, refused>> send_file(script_head& head)
    {
        const auto at = x_.of_site().programs.at(*x_.asked.acting).sendfile;
        std::string_view name = head.sendfile;
        if (name.starts_with(rules_.sendfile_root)) name.remove_prefix(rules_.sendfile_root.size());
        name.remove_prefix(std::min(name.find_first_not_of('/'), name.size()));
        const auto here = co_await io::look_beneath(x_.by->roots[*at], std::string(name));
        auto file = here ? io::open_to_read(*here) : std::unexpected(here.error());
        if (!file) {
            co_return std::unexpected(refused{
                .why = no_such_file, .cause = fmt::format("X-Sendfile: {}: {}", head.sendfile, file.error().text)});
        }
        response r = response_with(head);
        r.fields.add("Content-Length", here->status().size);
        r.content.emplace_back(slice{0, here->status().size});
        r.file = csp::frozen<io::file>(std::move(*file));
        co_await server::respond(x_, std::move(r), x_.by->patience, tools_.heads);
        co_return x_.sent.complete ? outcome::answered : outcome::client_left;
    }

    csp::step<std::expected<outcome, refused>> send_document(script_head head)
    {
        response_writer writer(x_, x_.by->patience, tools_.heads);
        left_ = head.content_length;
        const bool began = co_await writer.begin(response_with(head), head.content_length, take_due(begun_));
        co_return co_await send_output(writer, began);
    }
    /// Programs whose names begin with "nph-" write the whole response, and the server adds nothing to it.
    csp::step<std::expected<outcome, refused>> pass_through()
    {
        while (!begun_.contains('\n') && begun_.size() < longest_script_head) {
            if (auto none = co_await wait_for_output()) co_return std::unexpected(std::move(*none));
            const std::size_t got = co_await read_output();
            if (got == no_bytes) continue;
            if (got == 0) co_return std::unexpected(co_await no_head());
            begun_.append(tools_.room, 0, got);
        }
        if (!status_of_nph(begun_)) {
            co_return std::unexpected(refused{.why = no_valid_answer, .cause = "its first line is no status line"});
        }
        response_writer writer(x_, x_.by->patience, tools_.heads);
        const bool began = co_await writer.raw(begun_);
        co_return co_await send_output(writer, began);
    }

    /// The part of the output that belongs to the response, if its length is known.
    std::string_view take_due(std::string_view text)
    {
        if (!left_) return text;
        text = text.substr(0, *left_);
        *left_ -= text.size();
        return text;
    }

    csp::step<std::expected<outcome, refused>> send_output(response_writer& writer, bool began)
    {
        if (!began) co_return outcome::client_left;
        while (left_ != 0U) {
            if (auto none = co_await wait_for_output()) co_return co_await stop_sending(std::move(*none));
            if (output_is_over_) break;
            const auto moved = co_await writer.splice(program_->output(), most_at_once);
            if (!moved) co_return outcome::client_left;
            if (moved->is_at_end) break;
            if (moved->bytes > 0) note_output(moved->bytes);
            if (left_) *left_ -= std::min<std::uint64_t>(*left_, moved->bytes);
            if (rules_.of_each.output > 0 && output_bytes_ > rules_.of_each.output) {
                co_await log("error", "it wrote more than output_bytes, and its response was cut short");
                co_return outcome::cut_short;
            }
        }
        co_return co_await end_response(writer);
    }

    /// After the first bytes of a response no error can be sent; the response stays incomplete.
    csp::step<std::expected<outcome, refused>> stop_sending(refused why)
    {
        if (!why.cause.empty()) co_await log("error", why.cause + "; its response was cut short");
        switch (why.counts_as) {
            case program_end::client_left:
                co_return outcome::client_left;
            case program_end::timed_out:
                co_return outcome::timed_out;
            default:
                co_return outcome::cut_short;
        }
    }

    csp::step<std::expected<outcome, refused>> end_response(response_writer& writer)
    {
        const auto how = co_await program_->ended(for_its_status);
        if (how && how->signal != 0 && left_.value_or(1) != 0) {
            co_await log("error", fmt::format("it {}; its response was cut short", how->text()));
            co_return outcome::cut_short;
        }
        const bool is_whole = co_await writer.end();
        if (!is_whole && left_.value_or(0) > 0) {
            co_await log("error", fmt::format("it ended {} bytes before the end of its Content-Length", *left_));
            co_return outcome::cut_short;
        }
        if (!how) co_await program_->ended(for_its_end);
        co_return is_whole ? outcome::answered : outcome::client_left;
    }

    static constexpr std::size_t no_bytes = static_cast<std::size_t>(-1);
    static constexpr std::uint64_t most_at_once = 1024 * 1024;

    exchange_record& x_;
    const cgi_rules& rules_;
    page_tools& tools_;
    cgi_links& to_;
    csp::forking helpers_;
    found_program found_;
    std::optional<running_program> program_;
    std::optional<request_body> body_;   // what is left of it, while nobody reads it
    std::string begun_;                  // of the output: the head, and what came with it
    std::optional<std::uint64_t> left_;  // of the response, if its length is known
    std::uint64_t output_bytes_ = 0;
    bool output_is_over_ = false;  // without its end: see event::left_open
};

program_end end_of(outcome o)
{
    switch (o) {
        case outcome::client_left:
            return program_end::client_left;
        case outcome::timed_out:
            return program_end::timed_out;
        case outcome::cut_short:
            return program_end::failed;
        default:
            return program_end::answered;
    }
}

/// Runs the program, and returns its place, whatever happens.
csp::step<std::expected<outcome, refused>> run_in_place(exchange_record& x, const cgi_rules& rules, page_tools& tools,
                                                        cgi_links& to, found_program found)
{
    std::exception_ptr thrown;
    std::optional<std::expected<outcome, refused>> done;
    std::string places = name_of_places(x);
    try {
        program_answer answer(x, rules, tools, to);
        done = co_await answer.run(std::move(found));
    } catch (...) {
        thrown = std::current_exception();
    }
    const program_end how = thrown ? program_end::failed : *done ? end_of(**done) : done->error().counts_as;
    co_await to.to_desk.output(place_returned{.of = std::move(places), .how = how});
    if (thrown) std::rethrow_exception(thrown);
    co_return std::move(*done);
}

csp::step<std::expected<outcome, refused>> run_program(exchange_record& x, page_tools& tools, cgi_links& to)
{
    const auto& rules = std::get<cgi_rules>(x.acting_route().then);
    if (x.asked.method == http::method::trace) co_return std::unexpected(refused{.why = no_trace});
    auto found = co_await find_program(x, rules);
    if (!found) co_return std::unexpected(refused{.why = found.error()});
    if (co_await take_place(x, rules, to.to_desk) != place_answer::granted) co_return std::unexpected(no_place());
    co_return co_await run_in_place(x, rules, tools, to, std::move(*found));
}

/// Logs why, and has the error answered by a page; unless the client has left.
csp::step<bool> refuse(exchange_record& x, refused r, cgi_links& to)
{
    if (!r.cause.empty()) {
        co_await to.to_log.output(
            error_line("error", fmt::format("{}: {}", x.asked.path.view(), r.cause), to_string(x.carrier.id())));
    }
    if (r.counts_as == program_end::client_left) co_return true;  // its account stays incomplete
    x.decided = error_response{.why = r.why, .with = std::move(r.with)};
    co_return false;
}

}  // namespace

csp::step<bool> answer_by_program(exchange_record& x, page_tools& tools, cgi_links& to)
{
    push_last_answer(x);
    const auto parsed = http::parse_head(x.head(), x.by->limits, tools.head);
    CSP_CHECK(parsed, "the front end has parsed this head");
    while (x.is<program_run>()) {
        auto done = co_await run_program(x, tools, to);
        if (!done) co_return co_await refuse(x, std::move(done.error()), to);
        if (*done != outcome::redirected) co_return true;
        decide_redirect(x);
    }
    co_return false;
}

}  // namespace server
