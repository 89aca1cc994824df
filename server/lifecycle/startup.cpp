// SPDX-License-Identifier: MIT
#include "server/lifecycle/startup.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <optional>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "io/blocking.hpp"
#include "server/configuration/programs.hpp"
#include "server/service/listeners.hpp"
#include "server/service/privileges.hpp"
#include "server/service/prospects.hpp"
#include "server/service/roots_own.hpp"

namespace server {
namespace {

problem no_descriptor(std::string_view what_for, const io::error& why)
{
    return fmt::format("no file descriptor is left for {}: {}", what_for, why.text);
}

/// With whose rights something is opened.
enum class rights : std::uint8_t { of_start, of_user };

/// Opens things in two turns, with root's rights dropped in between, if there are any to drop.
class opening {
  public:
    opening(settings& s, inheritance& given, std::optional<user_account> run_as, running_steward steward)
        : s_(s), given_(given), run_as_(std::move(run_as))
    {
        o_.steward = std::move(steward);
    }

    std::expected<opened, problem> all()
    {
        if (auto wrong = open_in_turn()) {
            leave_nothing_behind(o_, given_);
            return std::unexpected(std::move(*wrong));
        }
        return std::move(o_);
    }

  private:
    using maybe_problem = std::optional<problem>;

    maybe_problem open_in_turn()
    {
        if (auto wrong = take_inherited()) return wrong;
        if (auto wrong = open_addresses()) return wrong;
        if (auto wrong = turn(rights::of_start)) return wrong;
        if (run_as_) {
            if (const auto changed = switch_user(*run_as_); !changed) return changed.error();
        }
        if (auto wrong = open_policies()) return wrong;
        if (auto wrong = turn(rights::of_user)) return wrong;
        if (auto wrong = keep_spares()) return wrong;
        return open_signals();
    }

    [[nodiscard]] rights rights_for(const std::string& path) const
    {
        return run_as_ && is_roots_own(path) ? rights::of_start : rights::of_user;
    }
    /// Nothing if the file system does not answer.
    [[nodiscard]] std::optional<rights> rights_for_log(const std::string& text) const
    {
        const auto target = parse_log_target(text);
        if (!target || target->what != log_target::kind::file) return rights::of_start;
        if (!run_as_) return rights::of_user;
        const auto own = io::within(patience_with_file_system, [path = target->path] { return is_roots_own(path); });
        if (!own) return std::nullopt;
        return *own ? rights::of_start : rights::of_user;
    }

    maybe_problem turn(rights now)
    {
        if (auto wrong = open_log_file(now, s_.log.access, STDOUT_FILENO, o_.logs.access)) return wrong;
        if (auto wrong = open_log_file(now, s_.log.error, STDERR_FILENO, o_.logs.error)) return wrong;
        return open_control(now);  // last: from then on commands come to this server
    }

    /// Takes those of the predecessor's sockets that `listen` still names, and closes the others.
    maybe_problem take_inherited()
    {
        present_ = addresses_of(given_.sockets);
        std::ranges::move(settle_addresses(s_.listen, present_), std::back_inserter(s_.warnings));
        const std::vector<std::string> wanted = wanted_addresses(s_);
        std::erase_if(given_.sockets,
                      [&](const listening& l) { return std::ranges::find(wanted, l.address) == wanted.end(); });
        auto for_cores = share_among_cores(std::move(given_.sockets), s_.workers);
        if (!for_cores) return for_cores.error();
        o_.listeners = std::move(*for_cores);
        return std::nullopt;
    }

    maybe_problem open_addresses()
    {
        auto missing = move_addresses(present_, s_, o_.steward.line, when_in_use::wait_a_second);
        if (!missing) return missing.error().front();
        for (const listening& l : missing->for_supervisor.opened) present_.push_back(l.address);
        missing->name_ports(s_.listen);
        for (unsigned i = 0; i < s_.workers; ++i) {
            std::ranges::move(missing->for_cores[i].opened, std::back_inserter(o_.listeners[i]));
        }
        return std::nullopt;
    }

