// SPDX-License-Identifier: MIT
#include "server/sandbox/runner.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <new>
#include <poll.h>
#include <span>
#include <string_view>
#include <sys/epoll.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <variant>

#include <fmt/core.h>

#include "io/child.hpp"
#include "io/packet.hpp"
#include "server/configuration/policy.hpp"
#include "server/configuration/programs.hpp"
#include "server/messages/runner_messages.hpp"
#include "server/sandbox/steward.hpp"

namespace server {
namespace {

namespace fs = std::filesystem;
using why_not = start_failure::kind;

// ---- the rules

std::uint64_t hard_limit(int resource)
{
    rlimit now{};
    return ::getrlimit(static_cast<__rlimit_resource>(resource), &now) == 0 ? now.rlim_max : RLIM_INFINITY;
}

/// No more than the hard limit of this process, which only root could raise.
std::pair<int, rlimit> limit(int resource, std::uint64_t soft, std::uint64_t hard)
{
    const rlim_t most = hard_limit(resource);
    return {resource, {.rlim_cur = std::min<rlim_t>(soft, most), .rlim_max = std::min<rlim_t>(hard, most)}};
}

std::vector<std::pair<int, rlimit>> limits_of(const cgi_rules::limits& each)
{
    std::vector<std::pair<int, rlimit>> all{limit(RLIMIT_CORE, 0, 0)};
    const auto cpu = static_cast<std::uint64_t>(each.cpu.count());
    if (cpu > 0) all.push_back(limit(RLIMIT_CPU, cpu, cpu + 1));  // SIGXCPU, and a second later SIGKILL
    if (each.memory > 0) all.push_back(limit(RLIMIT_AS, each.memory, each.memory));
    if (each.open_files > 0) all.push_back(limit(RLIMIT_NOFILE, each.open_files, each.open_files));
    return all;
}

std::string without_links(const std::string& directory)
{
    std::error_code failed;
    return fs::canonical(directory, failed).string();
}

starter::memory memory_for(const runnable& r)
{
    if (r.user) return starter::memory::own;
    const auto is_local = [](const std::string& path) { return path.empty() || is_on_local_file_system(path); };
    const bool all_local =
        is_local(r.rules.path) && is_local(r.rules.working_directory) && std::ranges::all_of(r.within, is_local);
    return all_local ? starter::memory::borrowed : starter::memory::own;
}

std::expected<runnable, std::string> runnable_of(const static_rules& site, const route& from, const cgi_rules& rules)
{
    runnable r{.rules = rules, .limits = limits_of(rules.of_each)};
    if (rules.what == cgi_rules::kind::interpreter) {
        if (from.path.starts_with('*')) r.ending = from.path.substr(1);
        r.within.push_back(without_links(site.root));
        for (const std::string& also : site.links_into) r.within.push_back(without_links(also));
    }
    auto user = account_to_switch_to(rules.user, rules.group);
    if (!user) return std::unexpected(fmt::format("{}: {}", rules.path, user.error()));
    if (*user) r.user = identity_of(std::move(**user));
    return r;
}

bool is_same(const identity& a, const user_account& b)
{
    return a.account.user == b.user && a.account.group == b.group;
}

/// Determines the user of the programs whose routes name none.
std::expected<void, std::string> settle_users(runner_rules& all, const std::optional<user_account>& run_as)
{
    const bool some_differ = std::ranges::any_of(all.programs, [&](const auto& one) {
        return one.second.user && !(run_as && is_same(*one.second.user, *run_as));
    });
    if (run_as && !some_differ) {
        for (auto& [where, r] : all.programs) r.user.reset();
        return switch_user(*run_as);
    }
    for (auto& [where, r] : all.programs) {
        if (r.user) continue;
        if (run_as) {
            r.user = identity_of(*run_as);
        } else if (::geteuid() == 0) {
            r.with = runnable::rights::of_root;
        }
    }
    if (run_as) all.files_of = identity_of(*run_as);
    return {};
}

}  // namespace

std::expected<runner_rules, std::string> prepare_runner(const settings& s, const std::optional<user_account>& run_as)
{
    runner_rules all{.programs = {}, .state = s.state, .digest = digest_of_programs(s)};
    const std::vector<site> sites = all_sites(s);
    for (std::uint32_t number = 0; number < sites.size(); ++number) {
        const static_rules& files = sites[number].files;
        for (std::uint32_t i = 0; i < files.routes.size(); ++i) {
            const auto* const rules = std::get_if<cgi_rules>(&files.routes[i].then);
            if (rules == nullptr) continue;
            auto r = runnable_of(files, files.routes[i], *rules);
            if (!r) return std::unexpected(std::move(r.error()));
            all.programs.emplace(std::pair(number, i), std::move(*r));
        }
    }
    if (auto settled = settle_users(all, run_as); !settled) return std::unexpected(std::move(settled.error()));
    for (auto& [where, r] : all.programs) r.memory = memory_for(r);
    return all;
}

namespace {

// ---- one request

std::unexpected<start_failure> refuse(why_not what, std::string text)
{
    return std::unexpected(start_failure{.what = what, .text = std::move(text)});
}
using checked = std::expected<void, start_failure>;

std::string_view directory_of(std::string_view path)
{
    return path.substr(0, std::max<std::size_t>(1, path.rfind('/')));
}

checked check_environment(const runnable& r, const runner_order& order)
{
    constexpr std::string_view file = "SCRIPT_FILENAME=";
    const bool is_interpreter = r.rules.what == cgi_rules::kind::interpreter;
    std::size_t files = 0;
    for (const std::string& v : order.environment) {
        if (!may_have(r.rules, v)) {
            return refuse(why_not::forbidden, fmt::format("the runner does not set the variable {} of a program",
                                                          std::string_view(v).substr(0, v.find('='))));
        }
        if (!is_interpreter || !v.starts_with(file)) continue;
        ++files;
        if (v.substr(file.size()) != order.script) return refuse(why_not::forbidden, "SCRIPT_FILENAME is another file");
    }
    if (is_interpreter && files != 1) return refuse(why_not::forbidden, "SCRIPT_FILENAME is not set once");
    return {};
}

checked check_script(const runnable& r, const std::string& script)
{
    const auto no_program = [&] {
        return refuse(why_not::forbidden, fmt::format("the runner starts no program for `{}`", script));
    };
    switch (r.rules.what) {
        case cgi_rules::kind::directory:
            if (!is_name_of_program(script)) return no_program();
            return {};
        case cgi_rules::kind::program:
            if (!script.empty()) return no_program();
            return {};
        case cgi_rules::kind::interpreter:
            if (!is_path_of_file(script) || !script.ends_with(r.ending)) return no_program();
            return {};
    }
    return no_program();
}

launch launch_for(const runnable& r, runner_order order)
{
    launch what{.program = r.rules.path,
                .arguments = {},
                .environment = std::move(order.environment),
                .descriptors = {},
                .directory = r.rules.working_directory,
                .user = r.user,
                .limits = r.limits,
                .niceness = r.rules.niceness,
                .death_signal = SIGKILL,
                .process_group = launch::group::its_own,
                .ours = launch::signals::of_default_effect};
    std::string_view is_for = what.program;
    if (r.rules.what == cgi_rules::kind::directory) {
        what.program = fmt::format("{}/{}", r.rules.path, order.script);
        what.file = checked_file{.directory = r.rules.path, .path = std::move(order.script)};
        is_for = what.program;
    } else if (r.rules.what == cgi_rules::kind::interpreter) {
        what.file = checked_file{.path = std::move(order.script), .within = r.within};
        is_for = what.file->path;
    }
    if (what.directory.empty()) what.directory = directory_of(is_for);
    what.arguments.push_back(what.program);
    return what;
}

why_not kind_of(const launch_failure& why)
{
    using step = launch_failure::step;
    const auto is_one_of = [&](std::initializer_list<int> errors) {
        return std::ranges::find(errors, why.error) != errors.end();
    };
    if (is_one_of({EAGAIN, ENOMEM, EMFILE, ENFILE})) return why_not::unavailable;
    if (why.at == step::file) {
        return is_one_of({ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG}) ? why_not::missing : why_not::forbidden;
    }
    if (why.at == step::program && is_one_of({EACCES, EPERM})) return why_not::forbidden;
    return why_not::other;
}

/// With root's rights, a program runs only if nobody but root can change its file. A missing file is refused too, since
/// somebody could create it meanwhile.
checked check_for_root(const std::string& path, launch_failure::step if_missing)
{
    struct stat file{};
    if (::stat(path.c_str(), &file) != 0) {
        const launch_failure why{.at = if_missing, .error = errno};
        return refuse(kind_of(why), fmt::format("{}: {}", path, std::strerror(why.error)));
    }
    auto may = may_run(path, 0);
    if (!may) return refuse(why_not::forbidden, fmt::format("{}; set `user`", may.error()));
    return {};
}

checked check_rights(const runnable& r, const launch& what)
{
    using step = launch_failure::step;
    if (r.with == runnable::rights::of_user) return {};
    const bool is_interpreter = r.rules.what == cgi_rules::kind::interpreter;
    const bool is_of_request = r.rules.what == cgi_rules::kind::directory;
    auto may = check_for_root(what.program, is_of_request ? step::file : step::program);
    if (may && is_interpreter) may = check_for_root(what.file->path, step::file);
    return may;
}

// ---- the process

/// A program that was started, or is about to be.
struct program {
    pid_t pid = 0;  // 0: none
    io::descriptor line;
    io::descriptor pidfd;
    io::descriptor report;           // until the program has been executed, if that is not known at once
    std::optional<launch> starting;  // likewise
    bool has_ended = false;          // it is a zombie, and the server knows
    bool is_dropped = false;         // the server has closed the line
};

class runner {
  public:
    runner(runner_rules rules, io::descriptor server, io::descriptor events)
        : rules_(std::move(rules)),
          server_(std::move(server)),
          events_(std::move(events)),
          packet_(runner_request::largest)
    {
        watch(server_, ~std::uint64_t{0});
    }

