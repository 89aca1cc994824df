// SPDX-License-Identifier: MIT
//
// Opens listeners for the addresses of `listen`, at the start and when a reload changes them.
//
// Each core has a listener of its own for each address. Those of a TCP address share the port by SO_REUSEPORT, and the
// kernel spreads connections among them. Those of a unix address are duplicates of one socket.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/configuration/settings.hpp"
#include "server/messages/listening.hpp"
#include "server/messages/steward_line.hpp"

namespace server {

/// Completes the addresses of `listen` as far as possible before they are opened. Without IPv6 in the kernel, ":80"
/// becomes "0.0.0.0:80". Port 0 becomes the port of an address in `present` with the same host, so that a reload does
/// not choose another port. Returns messages for the operator.
[[nodiscard]] std::vector<std::string> settle_addresses(std::vector<std::string>& listen,
                                                        const std::vector<std::string>& present);

/// The addresses of `listen`, without duplicates, in the form of io::address::to_string().
[[nodiscard]] std::vector<std::string> wanted_addresses(const settings& s);

/// The path of a unix address that has a file; empty for other addresses, abstract ones ("unix:@NAME") included.
[[nodiscard]] std::optional<std::string> path_of(std::string_view address);

/// The identity of the socket file that is at this address now; none if there is no such file.
[[nodiscard]] io::socket_identity file_of(std::string_view address);

/// Listens at the path of a unix address. Replaces the socket file of a server that has ended, but no file on whose
/// socket a process listens. For the steward.
[[nodiscard]] std::expected<io::listener, std::string> listen_at_path(const std::string& address);

/// The change from one set of addresses to another. `for_cores` has the listeners to open and close for each core;
/// `for_supervisor` the same for the supervisor, which keeps a duplicate of each socket for upgrades.
struct address_change {
    struct chosen_port {
        std::string wanted;  // with port 0
        std::string address;
    };
    std::vector<listening_change> for_cores;
    listening_change for_supervisor;
    std::vector<chosen_port> chosen;  // by the kernel, for port 0

    [[nodiscard]] bool changes_nothing() const
    {
        return for_supervisor.opened.empty() && for_supervisor.closed.empty();
    }
    /// Replaces port 0 in `listen` by the chosen ports.
    void name_ports(std::vector<std::string>& listen) const;
};

/// What to do about an address that is in use although no process listens there: after a server has been killed, the
/// kernel may take a moment to close its sockets.
enum class when_in_use : std::uint8_t { refuse, wait_a_second };

/// Opens the addresses of `wanted` that are not `present`. If any cannot be opened, nothing changes, and the error has
/// a message for each. The steward listens at the paths of unix addresses.
[[nodiscard]] std::expected<address_change, std::vector<std::string>> move_addresses(
    const std::vector<std::string>& present, const settings& wanted, const steward_line& steward,
    when_in_use then = when_in_use::refuse);

}  // namespace server
