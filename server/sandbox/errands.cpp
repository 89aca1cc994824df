// SPDX-License-Identifier: MIT
#include "server/sandbox/errands.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
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
#include "server/sandbox/runner.hpp"
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
    bool is_named_by_root = false;
    std::uint64_t digest = 0;  // of the programs of a runner
};
struct failure {
    failure(problem why, int number = 0) : text(std::move(why)), error(number) {}
    failure(const char* why) : text(why) {}

    problem text;
    int error = 0;  // the errno, if the server needs it
};
using outcome = std::expected<achieved, failure>;

void end_with_steward() { (void)::prctl(PR_SET_PDEATHSIG, SIGKILL); }

/// Who determines what is named.
enum class named_by : bool { root, somebody };

/// Drops root's rights for good, unless only root can change which file the path names, and root has named the path.
std::expected<void, problem> drop_rights_for(const std::string& path, const steward_rules& rules,
                                             named_by whom = named_by::root)
{
    if (!rules.run_as || (whom == named_by::root && is_roots_own(path))) return {};
    auto switched = switch_user(*rules.run_as);
    end_with_steward();  // which the switch has cleared
    return switched;
}

named_by who_writes(const settings& s)
{
    const bool is_roots = s.configuration_file.empty() || is_written_by_root_only(s.configuration_file);
    return is_roots ? named_by::root : named_by::somebody;
}

/// Who names the log, or named it when it was last opened: a mistake in the configuration must not keep a log from
/// being rotated.
std::expected<named_by, problem> must_name_log(const steward_rules& rules, const std::string& text)
{
    if (std::ranges::find(rules.logs, text) != rules.logs.end()) return named_by::root;
    const auto s = read_command_line(rules.command.arguments);
    if (s && (s->log.access == text || s->log.error == text)) return who_writes(*s);
    return std::unexpected(fmt::format("the steward does not open {}: the configuration names no such log", text));
}

std::expected<named_by, problem> must_name_address(const steward_rules& rules, const std::string& address)
{
    const auto s = read_command_line(rules.command.arguments);
    const auto named = s ? wanted_addresses(*s) : std::vector<std::string>();
    if (path_of(address) && std::ranges::find(named, address) != named.end()) return who_writes(*s);
    return std::unexpected(
        fmt::format("the steward does not listen on {}: the configuration names no such address", address));
}

struct named_log {
    log_target target;
    bool is_named_by_root;
};

/// Checks that the log may be opened, drops root's rights if that is needed, and returns its target.
std::expected<named_log, problem> prepare_for_log(const std::string& text, const steward_rules& rules)
{
    const auto whom = must_name_log(rules, text);
    if (!whom) return std::unexpected(whom.error());
    auto target = parse_log_target(text);
    if (!target) return std::unexpected(std::move(target.error()));
    named_log log{std::move(*target), *whom == named_by::root};
    if (log.target.path.empty()) return log;
    if (auto may = drop_rights_for(log.target.path, rules, *whom); !may) return std::unexpected(std::move(may.error()));
    return log;
}

outcome check_log(const std::string& text, const steward_rules& rules)
{
    const auto named = prepare_for_log(text, rules);
    if (!named) return std::unexpected(failure(named.error()));
    if (auto why = why_no_log(text)) return std::unexpected(std::move(*why));
    return achieved{.passed = {}, .is_named_by_root = named->is_named_by_root};
}

outcome open_log(const std::string& text, const steward_rules& rules)
{
    const auto named = prepare_for_log(text, rules);
    if (!named) return std::unexpected(failure(named.error()));
    auto log = server::open_log(text, -1);
    if (!log) return std::unexpected(std::move(log.error()));
    return achieved{.passed = std::move(log->file).release(), .is_named_by_root = named->is_named_by_root};
}

outcome connect_log(const std::string& text, const steward_rules& rules)
{
    const auto named = prepare_for_log(text, rules);
    if (!named) return std::unexpected(failure(named.error()));
    if (!named->target.takes_datagrams()) return std::unexpected("this log has no reader");
    const auto where = io::address::parse("unix:" + named->target.path);
    auto connected = where ? io::connect_for_datagrams(*where) : std::unexpected(where.error());
    if (!connected) return std::unexpected(failure{std::string(connected.error().text), connected.error().number});
    return achieved{.passed = std::move(*connected), .is_named_by_root = named->is_named_by_root};
}

