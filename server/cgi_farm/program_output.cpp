// SPDX-License-Identifier: MIT
#include "server/cgi_farm/program_output.hpp"

#include <cstddef>
#include <utility>

#include <fmt/core.h>

#include "csp/timer.hpp"
#include "server/cgi_farm/body_feeder.hpp"
#include "server/cgi_farm/start.hpp"
#include "server/respond/respond.hpp"

namespace server {
namespace {

using event = running_program::event;

constexpr std::size_t output_at_once = 64 * 1024;  // bytes; what a pipe has room for

}  // namespace

csp::step<std::optional<refused>> program_output::wait()
{
    for (;;) {
        switch (co_await w_.program->next()) {
            case event::output:
                co_return std::nullopt;
            case event::look:
                co_await w_.log_errors(error_lines::part::complete_lines);
                if (client_has_left(w_.x)) co_return refused{.why = {}, .counts_as = program_end::client_left};
                break;
            case event::fed:
                if (auto failed = examine_fed()) co_return failed;
                break;
            case event::no_output:
                co_return refused_as_late(fmt::format("no output for {} s", w_.rules.of_each.idle.count()));
            case event::too_long:
                co_return refused_as_late(fmt::format("it ran for {} s", w_.rules.of_each.total.count()));
            case event::left_open:
                is_left_open_ = true;
                co_return std::nullopt;
        }
    }
}

std::optional<refused> program_output::examine_fed()
{
    auto fed = w_.program->take_fed();
    if (!fed) return std::nullopt;
    w_.body = std::move(fed->body);
    if (fed->how == fed_body::result::stuck && !w_.program->is_idle()) {
        feed_on(w_, std::move(*fed));
        return std::nullopt;
    }
    w_.unfinished_input = std::move(fed->input);
    if (fed->how == fed_body::result::stuck) return refused_as_late("it did not read the body of the request");
    if (fed->how == fed_body::result::body_failed) return refused_body(fed->why);
    return std::nullopt;
}

csp::step<std::expected<bool, refused>> program_output::read(std::string& text)
{
    std::string& room = w_.tools.room;
    if (room.empty()) room.resize(output_at_once);
    for (;;) {
        if (auto failed = co_await wait()) co_return std::unexpected(std::move(*failed));
        if (is_left_open_) co_return false;
        const auto got = co_await io::recv(pipe(), room, csp::core::here().now());
        if (!got && got.error().timed_out()) continue;  // the output was not ready after all
        if (!got || *got == 0) co_return false;
        note(*got);
        text.append(room, 0, *got);
        co_return true;
    }
}

void program_output::note(std::uint64_t bytes)
{
    w_.program->note_output();
    bytes_ += bytes;
}

bool program_output::exceeds_limit() const
{
    const std::uint64_t most = w_.rules.of_each.output;
    return most > 0 && bytes_ > most;
}

}  // namespace server
