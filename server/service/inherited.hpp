// SPDX-License-Identifier: MIT
//
// Listening sockets that were open before we began: given by systemd (sd_listen_fds(3)) or by the server whose place we
// take, and how we tell the latter that we have taken it.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "csp/mobile.hpp"
#include "io/descriptor.hpp"
#include "io/socket.hpp"
#include "server/acceptor/listening.hpp"

namespace server {

/// A line to the server that started us to take its place. None if we were started otherwise.
///
/// We say "ready", or why we cannot be. The predecessor closes its side when we have served for a moment: from then on
/// its place is ours, and we take the control socket and say "here". One of an earlier version gives us a pipe, and
/// has left the place when we are ready.
class predecessor {
  public:
    predecessor() = default;
    explicit predecessor(io::descriptor d) : to_(std::move(d)) {}
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(to_); }
    void tell(std::string_view line) const;
    /// Whether it has yet to leave its place to us.
    [[nodiscard]] bool is_there() const;
    /// Another end of the same line.
    [[nodiscard]] io::descriptor another() const;

  private:
    io::descriptor to_;
};
static_assert(csp::mobile<predecessor>);

/// Where the server listens: as its configuration says, or where the service manager has opened sockets for it. The
/// latter stays so through reloads and upgrades.
enum class who_chooses_addresses : std::uint8_t { configuration, manager };

struct inheritance {
    std::vector<listening> sockets;
    who_chooses_addresses addresses = who_chooses_addresses::configuration;
    predecessor before_us;
    /// Descriptors that were open besides, because the parent forgot to close them or as a file to be named
    /// (/dev/fd/3). To be closed when the files that the configuration names are open.
    std::vector<io::descriptor> others;
};

/// Opens /dev/null in place of each closed standard stream, so that no socket gets its number, and with it messages of
/// ours or of a library. False when that fails. For the very beginning of the program.
[[nodiscard]] bool occupy_standard_streams();

/// From the environment, whose variables for it are removed. An error, as a sentence, when what they name is none.
[[nodiscard]] std::expected<inheritance, std::string> inherit();

/// What a successor is given: the variables for its environment ...
[[nodiscard]] std::vector<std::string> environment_for_heir(const std::vector<listening>& sockets,
                                                            who_chooses_addresses whose);
/// ... and the numbers of its descriptors: the sockets from `first_inherited` on, and then where it reports.
inline constexpr int first_inherited = 3;

/// A list of listening sockets for each core. Every socket is served, and every core has one for each address: where
/// there are fewer of them than cores, two share one.
[[nodiscard]] std::expected<std::vector<std::vector<listening>>, std::string> share_among_cores(
    std::vector<listening> sockets, unsigned cores);

/// The addresses of `sockets`, each once.
[[nodiscard]] std::vector<std::string> addresses_of(const std::vector<listening>& sockets);

/// Another descriptor of the same socket.
[[nodiscard]] io::result<io::listener> duplicate(const io::listener& l);

}  // namespace server
