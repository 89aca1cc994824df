// SPDX-License-Identifier: MIT
//
// Opening the addresses that a configuration names, when the server starts and when they change while it runs.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/acceptor/listening.hpp"
#include "server/settings.hpp"

namespace server {

/// Completes the addresses of `listen`, as far as is possible before anything is opened: where the kernel has no IPv6,
/// ":80" becomes "0.0.0.0:80"; port 0 becomes the port of the address in `present` that listens for it already. Yields
/// messages for the operator.
[[nodiscard]] std::vector<std::string> settle_addresses(std::vector<std::string>& listen,
                                                        const std::vector<std::string>& present);

/// The addresses of `listen`, each once, as io::address writes them.
[[nodiscard]] std::vector<std::string> wanted_addresses(const settings& s);

/// The path of an address that is a file; none of all others.
[[nodiscard]] std::optional<std::string> path_of(std::string_view address);

/// The identity of the file that is there now.
[[nodiscard]] socket_identity file_of(std::string_view address);

/// Removes the file of a unix address, unless another server has replaced it.
void remove_file_of(const listening& l);

/// The change from one set of addresses to another: for each core, and for the process that keeps a duplicate of each
/// socket.
struct move_of_addresses {
    struct chosen_port {
        std::string wanted;  // with port 0
        std::string address;
    };
    std::vector<listening_change> of_cores;
    listening_change of_keeper;
    std::vector<chosen_port> chosen;  // by the kernel

    [[nodiscard]] bool changes_nothing() const { return of_keeper.opened.empty() && of_keeper.closed.empty(); }
    /// Puts the chosen ports in the place of port 0.
    void name_ports(std::vector<std::string>& listen) const;
};

/// What to do about an address that is in use although no living process has it: the kernel may hold the sockets of a
/// killed server a moment longer.
enum class when_in_use : std::uint8_t { refuse, wait_a_second };

/// Opens what is wanted and not `present`. What cannot be opened is told, all at once, and then nothing has changed.
[[nodiscard]] std::expected<move_of_addresses, std::vector<std::string>> move_addresses(
    const std::vector<std::string>& present, const settings& wanted, when_in_use then = when_in_use::refuse);

}  // namespace server
