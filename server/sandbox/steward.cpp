// SPDX-License-Identifier: MIT
#include "server/sandbox/steward.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "io/child.hpp"
#include "io/packet.hpp"
#include "server/sandbox/errands.hpp"
#include "server/service/roots_own.hpp"

namespace server {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience_at_end{5};
constexpr std::chrono::seconds patience_with_runners{1};

/// A process that the steward has forked for a request. It performs the errand, or executes the program.
struct job {
    pid_t process = 0;
    errand_order order;
    io::descriptor line;       // to the server
    io::descriptor report;     // from the job: see job_report
    bool has_started = false;  // it is the program now, and the server can send orders

    [[nodiscard]] bool is_program() const { return order.what == errand::upgrade; }
};

/// A request for which no job has been started yet: see must_wait().
struct waiting_request {
    errand_order order;
    io::descriptor line;
};

class steward {
  public:
    steward(io::descriptor server, io::descriptor servers_end, io::descriptor children, steward_rules rules)
        : server_(std::move(server)),
          servers_end_(std::move(servers_end)),
          children_(std::move(children)),
          rules_(std::move(rules))
    {
        // So that only requests need memory later.
        jobs_.reserve(most_jobs_);
        waiting_.reserve(most_jobs_);
        watched_.reserve(first_job + 2 * most_jobs_);
    }

    /// Returns when the server has ended.
    void serve()
    {
        while (server_) {
            wait_for_event();
            handle_events();
        }
        end_jobs();
    }

  private:
    // ---- events

    /// Waits for the server, for children, and for each job: for its report, or for orders once it is the program.
    void wait_for_event()
    {
        watched_.clear();
        watched_.push_back({.fd = server_.number(), .events = POLLIN, .revents = 0});
        watched_.push_back({.fd = children_.number(), .events = POLLIN, .revents = 0});
        watched_.push_back({.fd = servers_end_.number(), .events = POLLIN, .revents = 0});
        for (const job& j : jobs_) {
            watched_.push_back({.fd = j.report.number(), .events = POLLIN, .revents = 0});
            // Before the program runs, the job itself reads the line; only its end is of interest.
            const auto events = static_cast<short>(j.has_started ? POLLIN : 0);
            watched_.push_back({.fd = j.line.number(), .events = events, .revents = 0});
        }
        if (::poll(watched_.data(), watched_.size(), -1) < 0) watched_.clear();
    }

    void handle_events()
    {
        if (watched_.empty()) return;
        const std::size_t jobs = (watched_.size() - first_job) / 2;
        for (std::size_t i = 0; i < jobs; ++i) {
            if (watched_[first_job + 2 * i].revents != 0) take_report(jobs_[i]);
            if (watched_[first_job + 2 * i + 1].revents != 0) take_order(jobs_[i]);
        }
        if (watched_[1].revents != 0) reap();
        if (watched_[0].revents != 0 || watched_[2].revents != 0) take_request();
    }

    // ---- requests

    void take_request()
    {
        std::array<std::byte, sizeof(steward_request)> bytes{};
        auto got = io::receive_packet(server_.number(), bytes);
        if (!got && got.error().number == EAGAIN) {
            if (watched_[2].revents != 0) server_ = {};
            return;
        }
        // EMSGSIZE: a packet of an unknown size, which has been discarded. Its line closes, and that is the answer.
        if (!got && got.error().number == EMSGSIZE) return;
        if (!got || got->bytes == 0) {
            server_ = {};
            return;
        }
        try {
            handle_request(std::span(bytes).first(got->bytes), got->passed);
        } catch (const std::bad_alloc&) {
            answer(got->passed, "the steward is out of memory");
        }
    }

    /// Takes the descriptor if the request is accepted.
    void handle_request(std::span<const std::byte> request, io::descriptor& passed)
    {
        auto order = parse_request(request);
        if (!order) return answer(passed, "the steward does not know this request");
        if (jobs_.size() + waiting_.size() >= most_jobs_)
            return answer(passed, "the steward is busy with too many requests: try again later");
        // Others than packet sockets are never written to with the steward's rights.
        if (order->what == errand::remove_socket ? !take_ours(*order) : !io::is_packet_socket(passed)) return;
        if (must_wait(*order)) {
            waiting_.push_back({.order = std::move(*order), .line = std::move(passed)});
        } else {
            start_job(std::move(*order), std::move(passed));
        }
    }