    void serve()
    {
        while (server_ || used_ > 0) {
            std::array<epoll_event, 64> ready{};
            const int count = ::epoll_wait(events_.number(), ready.data(), static_cast<int>(ready.size()), -1);
            for (const epoll_event& e : std::span(ready).first(static_cast<std::size_t>(std::max(count, 0)))) {
                handle(e.data.u64);
            }
        }
    }

  private:
    enum class about : std::uint8_t { line, end, report };

    // ---- events

    bool watch(const io::descriptor& d, std::uint64_t name)
    {
        epoll_event e{.events = EPOLLIN, .data = {.u64 = name}};
        return ::epoll_ctl(events_.number(), EPOLL_CTL_ADD, d.number(), &e) == 0;
    }
    /// Removes the descriptor from the epoll set before it closes it: a child before its execve(2) may have a
    /// duplicate, which would keep it in the set.
    void forget(io::descriptor& d)
    {
        if (d) (void)::epoll_ctl(events_.number(), EPOLL_CTL_DEL, d.number(), nullptr);
        d = {};
    }
    static std::uint64_t name_of(std::size_t place, about what) { return place * 4 + static_cast<std::uint64_t>(what); }

    /// An event may be about a program that an earlier one of the same round has removed, or whose place was given to
    /// another: all handlers look for themselves, without waiting, whether there is something to do.
    void handle(std::uint64_t name)
    {
        if (name == ~std::uint64_t{0}) return take_request();
        program& p = programs_[name / 4];
        if (p.pid == 0) return;
        switch (static_cast<about>(name % 4)) {
            case about::line:
                return take_order(p);
            case about::end:
                return p.is_dropped ? reap(p) : tell_end(p);
            case about::report:
                return take_report(p);
        }
    }

