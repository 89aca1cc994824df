// SPDX-License-Identifier: MIT
//
// Opening the addresses that a configuration names, when the server starts and when they change while it runs.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "server/acceptor/listening.hpp"
#include "server/settings.hpp"

namespace server {

/// The addresses of `listen`, each once, as io::address writes them.
[[nodiscard]] std::vector<std::string> wanted_addresses(const settings& s);

/// Removes the file of an address that is a unix path and was opened here. For all others, nothing.
void remove_file_of(const std::string& address);

/// What leads from one set of addresses to another: for each core, and for whoever keeps another of each socket.
struct move_of_addresses {
    std::vector<listening_change> of_cores;
    listening_change of_keeper;

    [[nodiscard]] bool changes_nothing() const { return of_keeper.opened.empty() && of_keeper.closed.empty(); }
};

/// Opens what is wanted and not `present`. What cannot be opened is told, all at once, and then nothing has changed.
[[nodiscard]] std::expected<move_of_addresses, std::vector<std::string>> move_addresses(
    const std::vector<std::string>& present, const settings& wanted);

}  // namespace server
