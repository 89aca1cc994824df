// SPDX-License-Identifier: MIT
#include "server/service/prospects_of_programs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>

#include <fmt/core.h>

#include "io/descriptor.hpp"
#include "server/configuration/policy.hpp"
#include "server/service/privileges.hpp"
#include "server/service/roots_own.hpp"

namespace server {
namespace {

namespace fs = std::filesystem;

using messages = std::vector<std::string>;

/// The rules of one route.
struct programs {
    const cgi_rules& rules;
    std::string place;  // the beginning of a message
};

/// Calls `one` for all rules of all sites.
template <class One>
void for_all_programs(const settings& s, One one)
{
    for (const site& each : all_sites(s)) {
        for (std::size_t i = 0; i < each.files.routes.size(); ++i) {
            const auto* const rules = std::get_if<cgi_rules>(&each.files.routes[i].then);
            if (rules != nullptr) one(programs{*rules, each.files.places(fmt::format("route.{}.cgi", i))});
        }
    }
}

bool is_directory(const std::string& path)
{
    std::error_code absent;
    return fs::is_directory(path, absent);
}

// ---- one file

/// The program that the first line of a script names after "#!"; empty if the file is no script, or cannot be read.
std::string interpreter_of(const std::string& path)
{
    const io::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::array<char, 256> room{};
    const ssize_t got = file ? ::read(file.number(), room.data(), room.size()) : 0;
    std::string_view line(room.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (!line.starts_with("#!")) return {};
    line = line.substr(2, line.find('\n') - std::min<std::size_t>(2, line.find('\n')));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return std::string(line.substr(0, line.find_first_of(" \t\r")));
}

/// A script with Windows line ends fails in the same way: the kernel takes the CR for a part of the name.
std::optional<std::string> wrong_first_line(const std::string& path)
{
    const std::string interpreter = interpreter_of(path);
    if (interpreter.empty() || ::access(interpreter.c_str(), F_OK) == 0) return std::nullopt;
    return fmt::format("cannot be run: its first line names {}, which does not exist", interpreter);
}

/// Whose rights decide whether a program can be run.
enum class run_by : std::uint8_t { this_user, another };

/// Why the file cannot be run, as the rest of a sentence; empty if it can, as far as this process can tell.
std::optional<std::string> why_not_run(const std::string& path, run_by whom)
{
    struct stat file{};
    if (::stat(path.c_str(), &file) != 0) {
        if (errno == EACCES && whom == run_by::another) return std::nullopt;
        return errno == ENOENT || errno == ENOTDIR ? "does not exist"
                                                   : fmt::format("cannot be run: {}", std::strerror(errno));
    }
    if (!S_ISREG(file.st_mode)) return "is not a file";
    if ((file.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0) return "is not executable";
    if (whom == run_by::this_user && ::access(path.c_str(), X_OK) != 0)
        return fmt::format("cannot be run: {}", std::strerror(errno));
    return wrong_first_line(path);
}

run_by who_runs(const cgi_rules& rules) { return rules.user.empty() ? run_by::this_user : run_by::another; }

/// Whether programs of these rules run with root's rights.
bool runs_as_root(const settings& s, const cgi_rules& rules)
{
    return ::geteuid() == 0 && s.user.empty() && rules.user.empty();
}

// ---- a directory of programs

/// What is wrong with the files of a directory. Only the first of each kind is named: a directory may have thousands.
struct directory_findings {
    struct kind {
        std::string first{};
        std::size_t count = 0;

        void add(const fs::path& file)
        {
            if (count++ == 0) first = file.filename().string();
        }
    };
    kind runnable, not_executable, links_outside, changed_by_others;
    messages broken{};
    bool has_directories = false;
};

bool leads_outside(const fs::path& directory, const fs::path& file)
{
    std::error_code failed;
    const fs::path base = fs::canonical(directory, failed);
    const fs::path there = fs::canonical(file, failed);
    if (failed) return false;
    const auto [end, rest] = std::ranges::mismatch(base, there);
    return end != base.end();
}

void look_at(const fs::path& file, const cgi_rules& rules, bool as_root, directory_findings& found)
{
    constexpr std::size_t most_broken = 10;
    std::error_code failed;
    if (file.filename().string().starts_with('.')) return;
    if (fs::is_directory(file, failed)) {
        found.has_directories = true;
        return;
    }
    if (leads_outside(rules.path, file)) return found.links_outside.add(file);
    const auto wrong = why_not_run(file.string(), who_runs(rules));
    if (wrong == "is not executable") return found.not_executable.add(file);
    if (wrong) {
        if (found.broken.size() < most_broken) found.broken.push_back(fmt::format("{} {}", file.string(), *wrong));
        return;
    }
    if (as_root && !is_written_by_root_only(file)) return found.changed_by_others.add(file);
    found.runnable.add(file);
}

/// Nothing if this process cannot read the directory: programs in it can be run all the same.
std::optional<directory_findings> look_into(const cgi_rules& rules, bool as_root)
{
    constexpr int most_files = 1000;
    directory_findings found;
    std::error_code failed;
    fs::directory_iterator file(rules.path, failed);
    for (int i = 0; !failed && file != fs::directory_iterator() && i < most_files; ++i, file.increment(failed)) {
        look_at(file->path(), rules, as_root, found);
    }
    return failed ? std::nullopt : std::optional(std::move(found));
}

std::string counted(const directory_findings::kind& these)
{
    if (these.count == 1) return these.first;
    return fmt::format("{} and {} other file{}", these.first, these.count - 1, these.count == 2 ? "" : "s");
}

void check_directory(const settings& s, const programs& p, messages& warnings)
{
    const auto found = look_into(p.rules, runs_as_root(s, p.rules));
    if (!found) return;
    const auto warn = [&](const directory_findings::kind& these, std::string_view what) {
        if (these.count > 0)
            warnings.push_back(fmt::format("{}{} in {} {}", p.place, counted(these), p.rules.path, what));
    };
    for (const std::string& each : found->broken) warnings.push_back(fmt::format("{}{}", p.place, each));
    warn(found->not_executable, "cannot be run: not executable");
    warn(found->links_outside, "cannot be run: a symbolic link that leads out of the directory");
    warn(found->changed_by_others, "cannot be run as root, because another user could change it: set `user`");
    if (found->runnable.count == 0 && !found->has_directories)
        warnings.push_back(fmt::format("{}there is no executable file in {}", p.place, p.rules.path));
}

// ---- one program

void check_program(const settings& s, const programs& p, messages& warnings)
{
    const auto wrong = why_not_run(p.rules.path, who_runs(p.rules));
    if (wrong) {
        warnings.push_back(fmt::format("{}{} {}", p.place, p.rules.path, *wrong));
    } else if (runs_as_root(s, p.rules) && !is_written_by_root_only(p.rules.path)) {
        warnings.push_back(fmt::format("{}{} cannot be run as root, because another user could change it: set `user`",
                                       p.place, p.rules.path));
    }
}

void check_working_directory(const programs& p, messages& warnings)
{
    const std::string& where = p.rules.working_directory;
    if (where.empty() || is_directory(where)) return;
    warnings.push_back(
        fmt::format("{}`working_directory` is {}, which is not a directory: no program can start", p.place, where));
}

}  // namespace

std::vector<std::string> missing_for_programs(const settings& s)
{
    messages wrong;
    bool has_programs = false;
    for_all_programs(s, [&](const programs&) { has_programs = true; });
    if (has_programs && !is_directory(s.state))
        wrong.push_back(fmt::format("{}`state` is {}, which is not a directory: create it, or choose another",
                                    s.places("state"), s.state));
    return wrong;
}

std::vector<std::string> missing_accounts_of_programs(const settings& s)
{
    messages wrong;
    for_all_programs(s, [&](const programs& p) {
        const auto who = find_account(p.rules.user, p.rules.group);
        if (!who) wrong.push_back(fmt::format("{}{}", p.place, who.error().text));
    });
    return wrong;
}

std::vector<std::string> unusable_programs(const settings& s)
{
    messages warnings;
    for_all_programs(s, [&](const programs& p) {
        if (p.rules.what == cgi_rules::kind::directory) {
            check_directory(s, p, warnings);
        } else {
            check_program(s, p, warnings);
        }
        check_working_directory(p, warnings);
    });
    return warnings;
}

std::vector<std::string> missing_rights_for_programs(const settings& s)
{
    messages warnings;
    for_all_programs(s, [&](const programs& p) {
        const auto who = find_account(p.rules.user, p.rules.group);
        if (!who || !*who || ::geteuid() == 0 || ::geteuid() == (*who)->user) return;
        warnings.push_back(
            fmt::format("{}only root can run programs as the user `{}`, and you are not root", p.place, p.rules.user));
    });
    return warnings;
}

}  // namespace server