    // ---- requests

    void take_request()
    {
        if (!server_) return;
        auto got = io::receive_rich_packet(server_.number(), packet_);
        // EMSGSIZE: the packet was larger than any request and has been discarded, so its line closes.
        if (!got && (got.error().number == EAGAIN || got.error().number == EMSGSIZE)) return;
        if (!got || got->bytes == 0) return drop_all();
        // An attacker can pass any descriptor, even the server's end of this line. The runner then keeps its own line
        // open, and ends only when the steward kills it.
        if (!io::is_packet_socket(got->passed[0]) || is_given_up(got->passed[0])) return;
        try {
            if (auto done = handle_request(std::span(packet_).first(got->bytes), *got); !done) {
                answer(got->passed[0], done.error());
            }
        } catch (const std::bad_alloc&) {
            constexpr const char* text = "the runner is out of memory";
            io::post_packet(got->passed[0].number(), runner_answer::failed(why_not::unavailable, text).bytes());
        }
    }

    /// Whether the server has stopped waiting for the answer, perhaps because the runner was slow.
    static bool is_given_up(const io::descriptor& line)
    {
        pollfd end{.fd = line.number(), .events = 0, .revents = 0};
        return ::poll(&end, 1, 0) == 1;
    }

    static void answer(const io::descriptor& line, const start_failure& why)
    {
        io::post_packet(line.number(), runner_answer::failed(why.what, why.text).bytes());
    }

