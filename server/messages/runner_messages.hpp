// SPDX-License-Identifier: MIT
//
// The messages between the server and its runner (server/sandbox/runner.hpp). The runner does not trust the server, so
// it uses only what parse_runner_request() returns, and checks that against the configuration.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/configuration/cgi_rules.hpp"

namespace server {

/// PATH of a program, unless the route's `environment` sets another.
inline constexpr std::string_view usual_path_of_programs = "/usr/local/bin:/usr/bin:/bin";

/// Why a program was not started.
struct start_failure {
    enum class kind : std::uint32_t {
        missing = 1,  // there is no such file: 404
        forbidden,    // the file is not executable, or is not one that the configuration names: 403
        unavailable,  // no process, descriptor or memory is left, or the runner does not answer: 503
        other         // the configuration or the program is wrong: 500 or 502
    };

    kind what = kind::other;
    std::string text;  // for the log, a sentence
};

/// A request of the server, one packet: this head, and then `script`, and the environment as strings that each end with
/// NUL. Its first descriptor is one end of a pair of packet sockets, on which the answer comes. The others are the
/// standard streams of the program: output, errors and, if `has_input`, input.
struct runner_request {
    enum class kind : std::uint32_t {
        start = 1,  // start the program of this route
        open_spool  // open an unnamed file for a body; the answer carries it
    };
    static constexpr std::size_t longest_script = 4095;               // bytes
    static constexpr std::size_t largest_environment = 256UL * 1024;  // bytes, with the NUL of each string
    static constexpr std::size_t most_variables = 4096;
    static constexpr std::size_t largest = 24 + longest_script + largest_environment;  // bytes of the packet

    kind what = kind::start;
    std::uint32_t site = 0;   // index in all_sites()
    std::uint32_t route = 0;  // index in the routes of the site
    std::uint32_t has_input = 0;
    std::uint32_t script_bytes = 0;
    std::uint32_t environment_bytes = 0;
};
static_assert(sizeof(runner_request) == 24);

/// The content of a request.
struct runner_order {
    runner_request::kind what = runner_request::kind::start;
    std::uint32_t site = 0;
    std::uint32_t route = 0;
    bool has_input = false;
    std::string script;
    std::vector<std::string> environment;
};

/// The packet of a request. Empty if a text is too long or has a NUL.
[[nodiscard]] std::vector<std::byte> packet_of(const runner_order& order);
/// Nothing if the bytes are no such packet: another size, an unknown kind, or a text without end.
[[nodiscard]] std::optional<runner_order> parse_runner_request(std::span<const std::byte> bytes);

/// Whether the name of a program may be looked up beneath a directory of programs: a relative path without empty and
/// hidden parts, "." and "..".
[[nodiscard]] bool is_name_of_program(std::string_view name);
/// Whether the path names a file absolutely, without empty parts, "." and "..".
[[nodiscard]] bool is_path_of_file(std::string_view path);
/// Whether a program may have this string in its environment: a meta-variable (RFC 3875, section 4.1) or a customary
/// one of web servers, a field of the request but `Proxy`, whose variable programs take for a setting, the usual PATH,
/// or exactly a variable of the route. So the environment cannot make a program load or run something else.
[[nodiscard]] bool may_have(const cgi_rules& rules, std::string_view variable);

/// An answer of the runner, one packet. After `started`, a child_end follows when the program has ended, and the runner
/// takes child_orders (io/child.hpp).
struct runner_answer {
    enum class kind : std::uint32_t { started = 1, opened, failed };
    static constexpr std::size_t longest_text = 4607;  // bytes: a path and a sentence about it

    kind what = kind::failed;
    start_failure::kind why = start_failure::kind::other;
    std::int32_t pid = 0;
    std::uint32_t text_bytes = 0;
    std::array<char, longest_text + 1> text{};

    /// A text that is too long is cut.
    [[nodiscard]] static runner_answer failed(start_failure::kind why, std::string_view text) noexcept;
    /// What is sent: without the unused end of `text`.
    [[nodiscard]] std::span<const std::byte> bytes() const;
};

/// The content of an answer.
struct runner_reply {
    runner_answer::kind what = runner_answer::kind::failed;
    std::int32_t pid = 0;   // if started
    start_failure failure;  // if failed
};
/// Nothing if the bytes are no such packet.
[[nodiscard]] std::optional<runner_reply> parse_runner_answer(std::span<const std::byte> bytes);

}  // namespace server
