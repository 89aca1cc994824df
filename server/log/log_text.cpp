// SPDX-License-Identifier: MIT
#include "server/log/log_text.hpp"

#include <array>
#include <ctime>
#include <iterator>
#include <syslog.h>
#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "http/access_json.hpp"
#include "http/characters.hpp"
#include "http/json_text.hpp"

namespace server {
namespace {

int priority_of(std::string_view severity)
{
    if (severity == "error") return LOG_ERR;
    if (severity == "warning") return LOG_WARNING;
    return severity == "notice" ? LOG_NOTICE : LOG_INFO;
}

/// Escapes control characters, including those of C1, which have two bytes in UTF-8.
std::string printable(std::string_view text)
{
    std::string all;
    all.reserve(text.size());
    const auto put = [&](char c) {
        fmt::format_to(std::back_inserter(all), "\\x{:02X}", static_cast<unsigned char>(c));
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\xC2' && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
            put(c);
            put(text[++i]);
        } else if (http::is_control(c)) {
            put(c);
        } else {
            all += c;
        }
    }
    return all;
}

/// The text of the message, and the request id if there is one.
std::string plain(const log_lines& error)
{
    std::string text = printable(error.text);
    if (!error.request.empty()) text += fmt::format(" [request {}]", error.request);
    return text;
}

std::string json(const log_lines& error)
{
    std::string text = fmt::format("{{\"time\":\"{}\",\"severity\":", http::rfc3339(error.when));
    http::append_json_text(text, error.severity);
    text += ",\"message\":";
    http::append_json_text(text, error.text);
    if (!error.request.empty()) {
        text += ",\"request_id\":";
        http::append_json_text(text, error.request);
    }
    text += '}';
    return text;
}

/// The format that syslog(3) sends to /dev/log: local time, and no host name.
std::string syslog_datagram(std::string_view line, std::string_view severity, int facility)
{
    const std::time_t now = std::time(nullptr);
    std::tm here{};
    localtime_r(&now, &here);
    std::array<char, 16> time{};
    std::strftime(time.data(), time.size(), "%b %e %H:%M:%S", &here);
    return fmt::format("<{}>{} occwserv[{}]: {}", facility | priority_of(severity), time.data(), getpid(), line);
}

/// One field a line, "NAME=value", in systemd's Native Journal Protocol. Values must not contain a newline.
std::string journal_datagram(std::string_view line, const log_lines& from, std::string_view severity)
{
    std::string fields = fmt::format("MESSAGE={}\nPRIORITY={}\nSYSLOG_IDENTIFIER=occwserv\nOCCWSERV_LOG={}\n", line,
                                     priority_of(severity), from.which == log_kind::access ? "access" : "error");
    if (!from.request.empty()) fields += fmt::format("OCCWSERV_REQUEST_ID={}\n", from.request);
    return fields;
}

}  // namespace

std::string error_text(const log_lines& error, log_form form)
{
    if (form == log_form::json) return json(error) + '\n';
    const auto second = std::chrono::floor<std::chrono::seconds>(error.when);
    return fmt::format("{:%Y-%m-%d %H:%M:%S} {}: {}\n", fmt::gmtime(second), error.severity, plain(error));
}

std::vector<std::string> datagrams_of(const log_lines& lines, log_form form, const log_target& to)
{
    std::vector<std::string> all;
    const auto add = [&](std::string_view line, std::string_view severity) {
        all.push_back(to.what == log_target::kind::journal ? journal_datagram(line, lines, severity)
                                                           : syslog_datagram(line, severity, to.facility));
    };
    if (lines.which == log_kind::error) {
        add(form == log_form::json ? json(lines) : plain(lines), lines.severity);
        return all;
    }
    std::string_view rest = lines.text;
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        add(rest.substr(0, end), "info");
        rest.remove_prefix(end + 1);
    }
    return all;
}

}  // namespace server