    /// Takes the line if the program was started.
    checked handle_request(std::span<const std::byte> packet, io::rich_packet& got)
    {
        auto order = parse_runner_request(packet);
        if (!order) return refuse(why_not::other, "the runner does not know this request");
        if (order->what == runner_request::kind::open_spool) return open_spool(got.passed[0]);
        const std::size_t streams = order->has_input ? 3 : 2;
        if (got.count != 1 + streams) return refuse(why_not::other, "a request must bring the standard streams");
        const auto found = rules_.programs.find({order->site, order->route});
        if (found == rules_.programs.end())
            return refuse(why_not::forbidden, "the configuration names no programs for this route");
        if (used_ >= most_programs_)
            return refuse(why_not::unavailable, "too many programs run: no descriptor is left");
        return check_and_start(found->second, std::move(*order), got);
    }

    checked check_and_start(const runnable& r, runner_order order, io::rich_packet& got)
    {
        if (auto is_right = check_script(r, order.script); !is_right) return is_right;
        if (auto is_right = check_environment(r, order); !is_right) return is_right;
        launch what = launch_for(r, std::move(order));
        if (auto is_right = check_rights(r, what); !is_right) return is_right;
        constexpr std::array numbers{STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO};
        for (std::size_t i = 1; i < got.count; ++i) {
            what.descriptors.emplace_back(std::move(got.passed[i]), numbers[i - 1]);
        }
        return start(prepared_launch(std::move(what)), r.memory, got.passed[0]);
    }

    checked start(prepared_launch what, starter::memory memory, io::descriptor& line)
    {
        const std::size_t place = free_place();
        auto started = starter_.start(what, memory);
        if (!started) return refuse(kind_of(started.error()), text_of(started.error(), what.what()));
        program& p = programs_[place];
        p = program();
        p.pid = started->pid;
        p.line = std::move(line);
        p.pidfd = std::move(started->pidfd);
        p.report = std::move(started->report);
        ++used_;
        const bool is_watched = watch(p.line, name_of(place, about::line)) &&
                                watch(p.pidfd, name_of(place, about::end)) &&
                                (!p.report || watch(p.report, name_of(place, about::report)));
        if (!is_watched) {
            drop(p);
        } else if (p.report) {
            p.starting = std::move(what).take();
            p.starting->descriptors.clear();
        } else {
            tell_start(p);
        }
        return {};
    }

    std::size_t free_place()
    {
        const auto free = std::ranges::find(programs_, 0, &program::pid);
        const auto place = static_cast<std::size_t>(free - programs_.begin());
        if (free == programs_.end()) programs_.emplace_back();
        return place;
    }

