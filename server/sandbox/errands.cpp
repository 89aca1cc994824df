// SPDX-License-Identifier: MIT
#include "server/sandbox/errands.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/signal.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "io/address.hpp"
#include "io/packet.hpp"
#include "io/socket.hpp"
#include "server/commands/command_line.hpp"
#include "server/configuration/log_target.hpp"
#include "server/sandbox/launch.hpp"
#include "server/service/inherited.hpp"
#include "server/service/listeners.hpp"
#include "server/service/roots_own.hpp"

namespace server {
namespace {

using problem = std::string;

/// The result of an errand, for the server and for the steward.
struct achieved {
    io::descriptor passed;  // for the server
    io::socket_identity made = {};
};
struct failure {
    failure(problem why, int number = 0) : text(std::move(why)), error(number) {}
    failure(const char* why) : text(why) {}

    problem text;
    int error = 0;  // the errno, if the server needs it
};
using outcome = std::expected<achieved, failure>;

/// Drops root's rights for good, unless only root can change which file the path names.
std::expected<void, problem> drop_rights_for(const std::string& path, const steward_rules& rules)
{
    if (!rules.run_as || is_roots_own(path)) return {};
    return switch_user(*rules.run_as);
}

/// The target, if the configuration names the log now, or named it when it was last opened: a mistake in the file must
/// not keep a log from being rotated.
std::expected<log_target, problem> must_name_log(const steward_rules& rules, const std::string& text)
{
    const auto is_named = [&] {
        const auto s = read_command_line(rules.command.arguments);
        return s && (s->log.access == text || s->log.error == text);
    };
    if (std::ranges::find(rules.logs, text) != rules.logs.end() || is_named()) return parse_log_target(text);
    return std::unexpected(fmt::format("the steward does not open {}: the configuration names no such log", text));
}

std::expected<void, problem> must_name_address(const steward_rules& rules, const std::string& address)
{
    const auto s = read_command_line(rules.command.arguments);
    const auto named = s ? wanted_addresses(*s) : std::vector<std::string>();
    if (path_of(address) && std::ranges::find(named, address) != named.end()) return {};
    return std::unexpected(
        fmt::format("the steward does not listen on {}: the configuration names no such address", address));
}

/// Checks that the log may be opened, drops root's rights if its path demands that, and returns its target.
std::expected<log_target, problem> prepare_for_log(const std::string& text, const steward_rules& rules)
{
    auto target = must_name_log(rules, text);
    if (!target || target->path.empty()) return target;
    if (auto may = drop_rights_for(target->path, rules); !may) return std::unexpected(std::move(may.error()));
    return target;
}

outcome check_log(const std::string& text, const steward_rules& rules)
{
    if (auto may = prepare_for_log(text, rules); !may) return std::unexpected(std::move(may.error()));
    if (auto why = why_no_log(text)) return std::unexpected(std::move(*why));
    return achieved();
}

outcome open_log(const std::string& text, const steward_rules& rules)
{
    if (auto may = prepare_for_log(text, rules); !may) return std::unexpected(std::move(may.error()));
    auto log = server::open_log(text, -1);
    if (!log) return std::unexpected(std::move(log.error()));
    return achieved{std::move(log->file).release()};
}

outcome connect_log(const std::string& text, const steward_rules& rules)
{
    const auto target = prepare_for_log(text, rules);
    if (!target) return std::unexpected(failure(target.error()));
    if (!target->takes_datagrams()) return std::unexpected("this log has no reader");
    const auto where = io::address::parse("unix:" + target->path);
    auto connected = where ? io::connect_for_datagrams(*where) : std::unexpected(where.error());
    if (!connected) return std::unexpected(failure{std::string(connected.error().text), connected.error().number});
    return achieved{std::move(*connected)};
}

outcome listen(const std::string& address, const steward_rules& rules)
{
    if (auto named = must_name_address(rules, address); !named) return std::unexpected(std::move(named.error()));
    if (auto may = drop_rights_for(*path_of(address), rules); !may) return std::unexpected(std::move(may.error()));
    auto l = listen_at_path(address);
    if (!l) return std::unexpected(std::move(l.error()));
    return achieved{std::move(*l).release(), file_of(address)};
}

outcome remove_socket(const errand_order& order, const steward_rules& rules)
{
    const auto path = path_of(order.text);
    if (!path) return std::unexpected("this address has no file");
    if (auto may = drop_rights_for(*path, rules); !may) return std::unexpected(std::move(may.error()));
    io::remove_socket(*path, order.file);
    return achieved();
}

/// The descriptors that the successor inherits from the server.
struct inherited_sockets {
    std::vector<listening> sockets;
    io::descriptor reports;
};

/// Reads them from the line. Nullopt if the server ends, or sends an invalid message.
std::optional<inherited_sockets> read_inheritance(const io::descriptor& line)
{
    inherited_sockets all;
    for (;;) {
        pollfd next{.fd = line.number(), .events = POLLIN, .revents = 0};
        if (::poll(&next, 1, -1) < 0 && errno != EINTR) return std::nullopt;
        steward_inheritance one;
        auto got = io::receive_packet(line.number(), io::room_of(one));
        if (!got && got.error().number == EAGAIN) continue;
        if (!got) return std::nullopt;
        const auto what = parse_inheritance(io::bytes_of(one).first(got->bytes));
        if (!what || !got->passed) return std::nullopt;
        if (what->what == steward_inheritance::kind::run) {
            all.reports = std::move(got->passed);
            return all;
        }
        all.sockets.push_back({.address = {},
                               .socket = io::listener(std::move(got->passed)),
                               .file = {.device = what->device, .inode = what->inode}});
    }
}

/// Executes the successor in this process. Returns only if that fails, with an error.
outcome upgrade(const std::string& program, const steward_rules& rules, const io::descriptor& line)
{
    auto given = read_inheritance(line);
    if (!given) return std::unexpected("the steward does not know this request");
    const own_command& own = rules.command;
    if (auto may = may_run(program, ::geteuid()); !may) return std::unexpected(std::move(may.error()));
    launch what{.program = program,
                .arguments = own.arguments,
                .environment = environment_for_successor(given->sockets, own.addresses),
                .descriptors = {}};
    int number = first_inherited;
    for (listening& l : given->sockets) what.descriptors.emplace_back(std::move(l.socket).release(), number++);
    what.descriptors.emplace_back(std::move(given->reports), number);
    return std::unexpected(fmt::format("{} cannot be run: {}", program, become(std::move(what))));
}

outcome execute(const errand_order& order, const steward_rules& rules, const io::descriptor& line)
{
    switch (order.what) {
        case errand::check_log:
            return check_log(order.text, rules);
        case errand::open_log:
            return open_log(order.text, rules);
        case errand::connect_log:
            return connect_log(order.text, rules);
        case errand::listen:
            return listen(order.text, rules);
        case errand::remove_socket:
            return remove_socket(order, rules);
        case errand::upgrade:
            return upgrade(order.text, rules, line);
    }
    std::unreachable();
}

void report_and_answer(const outcome& done, const io::descriptor& line, const io::descriptor& report)
{
    job_report r{.done = done ? 1U : 0U};
    if (done) {
        r.device = done->made.device;
        r.inode = done->made.inode;
    }
    (void)!::write(report.number(), &r, sizeof r);
    if (!line) return;
    auto answer = done ? steward_answer::make(steward_answer::kind::done)
                       : steward_answer::make(steward_answer::kind::failed, done.error().text);
    if (!done) answer.error = done.error().error;
    io::post_packet(line.number(), io::bytes_of(answer), done ? done->passed.number() : -1);
}

}  // namespace

void close_all_but(std::initializer_list<int> kept)
{
    std::vector<int> numbers(kept);
    std::ranges::sort(numbers);
    int first = STDERR_FILENO + 1;
    for (const int number : numbers) {
        if (number < first) continue;
        if (number > first) ::close_range(static_cast<unsigned>(first), static_cast<unsigned>(number) - 1, 0);
        first = number + 1;
    }
    ::close_range(static_cast<unsigned>(first), ~0U, 0);
}

void perform(const errand_order& order, const steward_rules& rules, io::descriptor line, io::descriptor report) noexcept
{
    // A successor outlives the steward; other jobs do not.
    if (order.what != errand::upgrade) (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    outcome done;
    try {
        close_all_but({line.number(), report.number()});
        done = execute(order, rules, line);
    } catch (const std::exception&) {
        done = std::unexpected("out of memory");  // short enough to need none
    }
    report_and_answer(done, line, report);
    ::_exit(done ? EXIT_SUCCESS : EXIT_FAILURE);
}

}  // namespace server