    /// A request to listen waits until the jobs for the same address have ended: one that removes its old file, and one
    /// that listened there, because until its end it holds the socket, which the server may have closed already.
    [[nodiscard]] bool must_wait(const errand_order& order) const
    {
        return order.what == errand::listen && std::ranges::any_of(jobs_, [&](const job& j) {
                   const bool is_of_address = j.order.what == errand::remove_socket || j.order.what == errand::listen;
                   return is_of_address && j.order.text == order.text;
               });
    }
    void start_waiting()
    {
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            if (must_wait(at->order)) {
                ++at;
                continue;
            }
            start_job(std::move(at->order), std::move(at->line));
            at = waiting_.erase(at);
        }
    }

    /// Whether this server has made the file. Only once: when it has been removed, its inode may be reused.
    bool take_ours(const errand_order& order)
    {
        return std::erase_if(rules_.made, [&](const steward_rules::socket_place& one) {
                   return one.address == order.text && one.file == order.file;
               }) > 0;
    }

    void start_job(errand_order order, io::descriptor line)
    {
        std::array<int, 2> pipe{};
        if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return answer(line, std::strerror(errno));
        io::descriptor report(pipe[0]);
        io::descriptor to_steward(pipe[1]);
        const pid_t forked = ::fork();
        if (forked < 0) return answer(line, fmt::format("cannot start a process: {}", std::strerror(errno)));
        if (forked == 0) perform(order, rules_, std::move(line), std::move(to_steward));
        // A request to remove a socket carries that socket instead of a line. The job has it now.
        if (order.what == errand::remove_socket) line = {};
        jobs_.push_back(
            {.process = forked, .order = std::move(order), .line = std::move(line), .report = std::move(report)});
    }

    /// Answers that the request has failed.
    static void answer(const io::descriptor& line, std::string_view why)
    {
        const auto no = steward_answer::make(steward_answer::kind::failed, why);
        if (line) io::post_packet(line.number(), io::bytes_of(no));
    }

    // ---- jobs

    /// Takes a report, or the end of the pipe, which is closed by exec when the program of a job runs.
    void take_report(job& j)
    {
        job_report report;
        const auto bytes = ::read(j.report.number(), &report, sizeof report);
        if (bytes < 0 && errno == EINTR) return;
        j.report = {};
        if (bytes == sizeof report) {
            try {
                return note(j, report);
            } catch (const std::bad_alloc&) {
                return;  // forgotten: the file of an address stays, or a log is looked up in the configuration again
            }
        }
        if (!j.is_program()) return;
        auto started = steward_answer::make(steward_answer::kind::started);
        started.pid = j.process;
        io::post_packet(j.line.number(), io::bytes_of(started));
        j.has_started = true;
    }

    /// Remembers the socket that a job has made, and the log that it has opened, for later requests.
    void note(job& j, const job_report& report)
    {
        if (!report.done) return;
        if (j.order.what == errand::start_runner) j.line = {};  // it serves now, on a line of its own
        if (j.order.what == errand::listen) {
            std::erase_if(rules_.made, [&](const auto& one) { return one.address == j.order.text; });
            rules_.made.push_back({j.order.text, {report.device, report.inode}});
        }
        const bool is_log = j.order.what == errand::check_log || j.order.what == errand::open_log ||
                            j.order.what == errand::connect_log;
        if (is_log && report.is_named_by_root != 0 &&
            std::ranges::find(rules_.logs, j.order.text) == rules_.logs.end()) {
            rules_.logs.push_back(j.order.text);
        }
    }

    /// Takes an order of the server for a program. If the server has closed the line, abandons the job.
    void take_order(job& j)
    {
        if (!j.line) return;  // its report, which came at the same time, has settled that it serves as a runner
        if (!j.has_started) return abandon(j);  // until then only the end of the line is watched
        io::child_order order;
        const auto got = io::receive_packet(j.line.number(), io::room_of(order));
        if (!got && got.error().number == EAGAIN) return;
        if (!got || got->bytes != sizeof order) return abandon(j);
        if (order.what == io::child_order::kind::let_go) {
            let_go(j);
        } else if (order.signal == SIGTERM || order.signal == SIGKILL) {  // nobody needs others
            const bool to_group = order.what == io::child_order::kind::signal_group && leads_group(j);
            (void)::kill(to_group ? -j.process : j.process, order.signal);
        }
    }

