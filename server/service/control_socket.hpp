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

/// Who is at the other end of a unix socket.
struct credentials {
    pid_t process = 0;
    uid_t user = 0;
};
[[nodiscard]] std::optional<credentials> peer_credentials(int socket);
/// The process that listens at a unix address, or that did before it handed that on; 0 if that cannot be told. Nothing:
/// nobody does. Of one that was killed the kernel may have the socket for a moment longer, which is waited for.
[[nodiscard]] std::optional<pid_t> who_listens_at(const io::address& at);

/// The listening end of the control socket, and its file.
struct control_socket {
    io::listener listening;
    std::string path;  // where clients look for it
    io::socket_file file;

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(listening); }
};
static_assert(csp::mobile<control_socket>);

/// What to do about another server that listens there: refuse; take its place; or stay beside it until later.
enum class place_taken : std::uint8_t { refuse, replace, stay_beside };

/// Where the socket of this process stays until its predecessor leaves `path`.
[[nodiscard]] std::string path_beside(const std::string& path, pid_t process);

/// Makes the control socket, accessible to its owner only; a socket left behind by a dead server is replaced. While a
/// predecessor listens at `path`, the new socket may stay at path_beside(). An error, as a sentence. REQUIRES: with an
/// `owner`, to whom the file is given, the path is_roots_own().
[[nodiscard]] std::expected<control_socket, std::string> open_control_socket(const std::string& path,
                                                                             const std::optional<user_account>& owner,
                                                                             place_taken when_taken);

}  // namespace server
