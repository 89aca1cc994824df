// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "io/child.hpp"
#include "io/readiness.hpp"
#include "io/socket.hpp"
#include "server/cgi_farm/body_feeder.hpp"
#include "server/configuration/cgi_rules.hpp"

namespace server {

/// What a program has written to its standard error: the lines for the log, of which only the first ones are kept.
class error_lines {
  public:
    enum class part : std::uint8_t { complete_lines, all };

    void add(std::string_view bytes);
    /// Takes the complete lines; with `all` also the one that is not complete, and a line with the number of those
    /// that were dropped.
    [[nodiscard]] std::vector<std::string> take(part which);

  private:
    static constexpr std::size_t most_lines = 64;
    static constexpr std::size_t longest = 1024;  // bytes; the rest of a line is cut
    void end_line();

    std::string begun_;
    std::vector<std::string> complete_;
    std::size_t kept_ = 0;
    std::uint64_t dropped_ = 0;
};

/// A program that answers a request, from its start to its end.
class running_program {
  public:
    enum class event : std::uint8_t {
        output,     // it has written, or closed its standard output
        fed,        // the feeder has ended: see take_fed()
        look,       // a second has passed: see whether the client is still there
        no_output,  // for longer than limits::idle
        too_long,   // it runs longer than limits::total
        left_open   // it has ended, but another process has its standard output
    };
    /// Its feeder, if it has one.
    struct feeding {
        csp::in<fed_body> told;
        csp::out<stop> until;
    };

    running_program(io::child program, io::socket output, io::socket errors, std::optional<feeding> body,
                    const cgi_rules::limits& most);

    /// Waits for the next event, and reads standard error meanwhile.
    csp::step<event> next();
    /// The body with what was not read of it. After event::fed, or stop_feeding().
    [[nodiscard]] std::optional<fed_body> take_fed() { return std::exchange(fed_, std::nullopt); }
    csp::step<void> stop_feeding();
    /// Another feeder goes on.
    void feed_on(std::optional<feeding> body) { feeding_ = std::move(body); }
    /// Whether it has written nothing for longer than limits::idle.
    [[nodiscard]] bool is_idle() const;

    [[nodiscard]] io::socket& output() { return output_; }
    /// Output has been read: it is not idle.
    void note_output() { idle_since_ = csp::core::here().now(); }
    /// Waits for its end at most for `time`. Nullopt: it still runs.
    csp::step<std::optional<io::exit_status>> ended(std::chrono::milliseconds time);
    /// Ends the program and the processes that it has left in its group: closes its pipes, and if it still runs, sends
    /// SIGTERM, and SIGKILL later.
    csp::step<void> end();

    [[nodiscard]] error_lines& errors() { return lines_; }

  private:
    [[nodiscard]] csp::time_point next_deadline() const;
    [[nodiscard]] std::optional<event> overdue() const;
    /// Reads what standard error has at present. Returns whether there was anything.
    csp::step<bool> read_errors();
    void note_end(io::result<io::exit_status> how);

    io::child program_;
    io::socket output_;
    io::socket from_errors_;
    std::optional<io::readable> output_ready_;
    std::optional<io::readable> errors_ready_;
    std::optional<feeding> feeding_;
    std::optional<fed_body> fed_;
    error_lines lines_;
    cgi_rules::limits most_;
    csp::time_point started_;
    csp::time_point idle_since_;
    csp::time_point look_at_;
    std::optional<io::exit_status> ended_;
    csp::time_point ended_at_;
    bool errors_are_over_ = false;
};

}  // namespace server
