// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "csp/mobile.hpp"
#include "io/socket.hpp"
#include "io/socket_file.hpp"

namespace server {

/// A listening socket, and its configured address in the text form of io::address.
struct listening {
    std::string address;
    io::listener socket;
    io::socket_identity file = {};  // of a Unix socket
};

/// A change of the listening addresses, by a reload. Addresses that are neither opened nor closed stay open.
struct listening_change {
    std::vector<listening> opened;
    std::vector<std::string> closed;

    [[nodiscard]] bool closes(const std::string& address) const
    {
        return std::ranges::find(closed, address) != closed.end();
    }
};

static_assert(csp::mobile<listening> && csp::mobile<listening_change>);

}  // namespace server
