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

/// Where a log goes, as the operator writes it:
///
///   ""                           nowhere
///   "-"                          the standard stream that the program was given
///   "syslog[:FACILITY][:/PATH]"  the system's log: datagrams in the form of RFC 3164, to /dev/log
///   "journal[:/PATH]"            systemd's journal, by its own protocol, with the id of a request as a field
///   anything else                a file
struct log_target {
    enum class kind : std::uint8_t { none, stream, file, syslog, journal };

    kind what = kind::none;
    std::string path = {};  // of the file, or of the socket to which datagrams are sent
    std::string text = {};  // as the operator wrote it
    int facility = 0;       // a number of <syslog.h>

    [[nodiscard]] bool takes_datagrams() const { return what == kind::syslog || what == kind::journal; }
};

/// An error is a sentence.
[[nodiscard]] std::expected<log_target, std::string> parse_log_target(std::string_view text);

/// A target with its open file. A socket is not open here: its reader may come and go.
struct log_destination {
    log_target target;
    io::file file;
};
static_assert(csp::mobile<log_destination>);

/// How long to wait for the file system of a log that is to be opened.
inline constexpr std::chrono::seconds patience_with_file_system{10};
/// The error message if it has not answered.
[[nodiscard]] std::string no_answer_from(std::string_view log);

/// Opens the file of a log, or for "-" the stream. Waits for the file system without a limit. An error is a sentence.
[[nodiscard]] std::expected<log_destination, std::string> open_log(std::string_view text, int standard_stream);

/// The error of open_log(), as far as it can be found without making a file. Waits as open_log() does.
[[nodiscard]] std::optional<std::string> why_no_log(std::string_view text);

}  // namespace server