    /// Creates the file with the rights of the server's user, so that this user's quota applies.
    checked open_spool(const io::descriptor& line)
    {
        if (rules_.files_of) {
            ::setfsgid(rules_.files_of->account.group);
            ::setfsuid(rules_.files_of->account.user);
        }
        auto file = unnamed_file();
        const int error = errno;
        if (rules_.files_of) {
            ::setfsuid(::geteuid());
            ::setfsgid(::getegid());
        }
        if (!file) {
            return refuse(why_not::unavailable,
                          fmt::format("no file can be made in {}: {}", rules_.state, std::strerror(error)));
        }
        const runner_answer opened{.what = runner_answer::kind::opened};
        io::post_packet(line.number(), opened.bytes(), file.number());
        return {};
    }
    [[nodiscard]] io::descriptor unnamed_file() const
    {
        constexpr mode_t mode = 0600;
        io::descriptor file(::open(rules_.state.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
        if (file || (errno != EOPNOTSUPP && errno != EISDIR)) return file;
        std::string name = rules_.state + "/.occwserv-XXXXXX";  // this file system knows no unnamed files
        file = io::descriptor(::mkostemp(name.data(), O_CLOEXEC));
        if (file) ::unlink(name.c_str());
        return file;
    }

    // ---- programs

    static void tell_start(const program& p)
    {
        const runner_answer started{.what = runner_answer::kind::started, .pid = p.pid};
        io::post_packet(p.line.number(), started.bytes());
    }

    /// Takes the report of a child that does not borrow our memory.
    void take_report(program& p)
    {
        launch_failure why;
        const auto bytes = ::read(p.report.number(), &why, sizeof why);
        if (bytes < 0) return;
        forget(p.report);
        const std::optional<launch> what = std::exchange(p.starting, std::nullopt);
        if (bytes != sizeof why) return tell_start(p);
        try {
            answer(p.line, {.what = kind_of(why), .text = text_of(why, *what)});
        } catch (const std::bad_alloc&) {
            return drop(p);  // the line closes without an answer
        }
        drop(p);
    }

    void take_order(program& p)
    {
        if (p.is_dropped) return;
        io::child_order order;
        const auto got = io::receive_packet(p.line.number(), io::room_of(order));
        if (!got && got.error().number == EAGAIN) return;
        // A program that was started for a request never outlives its line, so `let_go` is not accepted.
        if (!got || got->bytes != sizeof order || order.what == io::child_order::kind::let_go) return drop(p);
        if (order.signal != SIGTERM && order.signal != SIGKILL) return;
        (void)::kill(order.what == io::child_order::kind::signal_group ? -p.pid : p.pid, order.signal);
    }

    /// Tells the server how the program has ended. The program remains a zombie.
    void tell_end(program& p)
    {
        if (p.has_ended) return;
        if (p.report) take_report(p);  // it may have ended at once
        if (p.pid == 0 || p.is_dropped) return;
        siginfo_t info{};
        io::child_end end;
        // The system call also returns the usage of resources; the C library's wrapper does not.
        if (::syscall(SYS_waitid, P_PID, p.pid, &info, WEXITED | WNOHANG | WNOWAIT, &end.usage) != 0) return;
        if (info.si_pid == 0) return;
        (info.si_code == CLD_EXITED ? end.code : end.signal) = info.si_status;
        p.has_ended = true;
        forget(p.pidfd);
        io::post_packet(p.line.number(), io::bytes_of(end));
    }

    /// Kills the program and its group, when the server does not need them any more.
    void drop(program& p)
    {
        p.is_dropped = true;
        forget(p.line);
        forget(p.report);
        (void)::kill(-p.pid, SIGKILL);
        (void)::kill(p.pid, SIGKILL);  // it may not have made its group yet
        reap(p);
    }

    /// Reaps the program if it has ended. Otherwise the pidfd reports its end later.
    void reap(program& p)
    {
        if (::waitpid(p.pid, nullptr, WNOHANG) == 0) return;
        forget(p.pidfd);
        p = program();
        --used_;
    }

    void drop_all()
    {
        forget(server_);
        for (program& p : programs_) {
            if (p.pid != 0 && !p.is_dropped) drop(p);
        }
    }

    /// Each program needs three descriptors.
    static std::size_t most_programs()
    {
        constexpr rlim_t other = 32;
        rlimit files{};
        if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 256;
        return (files.rlim_cur - std::min(files.rlim_cur, other)) / 3;
    }

    runner_rules rules_;
    io::descriptor server_;  // closed when the server has closed its end
    io::descriptor events_;  // an epoll instance
    std::vector<std::byte> packet_;
    std::size_t most_programs_ = most_programs();
    std::vector<program> programs_;
    std::size_t used_ = 0;
    starter starter_;
};

/// Blocks all signals. They are for the server, and ignored signals would have to be reset in each program.
void set_up_signals()
{
    reset_signal_effects();
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

/// Sets up the standard streams that a program inherits unless the server passes others.
bool set_up_streams()
{
    const io::descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    return null && ::dup2(null.number(), STDIN_FILENO) >= 0 && ::dup2(null.number(), STDOUT_FILENO) >= 0;
}

}  // namespace

io::result<std::pair<io::descriptor, io::descriptor>> runner_line_ends()
{
    auto ends = io::packet_pair();
    if (!ends) return ends;
    constexpr int room = 2 * static_cast<int>(runner_request::largest);
    (void)::setsockopt(ends->first.number(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    return ends;
}

void serve_as_runner(runner_rules rules, io::descriptor line) noexcept
{
    (void)::prctl(PR_SET_NAME, "occw-runner");
    (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);   // programs gain no rights, from set-user-ID files for example
    if (::geteuid() != 0) (void)drop_capabilities();  // such as that to listen at port 80
    set_up_signals();
    io::descriptor events(::epoll_create1(EPOLL_CLOEXEC));
    if (!events || !set_up_streams()) return;
    try {
        runner(std::move(rules), std::move(line), std::move(events)).serve();
    } catch (const std::bad_alloc&) {
        return;  // the end of the process closes all lines, and kills its programs
    }
}

}  // namespace server
