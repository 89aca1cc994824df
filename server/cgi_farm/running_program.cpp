// SPDX-License-Identifier: MIT
#include "server/cgi_farm/running_program.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/timer.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds between_looks = 1s;
constexpr std::chrono::milliseconds for_left_open = 2s;  // from its end to that of its output, which others may have
constexpr std::chrono::milliseconds until_killed = 2s;   // after SIGTERM
constexpr std::size_t errors_at_once = 4096;             // bytes
constexpr std::size_t pipe_reads = 64 * 1024 / errors_at_once;

}  // namespace

// ---- error_lines

void error_lines::end_line()
{
    if (kept_ < most_lines) {
        ++kept_;
        complete_.push_back(std::move(begun_));
    } else {
        ++dropped_;
    }
    begun_.clear();
}

void error_lines::add(std::string_view bytes)
{
    for (const char c : bytes) {
        if (c == '\n') {
            end_line();
        } else if (begun_.size() < longest && kept_ < most_lines) {
            begun_ += c;
        }
    }
}

std::vector<std::string> error_lines::take(part which)
{
    if (which == part::all && !begun_.empty()) end_line();
    if (which == part::all && dropped_ > 0) complete_.push_back(fmt::format("({} more lines)", dropped_));
    return std::exchange(complete_, {});
}

// ---- running_program

running_program::running_program(io::child program, io::socket output, io::socket errors, std::optional<feeding> body,
                                 const cgi_rules::limits& most)
    : program_(std::move(program)),
      output_(std::move(output)),
      from_errors_(std::move(errors)),
      output_ready_(output_),
      errors_ready_(from_errors_),
      feeding_(std::move(body)),
      most_(most),
      started_(csp::core::here().now()),
      idle_since_(started_),
      look_at_(started_ + between_looks)
{
}

std::optional<running_program::event> running_program::overdue() const
{
    const auto now = csp::core::here().now();
    if (ended_ && now >= ended_at_ + for_left_open) return event::left_open;
    if (most_.total.count() > 0 && now >= started_ + most_.total) return event::too_long;
    // While the body is on its way, body_feeder sees whether the program reads.
    if (!feeding_ && is_idle()) return event::no_output;
    return std::nullopt;
}

bool running_program::is_idle() const
{
    return most_.idle.count() > 0 && csp::core::here().now() >= idle_since_ + most_.idle;
}

csp::time_point running_program::next_deadline() const
{
    csp::time_point first = look_at_;
    if (ended_) first = std::min(first, ended_at_ + for_left_open);
    if (most_.total.count() > 0) first = std::min(first, started_ + most_.total);
    if (!feeding_ && most_.idle.count() > 0) first = std::min(first, idle_since_ + most_.idle);
    return first;
}

csp::step<running_program::event> running_program::next()
{
    csp::in<fed_body> nothing;
    for (;;) {
        csp::in<fed_body>& told = feeding_ ? feeding_->told : nothing;
        const csp::timeout deadline = csp::at(next_deadline());
        const auto chosen =
            co_await csp::fair_alt(*output_ready_, csp::when(!errors_are_over_, *errors_ready_),
                                   csp::when(feeding_.has_value(), told), csp::when(!ended_, program_), deadline);
        if (chosen == *output_ready_) co_return event::output;
        if (chosen == *errors_ready_) {
            // A program can write them faster than we read: the other processes of the core must run too, and the time
            // must go on.
            if (co_await read_errors()) co_await csp::yield();
        } else if (chosen == program_) {
            note_end(co_await program_.exited());
        } else if (chosen == deadline) {
            if (const auto which = overdue()) co_return *which;
            look_at_ = csp::core::here().now() + between_looks;
            co_return event::look;
        } else {
            fed_ = co_await told.input();
            feeding_.reset();
            if (!fed_ || fed_->how != fed_body::result::stuck) note_output();
            co_return event::fed;
        }
    }
}

csp::step<bool> running_program::read_errors()
{
    std::array<char, errors_at_once> room;
    const auto got = co_await io::recv(from_errors_, room, csp::core::here().now());
    if (got && *got > 0) {
        lines_.add({room.data(), *got});
        co_return true;
    }
    errors_are_over_ = got || !got.error().timed_out();
    co_return false;
}

void running_program::note_end(io::result<io::exit_status> how)
{
    ended_ = how.value_or(io::exit_status{.signal = SIGKILL});  // its keeper has ended, and has killed it
    ended_at_ = csp::core::here().now();
}

csp::step<void> running_program::stop_feeding()
{
    if (!feeding_) co_return;
    feeding_->until = {};
    fed_ = co_await feeding_->told.input();
    feeding_.reset();
}

csp::step<std::optional<io::exit_status>> running_program::ended(std::chrono::milliseconds time)
{
    const csp::timeout too_long = csp::after(time);
    while (!ended_) {
        // It may have to write to standard error before it can end.
        const auto chosen =
            co_await csp::pri_alt(program_, too_long, csp::when(!errors_are_over_ && errors_ready_, *errors_ready_));
        if (chosen == too_long) co_return std::nullopt;
        if (chosen == program_) {
            note_end(co_await program_.exited());
        } else if (co_await read_errors()) {
            co_await csp::yield();
        }
    }
    co_return ended_;
}

csp::step<void> running_program::end()
{
    output_ready_.reset();
    output_ = {};
    if (!ended_ && program_.kill_group(SIGTERM)) (void)co_await ended(until_killed);
    // Reads only what is there already: another process may have standard error open, and continue to write.
    for (std::size_t left = pipe_reads; left > 0 && co_await read_errors(); --left) {
    }
    errors_ready_.reset();
    from_errors_ = {};
    program_ = {};
}

}  // namespace server
