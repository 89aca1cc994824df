// SPDX-License-Identifier: MIT
#include "server/sandbox/sandbox.hpp"

#include <array>
#include <filesystem>
#include <unistd.h>

#include <fmt/core.h>

#include "server/sandbox/landlock.hpp"
#include "server/sandbox/system_calls.hpp"

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
        .reaches = manager.is_abstract() ? file_rights::abstract_sockets::all : file_rights::abstract_sockets::own};
    if (!s.control.empty()) all.sockets.push_back(directory_of(s.control));
    return all;
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
    return restrict_system_calls(engine);
}

std::string sandbox_line(const std::string& files, const std::string& system_calls, io::engine_choice engine)
{
    return fmt::format("sandbox: {}, {}{}", files, system_calls,
                       engine == io::engine_choice::uring ? ", io_uring restricted" : "");
}

}  // namespace server