    /// A new server has taken over. It is not this server's any more, nor are the files of the addresses, nor are the
    /// processes that the new one leaves behind, such as a server that takes over from it in turn.
    void let_go(job& j)
    {
        j.line = {};
        rules_.made.clear();
        (void)::prctl(PR_SET_CHILD_SUBREAPER, 0);
    }

    static bool leads_group(const job& j) { return ::getpgid(j.process) == j.process; }

    /// The server has closed its end of the line. If it has ended, a successor takes over, so that is not killed.
    static void abandon(job& j)
    {
        j.line = {};
        if (!outlives_server(j)) (void)::kill(leads_group(j) ? -j.process : j.process, SIGKILL);
    }
    /// A successor; not a job that is to become one.
    static bool outlives_server(const job& j) { return j.has_started && j.order.what == errand::upgrade; }

    /// Reaps the jobs that have ended, and orphans of their programs.
    void reap()
    {
        signalfd_siginfo unused{};
        while (::read(children_.number(), &unused, sizeof unused) > 0) {
        }
        io::child_end end;
        int status = 0;
        for (pid_t ended = 0; (ended = ::wait4(-1, &status, WNOHANG, &end.usage)) > 0;) {
            const auto at = std::ranges::find(jobs_, ended, &job::process);
            if (at == jobs_.end()) continue;
            if (at->report) take_report(*at);  // a program may end at once
            end.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
            end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
            if (at->has_started && at->line) io::post_packet(at->line.number(), io::bytes_of(end));
            jobs_.erase(at);
        }
        start_waiting();
    }

    // ---- the end

    /// Kills all jobs, and the processes that they left behind, but no successor.
    void end_jobs()
    {
        for (job& j : jobs_) {
            if (is_readable(j.report, 0)) take_report(j);  // it may be a successor by now
        }
        const auto begin = clock::now();
        while (kill_children(clock::now() - begin) && clock::now() - begin < patience_at_end) {
            constexpr int pause = 20;  // milliseconds
            (void)is_readable(children_, pause);
            reap();
        }
    }

    static bool is_readable(const io::descriptor& d, int milliseconds)
    {
        pollfd one{.fd = d.number(), .events = POLLIN, .revents = 0};
        return ::poll(&one, 1, milliseconds) == 1;
    }

    /// Returns whether there are children whose end must be waited for. `waited` is how long the end has taken so far.
    bool kill_children(clock::duration waited)
    {
        std::vector<pid_t> all;
        all.reserve(jobs_.size());
        for (const job& j : jobs_) all.push_back(j.process);
        // Orphans become children of the steward. Without this file, which a kernel may lack, they live on.
        std::ifstream children(fmt::format("/proc/self/task/{}/children", ::getpid()));
        for (pid_t child = 0; children >> child;) all.push_back(child);
        bool any = false;
        for (const pid_t child : all) {
            const auto at = std::ranges::find(jobs_, child, &job::process);
            // The last requests of a server, to remove its socket files, are completed.
            const bool is_removal = at != jobs_.end() && at->order.what == errand::remove_socket;
            // A runner sees the end of the server too. It kills the groups of its programs, which nobody else knows,
            // and then it ends.
            const bool is_runner = at != jobs_.end() && at->order.what == errand::start_runner;
            const bool ends_itself = is_removal || (is_runner && waited < patience_with_runners);
            if (ends_itself || (at != jobs_.end() && outlives_server(*at))) {
                any |= ends_itself;
                continue;
            }
            any |= ::kill(child, SIGKILL) == 0;
        }
        return any;
    }

