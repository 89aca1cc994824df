// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "csp/mobile.hpp"
#include "io/file.hpp"

namespace server {

/// Where a log goes, as an operator writes it:
///
///   ""                           nowhere
///   "-"                          the standard stream that the program was given
///   "syslog[:FACILITY][:/PATH]"  the system's log: datagrams as RFC 3164 has them, to /dev/log
///   "journal[:/PATH]"            systemd's, by its own protocol: a request's id is a field, to be searched for
///   anything else                a file
struct log_target {
    enum class kind : std::uint8_t { none, stream, file, syslog, journal };

    kind what = kind::none;
    std::string path = {};  // of the file, or of the socket where datagrams are read
    std::string text = {};  // as the operator wrote it
    int facility = 0;       // as <syslog.h> has it

    [[nodiscard]] bool takes_datagrams() const { return what == kind::syslog || what == kind::journal; }
};

/// What is wrong with it comes back as a sentence.
[[nodiscard]] std::expected<log_target, std::string> parse_log_target(std::string_view text);

/// A target with what is open of it. Sockets are not: who reads them may come and go.
struct log_destination {
    log_target target;
    io::file file;
};
static_assert(csp::mobile<log_destination>);

/// How long to wait for the file system of a log that is to be opened.
inline constexpr std::chrono::seconds patience_with_file_system{10};
/// The sentence for when it has not answered.
[[nodiscard]] std::string no_answer_from(std::string_view log);

/// Waits for the file system as long as that takes. What cannot be had comes back as a sentence.
[[nodiscard]] std::expected<log_destination, std::string> open_log(std::string_view text, int standard_stream);

/// What open_log() would complain of, as far as that can be told without making a file. Waits as open_log() does.
[[nodiscard]] std::optional<std::string> why_no_log(std::string_view text);

}  // namespace server
