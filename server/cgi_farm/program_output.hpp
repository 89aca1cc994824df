// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "csp/process.hpp"
#include "io/socket.hpp"
#include "server/cgi_farm/outcome.hpp"
#include "server/cgi_farm/program_work.hpp"

namespace server {

/// The output of a program as it comes, within the limits of its route.
class program_output {
  public:
    /// REQUIRES: start() has started the program. `w` outlives this object.
    explicit program_output(program_work& w) : w_(w) {}

    /// Waits until output can be read, or is over. Logs standard error meanwhile. Returns why the program is not
    /// waited for any longer: a time limit, its input, or a client that has left.
    csp::step<std::optional<refused>> wait();
    /// Waits for output and appends it to `text`. Returns false at the end.
    csp::step<std::expected<bool, refused>> read(std::string& text);
    /// The pipe, for a caller that moves output itself after wait(), and reports it by note().
    [[nodiscard]] io::socket& pipe() { return w_.program->output(); }
    void note(std::uint64_t bytes);

    /// Whether the program has ended while another process has its output open, which then counts as ended.
    [[nodiscard]] bool is_left_open() const { return is_left_open_; }
    [[nodiscard]] bool exceeds_limit() const;

  private:
    std::optional<refused> examine_fed();

    program_work& w_;
    std::uint64_t bytes_ = 0;
    bool is_left_open_ = false;
};

}  // namespace server