    /// Each job needs two descriptors and two places in the list for poll(2), which may not be longer than the limit.
    static std::size_t most_jobs()
    {
        rlimit files{};
        if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return most_ever;
        return std::min<std::size_t>(most_ever, files.rlim_cur / 2 - std::min<rlim_t>(files.rlim_cur / 2, few));
    }
    static constexpr std::size_t most_ever = 256;
    static constexpr rlim_t few = 6;             // pairs of other descriptors
    static constexpr std::size_t first_job = 3;  // in watched_

    io::descriptor server_;  // closed when the server has ended
    // A pidfd. The line alone does not tell: a server that was taken over can have given its end of it to a job.
    io::descriptor servers_end_;
    io::descriptor children_;  // a signalfd for SIGCHLD
    steward_rules rules_;
    std::size_t most_jobs_ = most_jobs();  // further requests are refused
    std::vector<job> jobs_;
    std::vector<waiting_request> waiting_;
    std::vector<pollfd> watched_;
};

/// Ignores the signals that a terminal or a service manager sends to all processes: they are for the server, and the
/// steward ends when the server has ended. Returns a signalfd for SIGCHLD; invalid if no descriptor is left.
io::descriptor set_up_signals()
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE}) std::signal(signal, SIG_IGN);
    std::signal(SIGCHLD, SIG_DFL);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    ::sigprocmask(SIG_SETMASK, &children, nullptr);
    return io::descriptor(::signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC));
}

/// Empty if the process has ended.
io::descriptor watch_parent(pid_t parent)
{
    io::descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, parent, 0)));
    return ::getppid() == parent ? std::move(pidfd) : io::descriptor();
}

[[noreturn]] void be_steward(io::descriptor server, pid_t parent, steward_rules rules)
{
    int code = EXIT_FAILURE;
    try {
        close_all_but({server.number()});
        (void)::prctl(PR_SET_NAME, "occw-steward");
        (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);
        if (io::descriptor children = set_up_signals()) {
            steward(std::move(server), watch_parent(parent), std::move(children), std::move(rules)).serve();
            code = EXIT_SUCCESS;
        }
    } catch (const std::bad_alloc&) {
        fmt::print(stderr, "occwserv: the steward is out of memory\n");
    }
    ::_exit(code);
}

}  // namespace

steward_rules rules_of(const settings& s, const own_command& command, std::optional<user_account> run_as,
                       const std::vector<listening>& inherited)
{
    steward_rules rules{.command = command, .run_as = std::move(run_as), .logs = {}, .made = {}};
    for (const std::string& log : {s.log.access, s.log.error}) {
        if (!log.empty()) rules.logs.push_back(log);
    }
    for (const listening& l : inherited) {
        if (l.file) rules.made.push_back({l.address, l.file});
    }
    return rules;
}

std::expected<running_steward, std::string> start_steward(steward_rules rules)
{
    auto ends = io::packet_pair();
    if (!ends) return std::unexpected(fmt::format("cannot make a line to the steward: {}", ends.error().text));
    const pid_t server = ::getpid();
    const pid_t forked = ::fork();
    if (forked < 0) return std::unexpected(fmt::format("cannot start the steward: {}", std::strerror(errno)));
    if (forked == 0) {
        ends->first = {};
        be_steward(std::move(ends->second), server, std::move(rules));
    }
    io::descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, forked, 0)));
    if (!pidfd) return std::unexpected(fmt::format("cannot watch the steward: {}", std::strerror(errno)));
    return running_steward{forked, std::move(pidfd), steward_line(std::move(ends->first))};
}

void end_steward(pid_t steward) noexcept
{
    constexpr std::chrono::milliseconds pause{2};
    const auto enough = std::chrono::steady_clock::now() + 2 * patience_at_end;
    while (::waitpid(steward, nullptr, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() >= enough) {
            ::kill(steward, SIGKILL);
            return;
        }
        std::this_thread::sleep_for(pause);
    }
}

std::expected<void, std::string> may_run(const std::string& path, uid_t by)
{
    struct stat file{};
    if (::stat(path.c_str(), &file) != 0) {
        return std::unexpected(fmt::format("{} cannot be run: {}", path, std::strerror(errno)));
    }
    if (by != 0 || is_written_by_root_only(path)) return {};
    return std::unexpected(fmt::format(
        "{} is not run as root: the file or a directory above it belongs to another user, or can be written by one",
        path));
}

}  // namespace server
