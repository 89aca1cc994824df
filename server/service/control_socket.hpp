// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <sys/types.h>

#include "csp/mobile.hpp"
#include "io/address.hpp"
#include "io/socket.hpp"
#include "io/socket_file.hpp"
#include "server/service/privileges.hpp"

namespace server {

/// The process at the other end of a Unix socket.
struct credentials {
    pid_t process = 0;
    uid_t user = 0;
};
[[nodiscard]] std::optional<credentials> peer_credentials(int socket);
/// The process that listens at a Unix address, or that did so before it passed the socket on; 0 if that cannot be
/// determined. Nullopt if nobody listens. The kernel may keep the socket of a killed process for a moment; the function
/// waits up to a second for that.
[[nodiscard]] std::optional<pid_t> who_listens_at(const io::address& at);

/// The listening end of the control socket, and its file.
struct control_socket {
    io::listener listening;
    std::string path;  // where clients look for it
    io::socket_file file;

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(listening); }
};
static_assert(csp::mobile<control_socket>);

/// What to do if another server listens at the path: fail; replace its socket; or use path_beside() for now.
enum class place_taken : std::uint8_t { refuse, replace, stay_beside };

/// The path of this process's socket until its predecessor gives up `path`.
[[nodiscard]] std::string path_beside(const std::string& path, pid_t process);

/// Creates the control socket, accessible to its owner only, and replaces a socket that a dead server left behind.
/// While a predecessor listens at `path`, the new socket may stay at path_beside(). The file belongs to `owner`, if
/// given. An error is a sentence. REQUIRES: with an `owner`, is_roots_own(path).
[[nodiscard]] std::expected<control_socket, std::string> open_control_socket(const std::string& path,
                                                                             const std::optional<user_account>& owner,
                                                                             place_taken when_taken);

}  // namespace server
