// SPDX-License-Identifier: MIT
#include "server/sandbox/landlock.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/landlock.h>
#include <optional>
#include <string_view>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "io/descriptor.hpp"

namespace server {
namespace {

using rights = std::uint64_t;

// The header of Debian 12 ends with version 2 of the interface, so the later ones are written out here.
namespace file_right {
constexpr rights truncate = 1ULL << 14;
constexpr rights control_device = 1ULL << 15;
constexpr rights read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr rights write = LANDLOCK_ACCESS_FS_WRITE_FILE | truncate;
constexpr rights change_socket = LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;
constexpr rights of_version_1 = (1ULL << 13) - 1;
/// Those that mean something for a file that is no directory.
constexpr rights of_single_files = write | LANDLOCK_ACCESS_FS_READ_FILE | control_device;
}  // namespace file_right

constexpr rights connect_by_tcp = 1ULL << 1;
constexpr rights scope_of_abstract_sockets = 1ULL << 0;
constexpr rights scope_of_signals = 1ULL << 1;

/// landlock_ruleset_attr of version 6. An older kernel accepts it too as long as what it does not know is zero.
struct ruleset_attributes {
    rights files = 0;
    rights network = 0;
    rights scopes = 0;
};

/// A right that came with a later version.
struct addition {
    int version;
    std::string_view what;
    rights ruleset_attributes::* where;
    rights handled;
};
constexpr std::array additions{
    addition{2, "links between directories", &ruleset_attributes::files, LANDLOCK_ACCESS_FS_REFER},
    addition{3, "truncation", &ruleset_attributes::files, file_right::truncate},
    addition{4, "TCP", &ruleset_attributes::network, connect_by_tcp},
    addition{5, "control of devices", &ruleset_attributes::files, file_right::control_device},
    addition{6, "signals", &ruleset_attributes::scopes, scope_of_signals},
    addition{6, "abstract sockets", &ruleset_attributes::scopes, scope_of_abstract_sockets}};

ruleset_attributes handled_by(int version, const file_rights& to)
{
    ruleset_attributes all{.files = file_right::of_version_1};
    for (const addition& a : additions) {
        if (version >= a.version) all.*a.where |= a.handled;
    }
    if (to.readable.empty()) all.files &= ~file_right::read;
    if (to.reaches == file_rights::abstract_sockets::all) all.scopes &= ~scope_of_abstract_sockets;
    return all;
}

std::string words_about(int version)
{
    std::vector<std::string_view> lacking;
    for (const addition& a : additions) {
        if (version < a.version && a.version > 2) lacking.push_back(a.what);  // version 1 forbids all such links
    }
    if (lacking.empty()) return fmt::format("files by Landlock (ABI {})", version);
    return fmt::format("files by Landlock (ABI {}, which does not know {})", version, fmt::join(lacking, ", "));
}

std::unexpected<std::string> failed(std::string_view what)
{
    return std::unexpected(fmt::format("the sandbox cannot be closed: {}: {}", what, std::strerror(errno)));
}

/// Words for an error by which a kernel or a container says that it has no Landlock; nullopt for other errors.
std::optional<std::string> why_not(int number)
{
    const auto open = [](std::string_view why) { return fmt::format("files not restricted ({})", why); };
    if (number == ENOSYS) return open("this kernel has no Landlock");
    if (number == EOPNOTSUPP) return open("Landlock is disabled in this kernel");
    if (number == EPERM || number == EACCES) return open("Landlock is not permitted here");
    if (number == E2BIG) return open("this process is in too many Landlock domains");
    return std::nullopt;
}

/// Gives the rights to what is at `path` and beneath it.
std::expected<void, std::string> allow(int ruleset, const std::string& path, rights allowed)
{
    const io::descriptor at(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!at && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return {};
    struct stat what{};
    if (!at || ::fstat(at.number(), &what) != 0) return failed(path);
    landlock_path_beneath_attr rule{};
    rule.allowed_access = S_ISDIR(what.st_mode) ? allowed : allowed & file_right::of_single_files;
    rule.parent_fd = at.number();
    if (rule.allowed_access == 0) return {};
    if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) return failed(path);
    return {};
}

std::expected<void, std::string> allow_all(int ruleset, const file_rights& to, rights handled)
{
    struct entry {
        const std::vector<std::string>& paths;
        rights allowed;
    };
    const std::array table{entry{to.sockets, file_right::change_socket},
                           entry{to.devices, file_right::write | file_right::control_device},
                           entry{to.readable, file_right::read}};
    for (const auto& [paths, allowed] : table) {
        for (const std::string& path : paths) {
            if (auto done = allow(ruleset, path, allowed & handled); !done) return done;
        }
    }
    return {};
}

}  // namespace

std::expected<std::string, std::string> restrict_files(const file_rights& to)
{
    const auto version =
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
    if (version < 0) {
        if (auto words = why_not(errno)) return std::move(*words);
        return failed("the version of Landlock");
    }
    const ruleset_attributes handled = handled_by(version, to);
    const io::descriptor ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
    if (!ruleset) return failed("a ruleset of Landlock");
    if (auto done = allow_all(ruleset.number(), to, handled.files); !done) return std::unexpected(done.error());
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs");
    if (::syscall(SYS_landlock_restrict_self, ruleset.number(), 0) != 0) {
        if (auto words = why_not(errno)) return std::move(*words);
        return failed("Landlock");
    }
    return words_about(version);
}

}  // namespace server
