// SPDX-License-Identifier: MIT
//
// Listening sockets that were open before we began: given by systemd (sd_listen_fds(3)) or by the server whose place we
// take, and how we tell the latter that we have taken it.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/descriptor.hpp"
#include "io/socket.hpp"

namespace server {

/// To whoever started us to take its place. Nobody, if we were started otherwise.
class predecessor {
  public:
    predecessor() = default;
    explicit predecessor(io::descriptor d) : to_(std::move(d)) {}
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(to_); }
    /// "ready", or why it cannot be. Once.
    void tell(std::string_view line) &&;

  private:
    io::descriptor to_;
};

struct inheritance {
    std::vector<io::listener> sockets;
    predecessor before_us;
};

/// From the environment, whose variables for it are removed. An error, as a sentence, when what they name is none.
[[nodiscard]] std::expected<inheritance, std::string> inherit();

/// What a successor is given: the variables for its environment ...
[[nodiscard]] std::vector<std::string> environment_for_heir(std::size_t sockets);
/// ... and the numbers of its descriptors: the sockets from `first_inherited` on, and then where it reports.
inline constexpr int first_inherited = 3;

/// A list of listening sockets for each core. Every socket is served, and every core has one for each address: where
/// there are fewer of them than cores, two share one.
[[nodiscard]] std::expected<std::vector<std::vector<io::listener>>, std::string> share_among_cores(
    std::vector<io::listener> sockets, unsigned cores);

/// The addresses of `sockets`, each once.
[[nodiscard]] std::vector<std::string> addresses_of(const std::vector<io::listener>& sockets);

/// Another descriptor of the same socket.
[[nodiscard]] io::result<io::listener> duplicate(const io::listener& l);

}  // namespace server