    maybe_problem open_log_file(rights now, const std::string& text, int stream, log_destination& into)
    {
        const auto needed = rights_for_log(text);
        if (!needed) return no_answer_from(text);
        if (*needed != now) return std::nullopt;
        auto log = io::within(patience_with_file_system, [text, stream] { return open_log(text, stream); });
        if (!log) return no_answer_from(text);
        if (!*log) return log->error();
        into = std::move(**log);
        return std::nullopt;
    }

    /// A predecessor of an earlier version leaves its place as soon as we are ready, without waiting for us to take it.
    [[nodiscard]] place_taken place_of_control() const
    {
        if (!given_.old_server) return place_taken::refuse;
        return given_.old_server.is_there() ? place_taken::stay_beside : place_taken::replace;
    }

    maybe_problem open_control(rights now)
    {
        if (s_.control.empty() || rights_for(s_.control) != now) return std::nullopt;
        if (given_.old_server && now == rights::of_start) {
            return fmt::format("{} cannot be taken over: `{}` may not write to its directory", s_.control, s_.user);
        }
        auto control =
            open_control_socket(s_.control, now == rights::of_start ? run_as_ : std::nullopt, place_of_control());
        if (!control) return control.error();
        o_.control_at = std::move(*control);
        return std::nullopt;
    }

    maybe_problem open_policies()
    {
        if (auto wrong = closed_to_reading(s_); !wrong.empty()) return wrong.front();
        for (unsigned i = 0; i < s_.workers; ++i) {
            auto p = make_policy(s_);
            if (!p) return p.error().front();
            o_.policies.push_back(std::move(*p));
        }
        return start_runner();
    }

    maybe_problem start_runner()
    {
        if (!has_programs(s_)) return std::nullopt;
        const auto runner = o_.steward.line.start_first_runner(digest_of_programs(s_));
        if (!runner) return runner.error();
        if (!share_runner(*runner, o_.policies)) return no_descriptor("programs", io::error::of_errno());
        return std::nullopt;
    }

    maybe_problem keep_spares()
    {
        for (const auto& of_core : o_.listeners) {
            for (const listening& l : of_core) {
                auto another = duplicate(l.socket);
                if (!another) return no_descriptor(l.address, another.error());
                o_.spare.push_back({l.address, std::move(*another), l.file});
            }
        }
        return std::nullopt;
    }

    maybe_problem open_signals()
    {
        auto signals = io::signal_set::open({SIGTERM, SIGINT, SIGHUP, SIGUSR1});
        if (!signals) return no_descriptor("signals", signals.error());
        o_.signals = std::move(*signals);
        return std::nullopt;
    }

    settings& s_;
    inheritance& given_;
    std::optional<user_account> run_as_;
    std::vector<std::string> present_;  // addresses at which we listen
    opened o_;
};

}  // namespace

void allow_many_descriptors()
{
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

std::expected<opened, problem> open_all(settings& s, inheritance& given, own_command command)
{
    if (const auto may = io::may_look_beneath(); !may) {
        return std::unexpected(fmt::format(
            "openat2(2), which keeps requests inside the roots, is not available ({}): it requires Linux 5.6, and a "
            "systemd unit must not set RestrictSUIDSGID=yes",
            may.error().text));
    }
    if (const auto may = io::may_open_entries(); !may) {
        return std::unexpected(fmt::format(
            "/proc/self/fd, through which files are opened, is not available ({}): mount /proc", may.error().text));
    }
    auto run_as = account_to_switch_to(s.user, s.group);
    if (!run_as) return std::unexpected(std::move(run_as.error()));
    auto steward = start_steward(rules_of(s, command, *run_as, given.sockets));
    if (!steward) return std::unexpected(std::move(steward.error()));
    auto o = opening(s, given, std::move(*run_as), std::move(*steward)).all();
    if (!o) return o;
    o->logs.form = s.log.form;
    o->logs.steward = o->steward.line.another();
    o->command = std::move(command);
    return o;
}

void leave_nothing_behind(const opened& o, const inheritance& given)
{
    if (given.old_server || given.addresses == who_chooses_addresses::manager) return;  // those files belong to others
    for (const auto& of_core : o.listeners) o.steward.line.remove_files_of(of_core);
}

}  // namespace server
