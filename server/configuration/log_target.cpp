// SPDX-License-Identifier: MIT
#include "server/configuration/log_target.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace server {
namespace {

using kind = log_target::kind;

struct facility {
    std::string_view name;
    int number;
};
constexpr std::array<facility, 19> facilities{{{"auth", LOG_AUTH},
                                               {"authpriv", LOG_AUTHPRIV},
                                               {"cron", LOG_CRON},
                                               {"daemon", LOG_DAEMON},
                                               {"ftp", LOG_FTP},
                                               {"lpr", LOG_LPR},
                                               {"mail", LOG_MAIL},
                                               {"news", LOG_NEWS},
                                               {"syslog", LOG_SYSLOG},
                                               {"user", LOG_USER},
                                               {"uucp", LOG_UUCP},
                                               {"local0", LOG_LOCAL0},
                                               {"local1", LOG_LOCAL1},
                                               {"local2", LOG_LOCAL2},
                                               {"local3", LOG_LOCAL3},
                                               {"local4", LOG_LOCAL4},
                                               {"local5", LOG_LOCAL5},
                                               {"local6", LOG_LOCAL6},
                                               {"local7", LOG_LOCAL7}}};

/// Takes "NAME" or "NAME:" from the beginning; yields whether it was there.
bool take_word(std::string_view& text, std::string_view name)
{
    if (!text.starts_with(name)) return false;
    const std::string_view rest = text.substr(name.size());
    if (!rest.empty() && rest.front() != ':') return false;
    text = rest.substr(rest.empty() ? 0 : 1);
    return true;
}

std::expected<log_target, std::string> with_path(log_target t, std::string_view path, std::string_view known)
{
    t.path = path.empty() ? known : path;
    if (t.path.size() >= sizeof(sockaddr_un::sun_path)) {
        return std::unexpected(fmt::format("`{}` is too long for the path of a socket", t.path));
    }
    return t;
}

std::expected<log_target, std::string> parse_syslog(std::string_view rest)
{
    log_target t{.what = kind::syslog, .path = {}, .facility = LOG_DAEMON};
    if (!rest.empty() && rest.front() != '/') {
        const std::string_view name = rest.substr(0, rest.find(':'));
        const auto* const known = std::ranges::find(facilities, name, &facility::name);
        if (known == facilities.end()) {
            std::array<std::string_view, facilities.size()> names;
            std::ranges::transform(facilities, names.begin(), &facility::name);
            return std::unexpected(
                fmt::format("`{}` is not a syslog facility: expected one of {}", name, fmt::join(names, ", ")));
        }
        t.facility = known->number;
        rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        if (!rest.empty() && rest.front() != '/') {
            return std::unexpected(fmt::format("`{}` is not the path of a socket: a path begins with /", rest));
        }
    }
    return with_path(std::move(t), rest, "/dev/log");
}

std::string cannot_be_opened(std::string_view path, std::string_view why)
{
    return fmt::format("the log {} cannot be opened: {}", path, why);
}

}  // namespace

std::string no_answer_from(std::string_view log)
{
    return fmt::format("cannot open the log {}: no answer from its file system within {} s", log,
                       patience_with_file_system.count());
}

namespace {

std::expected<log_target, std::string> parse(std::string_view text)
{
    if (text.empty()) return log_target{};
    if (text == "-") return log_target{.what = kind::stream};
    if (text.contains('\0')) return std::unexpected("the name of a file has no NUL");
    std::string_view rest = text;
    if (take_word(rest, "syslog")) return parse_syslog(rest);
    if (take_word(rest, "journal")) {
        if (!rest.empty() && rest.front() != '/') {
            return std::unexpected(fmt::format("`{}` is not the path of a socket: a path begins with /", rest));
        }
        return with_path({.what = kind::journal}, rest, "/run/systemd/journal/socket");
    }
    return log_target{.what = kind::file, .path = std::string(text)};
}

}  // namespace

std::expected<log_target, std::string> parse_log_target(std::string_view text)
{
    auto target = parse(text);
    if (target) target->text = text;
    return target;
}

std::expected<log_destination, std::string> open_log(std::string_view text, int standard_stream)
{
    auto target = parse_log_target(text);
    if (!target) return std::unexpected(std::move(target.error()));
    log_destination d{.target = std::move(*target), .file = {}};
    // The standard stream as we were given it: opening /dev/stdout would fail where it is a socket, would write beside
    // our own messages where it is a file, and would block where it is a pipe.
    if (d.target.what == kind::stream) d.file = io::another_of_stream(standard_stream);
    if (d.target.what == kind::file) {
        auto f = io::open_to_append(d.target.path);
        if (!f) return std::unexpected(cannot_be_opened(d.target.path, f.error().text));
        d.file = std::move(*f);
    }
    return d;
}

std::optional<std::string> why_no_log(std::string_view text)
{
    const auto target = parse_log_target(text);
    if (!target) return target.error();
    if (target->what != kind::file) return std::nullopt;
    // Nothing is opened: the reader of a pipe would take that for a writer, and a device may act on it.
    struct stat there{};
    if (::stat(target->path.c_str(), &there) == 0) {
        if (S_ISDIR(there.st_mode)) return cannot_be_opened(target->path, std::strerror(EISDIR));
        if (::access(target->path.c_str(), W_OK) == 0) return std::nullopt;
    } else if (errno == ENOENT) {
        const auto beside = std::filesystem::path(target->path).parent_path();
        if (::access(beside.empty() ? "." : beside.c_str(), W_OK | X_OK) == 0) return std::nullopt;
    }
    return cannot_be_opened(target->path, std::strerror(errno));
}

}  // namespace server
