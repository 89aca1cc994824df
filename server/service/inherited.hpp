// SPDX-License-Identifier: MIT
//
// Listening sockets that the program inherits: from systemd (socket activation, sd_listen_fds(3)), or, in an upgrade,
// from its predecessor, the server that it replaces. Also the line on which it reports to the predecessor.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "csp/mobile.hpp"
#include "io/descriptor.hpp"
#include "io/socket.hpp"
#include "server/messages/listening.hpp"

namespace server {

/// The line to the predecessor, a stream socket. Empty unless this server was started by an upgrade.
///
/// The new server sends "ready" when it serves, or a message that says why it cannot. When it has served for a moment,
/// the predecessor sends "take": the new server takes the control socket, and sends "here". Then the predecessor begins
/// to drain and closes its end. Until then it may still decide to keep running, so its files are not removed.
///
/// Predecessors of earlier versions differ: one shuts down its side of the line instead of sending "take"; another
/// passes a pipe, and leaves as soon as it reads "ready".
class predecessor {
  public:
    predecessor() = default;
    explicit predecessor(io::descriptor d) : to_(std::move(d)) {}
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(to_); }
    /// Sends a line; does nothing if there is no predecessor, or if it has ended.
    void tell(std::string_view line) const;
    /// Whether the predecessor is still in charge: it has not closed its end, nor its side of the line.
    [[nodiscard]] bool is_there() const;
    /// Whether the predecessor has closed its end: it drains, or it has ended.
    [[nodiscard]] bool has_left() const;
    /// The process id of the predecessor; 0 if that cannot be determined.
    [[nodiscard]] pid_t process() const;
    /// A duplicate of this end; invalid if no descriptor is left.
    [[nodiscard]] io::descriptor another() const;

  private:
    io::descriptor to_;
};
static_assert(csp::mobile<predecessor>);

/// Whether the configuration or the service manager determines the addresses. Once it is the service manager, reloads
/// and upgrades do not change that.
enum class who_chooses_addresses : std::uint8_t { configuration, manager };

/// The command that started this server, to start a successor with.
struct own_command {
    std::string program;                 // path of the executable, which may have been replaced since
    std::vector<std::string> arguments;  // with argv[0]
    who_chooses_addresses addresses = who_chooses_addresses::configuration;
};
[[nodiscard]] own_command how_we_were_started(int count, const char* const* words, who_chooses_addresses addresses);

struct inheritance {
    std::vector<listening> sockets;
    who_chooses_addresses addresses = who_chooses_addresses::configuration;
    predecessor old_server;
    /// Other open descriptors. The parent forgot to close them, or the configuration names them (/dev/fd/3). So the
    /// caller closes them after it has opened the files of the configuration.
    std::vector<io::descriptor> others;
};

/// Opens /dev/null for each standard stream that is closed. Otherwise a socket would get its number, and with it the
/// messages that this program or a library prints. False if that fails. REQUIRES: the program has opened nothing yet.
[[nodiscard]] bool occupy_standard_streams();

/// Reads the variables of the environment that describe inherited sockets, and removes them. An error is a message: a
/// descriptor is not a listening socket.
[[nodiscard]] std::expected<inheritance, std::string> inherit();

/// The environment for a successor, which describes the sockets it inherits. WATCHDOG_PID is left out.
[[nodiscard]] std::vector<std::string> environment_for_successor(const std::vector<listening>& sockets,
                                                                 who_chooses_addresses whose);
/// The number of the first inherited socket (SD_LISTEN_FDS_START). The line to the predecessor follows the last one.
inline constexpr int first_inherited = 3;

/// Divides the sockets among the cores. Every socket is served, and every core has at least one for each address: where
/// there are fewer sockets than cores, some cores have duplicates. An error is a message: no descriptor is left.
[[nodiscard]] std::expected<std::vector<std::vector<listening>>, std::string> share_among_cores(
    std::vector<listening> sockets, unsigned cores);

/// The addresses of `sockets`, without duplicates.
[[nodiscard]] std::vector<std::string> addresses_of(const std::vector<listening>& sockets);

/// A duplicate descriptor of the same socket, closed on exec.
[[nodiscard]] io::result<io::listener> duplicate(const io::listener& l);

}  // namespace server