outcome listen(const std::string& address, const steward_rules& rules)
{
    const auto whom = must_name_address(rules, address);
    if (!whom) return std::unexpected(failure(whom.error()));
    if (auto may = drop_rights_for(*path_of(address), rules, *whom); !may)
        return std::unexpected(std::move(may.error()));
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

/// Whether the server has closed its end: it has ended, or does not wait any more.
bool is_given_up(const io::descriptor& line)
{
    pollfd end{.fd = line.number(), .events = 0, .revents = 0};
    return ::poll(&end, 1, 0) == 1;
}

/// Reads them from the line. Nullopt if the server ends, sends an invalid message, or does not send all in time.
std::optional<inherited_sockets> read_inheritance(const io::descriptor& line)
{
    using namespace std::chrono;
    inherited_sockets all;
    const auto until = steady_clock::now() + patience_with_file_system;
    for (;;) {
        pollfd next{.fd = line.number(), .events = POLLIN, .revents = 0};
        const auto left = ceil<milliseconds>(until - steady_clock::now());
        if (left.count() <= 0) return std::nullopt;
        if (::poll(&next, 1, static_cast<int>(left.count())) < 0 && errno != EINTR) return std::nullopt;
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
    if (!given) return std::unexpected("the steward has not learned what the new server inherits: try again");
    const own_command& own = rules.command;
    if (auto may = may_run(program, ::geteuid()); !may) return std::unexpected(std::move(may.error()));
    launch what{.program = program,
                .arguments = own.arguments,
                .environment = environment_for_successor(given->sockets, own.addresses),
                .descriptors = {}};
    int number = first_inherited;
    for (listening& l : given->sockets) what.descriptors.emplace_back(std::move(l.socket).release(), number++);
    what.descriptors.emplace_back(std::move(given->reports), number);
    if (is_given_up(line)) return std::unexpected("the server does not wait for its successor any more");
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
        case errand::start_runner:
            break;  // see perform()
    }
    std::unreachable();
}

/// Reports to the steward, and then answers the server, which may send its next request as soon as it has the answer.
void report_and_answer(const outcome& done, const io::descriptor& line, const io::descriptor& report)
{
    job_report r{.done = done ? 1U : 0U};
    if (done) {
        r.device = done->made.device;
        r.inode = done->made.inode;
        r.is_named_by_root = done->is_named_by_root ? 1U : 0U;
    }
    (void)!::write(report.number(), &r, sizeof r);
    if (!line) return;
    auto answer = done ? steward_answer::make(steward_answer::kind::done)
                       : steward_answer::make(steward_answer::kind::failed, done.error().text);
    if (!done) answer.error = done.error().error;
    if (done) answer.digest = done->digest;
    io::post_packet(line.number(), io::bytes_of(answer), done ? done->passed.number() : -1);
}

/// Whoever can write the configuration determines what the runner starts, and as whom. If root is not the only one, the
/// runner has the rights of the server's user from the beginning, so no program can have those of another.
std::expected<runner_rules, problem> rules_of_runner(const steward_rules& rules)
{
    const auto s = read_command_line(rules.command.arguments);
    if (!s) return std::unexpected("the configuration cannot be read any more: see `occwserv check`");
    auto run_as = rules.run_as;
    if (run_as && who_writes(*s) == named_by::somebody) {
        if (auto switched = switch_user(*std::exchange(run_as, std::nullopt)); !switched)
            return std::unexpected(std::move(switched.error()));
    }
    auto all = prepare_runner(*s, run_as);
    end_with_steward();  // which a switch of the user has cleared
    if (!all && rules.run_as && !run_as) {
        return std::unexpected(
            fmt::format("{}; and others than root can write {}, so programs run only as the user of "
                        "the server",
                        all.error(), s->configuration_file));
    }
    return all;
}

/// Serves as runner, if there can be one.
outcome run_programs(const steward_rules& rules, io::descriptor& line, io::descriptor& report)
{
    auto all = rules_of_runner(rules);
    if (!all) return std::unexpected(std::move(all.error()));
    auto ends = runner_line_ends();
    if (!ends) return std::unexpected(std::string(ends.error().text));
    report_and_answer(achieved{.passed = std::move(ends->first), .digest = all->digest}, line, report);
    line = {};
    report = {};
    serve_as_runner(std::move(*all), std::move(ends->second));
    ::_exit(EXIT_SUCCESS);
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
    end_with_steward();
    outcome done;
    try {
        close_all_but({line.number(), report.number()});
        if (order.what == errand::start_runner) {
            done = run_programs(rules, line, report);
        } else {
            done = execute(order, rules, line);
        }
    } catch (const std::exception&) {
        done = std::unexpected("out of memory");  // short enough to need none
    }
    report_and_answer(done, line, report);
    ::_exit(done ? EXIT_SUCCESS : EXIT_FAILURE);
}

}  // namespace server
