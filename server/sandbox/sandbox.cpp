// SPDX-License-Identifier: MIT
#include "server/sandbox/sandbox.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "server/configuration/policy.hpp"
#include "server/sandbox/before_the_steward.hpp"
#include "server/sandbox/landlock.hpp"
#include "server/sandbox/system_calls.hpp"
#include "server/service/listeners.hpp"

namespace server {
namespace {

namespace fs = std::filesystem;

std::string directory_of(const std::string& file)
{
    const fs::path directory = fs::path(file).parent_path();
    return directory.empty() ? "." : directory.string();
}

/// What the server reads itself, beside the sites: /proc for what it has open and who listens, the rest in the C
/// library.
constexpr std::array own_reading{"/proc",
                                 "/etc/passwd",
                                 "/etc/group",
                                 "/etc/nsswitch.conf",
                                 "/etc/localtime",
                                 "/usr/share/zoneinfo",
                                 "/dev/null",
                                 "/dev/urandom",
                                 "/sys/devices/system/cpu"};

template <class Texts>
void append(std::vector<std::string>& to, const Texts& more)
{
    to.insert(to.end(), more.begin(), more.end());
}

std::vector<std::string> reading_of(const settings& s)
{
    std::vector<std::string> all = s.sandbox.read;
    if (all.empty()) return all;
    append(all, own_reading);
    append(all, before_the_steward::readable);
    // An editor replaces the file, so the right is for its directory.
    if (!s.configuration_file.empty()) all.push_back(directory_of(s.configuration_file));
    return all;
}

/// A terminal is opened once more, so as not to change the modes that it has for others (io::another_of_stream).
std::vector<std::string> devices_of_streams()
{
    std::vector<std::string> all{"/dev/null"};
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
        if (::isatty(stream) != 0) all.push_back(fmt::format("/proc/self/fd/{}", stream));
    }
    return all;
}

file_rights rights_for(const settings& s, const service_manager& manager)
{
    file_rights all{
        .sockets = {},
        .devices = devices_of_streams(),
        .readable = reading_of(s),
        .logs = {},
        .programs = {},
        .reaches = manager.is_abstract() ? file_rights::abstract_sockets::all : file_rights::abstract_sockets::own};
    if (!s.control.empty()) all.sockets.push_back(directory_of(s.control));
    for (const std::string& where : s.listen) {
        if (const auto path = path_of(where)) all.sockets.push_back(directory_of(*path));
    }
    append(all.logs, before_the_steward::logs);
    append(all.sockets, before_the_steward::sockets);
    append(all.programs, before_the_steward::programs);
    return all;
}

/// The path without links; empty if nothing is there.
std::string real_path(const std::string& path)
{
    std::error_code absent;
    return fs::canonical(path, absent).string();
}

bool is_beneath(std::string_view directory, std::string_view path)
{
    if (directory.ends_with('/')) directory.remove_suffix(1);
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

bool is_readable(const std::vector<std::string>& allowed, const std::string& path)
{
    return std::ranges::any_of(allowed, [&](const std::string& one) { return is_beneath(one, path); });
}

/// A directory that does not exist is another mistake, of which others speak.
void check_reading(const std::vector<std::string>& allowed, const std::string& directory, std::string_view key,
                   const std::string& place, std::vector<std::string>& wrong)
{
    const std::string path = real_path(directory);
    if (path.empty() || is_readable(allowed, path)) return;
    wrong.push_back(fmt::format("{}`{}` names {}, which is outside the directories that [sandbox] `read` permits: {}",
                                place, key, directory, fmt::join(allowed, ", ")));
}

}  // namespace

sandbox_words close_files(const settings& s, const service_manager& manager)
{
    if (!s.sandbox.files) return "files not restricted (as configured)";
    return restrict_files(rights_for(s, manager));
}

sandbox_words close_system_calls(const sandbox_rules& rules, io::engine_choice engine)
{
    if (!rules.system_calls) return "system calls not restricted (as configured)";
    return restrict_system_calls(engine, before_the_steward::calls);
}

std::string sandbox_line(const std::string& files, const std::string& system_calls, io::engine_choice engine)
{
    return fmt::format("sandbox: {}, {}{}", files, system_calls,
                       engine == io::engine_choice::uring ? ", io_uring restricted" : "");
}

std::vector<std::string> closed_to_reading(const settings& s)
{
    std::vector<std::string> wrong;
    std::vector<std::string> allowed;
    if (!s.sandbox.files || s.sandbox.read.empty()) return wrong;
    const std::string place = s.places("sandbox.read");
    for (const std::string& name : s.sandbox.read) {
        allowed.push_back(real_path(name));
        if (allowed.back().empty()) {
            wrong.push_back(fmt::format("{}[sandbox] `read` names {}, which does not exist", place, name));
        }
    }
    if (!wrong.empty()) return wrong;
    for (const site& each : all_sites(s)) {
        check_reading(allowed, each.files.root, "root", each.files.places("root"), wrong);
        for (const std::string& target : each.files.links_into) {
            check_reading(allowed, target, "links_into", each.files.places("links_into"), wrong);
        }
    }
    return wrong;
}

}  // namespace server
