// SPDX-License-Identifier: MIT
//
// How the server asks its steward (server/sandbox/steward.hpp) for what the sandbox forbids to the server itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "io/child.hpp"
#include "io/descriptor.hpp"
#include "io/file.hpp"
#include "io/packet.hpp"
#include "io/socket.hpp"
#include "io/socket_file.hpp"
#include "server/configuration/log_target.hpp"
#include "server/messages/listening.hpp"
#include "server/messages/steward_messages.hpp"

namespace server {

/// The server's end of the line to the steward. Several processes have a duplicate each; answers do not mix, since each
/// request brings a line for its own. An error is a sentence: the steward refuses, fails, or has ended.
class steward_line {
  public:
    steward_line() = default;
    explicit steward_line(io::descriptor to_steward) : to_steward_(std::move(to_steward)) {}

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(to_steward_); }
    /// A duplicate of this end. It is empty if no descriptor is left; then requests fail.
    [[nodiscard]] steward_line another() const;

    /// Checks, without making a file, whether a log could be opened. Waits for its file system without a limit.
    [[nodiscard]] csp::step<std::expected<void, std::string>> check_log(std::string path) const;
    /// Opens a log to append. Waits as above.
    [[nodiscard]] csp::step<std::expected<io::file, std::string>> open_log(std::string path) const;
    /// Connects to the reader of a log of datagrams. ECONNREFUSED also if the steward refuses or has ended.
    [[nodiscard]] csp::step<io::result<io::socket>> connect_log(std::string log) const;
    /// Starts the program as a successor of this server. It inherits `sockets`, and `reports`, on which it reports.
    [[nodiscard]] csp::step<std::expected<io::child, std::string>> start_successor(std::string program,
                                                                                   std::vector<listening> sockets,
                                                                                   io::descriptor reports) const;

    /// Starts a runner for the configuration that is in the file now; see runner_line.hpp. `digest` is
    /// digest_of_programs() of what the caller has read: an error if the file has changed meanwhile.
    [[nodiscard]] csp::step<std::expected<io::descriptor, std::string>> start_runner(std::uint64_t digest) const;
    /// The same for the start. Blocks the thread, at most for 10 seconds.
    [[nodiscard]] std::expected<io::descriptor, std::string> start_first_runner(std::uint64_t digest) const;

    /// Listens at a unix address. Blocks the thread, at most for 10 seconds: for the start and for reloads.
    [[nodiscard]] std::expected<io::listener, std::string> listen(const std::string& address) const;
    /// Removes the file of a listener at a unix address, unless another file has replaced it. Does not wait, and
    /// reports no error.
    void remove_file_of(const listening& l) const noexcept;
    /// The same for many, whose requests may not fit into the queue: waits at most a second for the steward.
    void remove_files_of(std::span<const listening> all) const noexcept;

    /// For tests, which send what no server sends.
    [[nodiscard]] const io::descriptor& end() const { return to_steward_; }

  private:
    [[nodiscard]] std::expected<io::descriptor, std::string> send(errand what, std::string_view text,
                                                                  io::socket_identity file = {}) const;
    [[nodiscard]] csp::step<std::expected<io::packet, std::string>> ask(errand what, std::string text) const;

    io::descriptor to_steward_;
};
static_assert(csp::mobile<steward_line>);

}  // namespace server
