// SPDX-License-Identifier: MIT
//
// The messages between the server and its steward (server/sandbox/steward.hpp), packets of fixed sizes without padding.
// The steward does not trust the server, so it uses only what parse_request() and parse_inheritance() return.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/socket_file.hpp"

namespace server {

enum class errand : std::uint32_t {
    check_log = 1,  // whether the log `text`, as in the configuration, could be opened; makes no file
    open_log,       // open the log `text`, a file, to append; the answer carries the file
    connect_log,    // connect to the reader of the log `text`, which takes datagrams; the answer carries the socket
    listen,         // listen at the unix address `text`; the answer carries the listener
    remove_socket,  // remove the file of the unix address `text`, which is `device` and `inode`; has no answer
    upgrade,        // start the program at path `text` as a successor
    start_runner    // become the runner of the configuration that is in the file now; the answer carries the line to it
};

/// A request of the server. The packet carries one end of a pair of packet sockets, on which the answers come; or, for
/// remove_socket, the socket itself.
struct steward_request {
    static constexpr std::size_t longest_text = 4095;  // bytes

    errand what = errand::check_log;
    std::uint32_t unused = 0;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::array<char, longest_text + 1> text{};  // ends with NUL

    /// Empty if `text` is too long or has a NUL.
    [[nodiscard]] static std::optional<steward_request> make(errand what, std::string_view text,
                                                             io::socket_identity file = {});
};

/// A valid request.
struct errand_order {
    errand what = errand::check_log;
    std::string text;
    io::socket_identity file;
};

/// After a request for an upgrade: the sockets that the successor inherits, one in each packet, and then `run`.
struct steward_inheritance {
    enum class kind : std::uint32_t { socket = 1, run };

    kind what = kind::run;
    std::uint32_t unused = 0;
    std::uint64_t device = 0;  // of the file of a unix socket
    std::uint64_t inode = 0;
};

struct steward_answer {
    enum class kind : std::uint32_t {
        done = 1,  // the packet carries the descriptor, if the errand has one
        started,   // the program runs; a child_end follows when it has ended
        failed     // `text` says why, as a sentence
    };
    static constexpr std::size_t longest_text = 4607;  // bytes: a path and a sentence about it

    kind what = kind::failed;
    std::int32_t pid = 0;    // if started
    std::int32_t error = 0;  // the errno of a connect_log that failed
    std::uint32_t unused = 0;
    std::uint64_t digest = 0;  // of a start_runner: digest_of_programs() for the configuration that it has read
    std::array<char, longest_text + 1> text{};

    /// A text that is too long is cut.
    [[nodiscard]] static steward_answer make(kind what, std::string_view text = {}) noexcept;
    [[nodiscard]] std::string_view why() const;
};

/// Nothing if the bytes are not a valid request: another size, an unknown errand, or a text without NUL.
[[nodiscard]] std::optional<errand_order> parse_request(std::span<const std::byte> bytes);
/// Nothing if they are not a valid message of this kind.
[[nodiscard]] std::optional<steward_inheritance> parse_inheritance(std::span<const std::byte> bytes);

}  // namespace server
