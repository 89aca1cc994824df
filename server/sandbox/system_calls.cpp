// SPDX-License-Identifier: MIT
#include "server/sandbox/system_calls.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <linux/sockios.h>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <span>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <fmt/core.h>

namespace server {
namespace {

// ---- the calls that need no look at their arguments

constexpr std::array memory_and_threads{
    SCMP_SYS(brk),     SCMP_SYS(munmap),      SCMP_SYS(mremap),
    SCMP_SYS(madvise), SCMP_SYS(futex),       SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(exit),    SCMP_SYS(exit_group),  SCMP_SYS(restart_syscall),
};

constexpr std::array time_and_identity{
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),  SCMP_SYS(time),         SCMP_SYS(getcpu),          SCMP_SYS(getrandom),
    SCMP_SYS(getpid),        SCMP_SYS(gettid),       SCMP_SYS(getuid),          SCMP_SYS(geteuid),
    SCMP_SYS(getgid),        SCMP_SYS(getegid),      SCMP_SYS(getrusage),       SCMP_SYS(sysinfo),
};

constexpr std::array signals{
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
};

/// For the steward, the only child: steward_watch reports its end, and run_server() waits for it.
constexpr std::array children{SCMP_SYS(wait4), SCMP_SYS(waitid)};

constexpr std::array descriptors{
    SCMP_SYS(read),   SCMP_SYS(pread64),  SCMP_SYS(preadv2), SCMP_SYS(write),    SCMP_SYS(pwrite64),
    SCMP_SYS(writev), SCMP_SYS(close),    SCMP_SYS(lseek),   SCMP_SYS(dup),      SCMP_SYS(poll),
    SCMP_SYS(ppoll),  SCMP_SYS(eventfd2), SCMP_SYS(pipe2),   SCMP_SYS(sendfile), SCMP_SYS(splice),
};

/// Landlock restricts which files they may open, make and remove.
constexpr std::array files{
    SCMP_SYS(open),       SCMP_SYS(openat),     SCMP_SYS(openat2),    SCMP_SYS(stat),     SCMP_SYS(lstat),
    SCMP_SYS(fstat),      SCMP_SYS(newfstatat), SCMP_SYS(statx),      SCMP_SYS(statfs),   SCMP_SYS(fstatfs),
    SCMP_SYS(access),     SCMP_SYS(faccessat),  SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64), SCMP_SYS(getcwd),     SCMP_SYS(fadvise64),  SCMP_SYS(fsync),    SCMP_SYS(fdatasync),
    SCMP_SYS(unlink),     SCMP_SYS(unlinkat),   SCMP_SYS(rename),     SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(link),       SCMP_SYS(linkat),     SCMP_SYS(umask),
};

constexpr std::array sockets{
    SCMP_SYS(accept4),     SCMP_SYS(bind),       SCMP_SYS(listen),   SCMP_SYS(shutdown), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
};

constexpr std::array of_epoll{
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
};

/// The ring is made and restricted by now.
constexpr std::array of_uring{SCMP_SYS(io_uring_enter)};

/// The leak checker clones a helper that stops all threads by ptrace; a report runs the symbolizer.
constexpr std::array of_sanitizers{SCMP_SYS(clone),
                                   SCMP_SYS(fork),
                                   SCMP_SYS(vfork),
                                   SCMP_SYS(execve),
                                   SCMP_SYS(ptrace),
                                   SCMP_SYS(prctl),
                                   SCMP_SYS(mmap),
                                   SCMP_SYS(mprotect),
                                   SCMP_SYS(prlimit64),
                                   SCMP_SYS(kill),
                                   SCMP_SYS(tgkill),
                                   SCMP_SYS(pipe),
                                   SCMP_SYS(dup2),
                                   SCMP_SYS(ioctl),
                                   SCMP_SYS(getppid),
                                   SCMP_SYS(process_vm_readv),
                                   SCMP_SYS(personality),
                                   SCMP_SYS(arch_prctl),
                                   SCMP_SYS(set_tid_address),
                                   SCMP_SYS(rt_sigtimedwait),
                                   SCMP_SYS(mincore),
                                   SCMP_SYS(socketpair)};
// ---- the calls whose arguments matter

/// What an argument must be, in the bits of `mask`.
struct argument {
    unsigned position;
    scmp_datum_t value;
    scmp_datum_t mask = ~scmp_datum_t{0};

    explicit operator scmp_arg_cmp() const { return {position, SCMP_CMP_MASKED_EQ, mask, value}; }
};
argument is(unsigned position, std::uint64_t value) { return {position, value}; }
argument lacks(unsigned position, std::uint64_t bits) { return {position, 0, bits}; }

struct rule {
    int call;
    std::vector<argument> arguments;
};

/// Only TCP and unix sockets. Landlock's rules about TCP do not cover MPTCP and SCTP.
void add_sockets(std::vector<rule>& all)
{
    constexpr std::uint64_t type = 0xf;
    for (const int family : {AF_UNIX, AF_INET, AF_INET6}) {
        const auto number = static_cast<std::uint64_t>(family);
        all.push_back({SCMP_SYS(socket), {is(0, number), {1, SOCK_STREAM, type}, is(2, 0)}});
    }
    all.push_back({SCMP_SYS(socket), {is(0, AF_UNIX), {1, SOCK_DGRAM, type}, is(2, 0)}});
    all.push_back({SCMP_SYS(socketpair), {is(0, AF_UNIX)}});
    // TCP Fast Open would connect.
    all.push_back({SCMP_SYS(sendto), {lacks(3, MSG_FASTOPEN)}});
    all.push_back({SCMP_SYS(sendmsg), {lacks(2, MSG_FASTOPEN)}});
}

void add_options_of_sockets(std::vector<rule>& all)
{
    struct option {
        int level;
        int name;
    };
    constexpr std::array options{option{SOL_SOCKET, SO_REUSEADDR},       option{SOL_SOCKET, SO_REUSEPORT},
                                 option{SOL_SOCKET, SO_LINGER},          option{IPPROTO_TCP, TCP_NODELAY},
                                 option{IPPROTO_TCP, TCP_NOTSENT_LOWAT}, option{IPPROTO_IPV6, IPV6_V6ONLY}};
    for (const option& o : options) {
        all.push_back({SCMP_SYS(setsockopt),
                       {is(1, static_cast<std::uint64_t>(o.level)), is(2, static_cast<std::uint64_t>(o.name))}});
    }
}

/// No memory that can be executed, no processes, no signals to other processes.
void add_memory_threads_and_signals(std::vector<rule>& all)
{
    constexpr std::uint64_t namespaces =
        CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;
    const auto self = static_cast<std::uint64_t>(::getpid());
    all.push_back({SCMP_SYS(mmap), {lacks(2, PROT_EXEC)}});
    all.push_back({SCMP_SYS(mprotect), {lacks(2, PROT_EXEC)}});
    all.push_back({SCMP_SYS(clone), {{0, CLONE_THREAD, CLONE_THREAD | namespaces}}});
    all.push_back({SCMP_SYS(tgkill), {is(0, self)}});
    all.push_back({SCMP_SYS(kill), {is(0, self)}});
    all.push_back({SCMP_SYS(kill), {is(1, 0)}});                 // asks whether the process exists
    all.push_back({SCMP_SYS(prlimit64), {is(0, 0), is(2, 0)}});  // asks for a limit
    all.push_back({SCMP_SYS(prctl), {is(0, PR_SET_NAME)}});
}

void add_control_of_descriptors(std::vector<rule>& all)
{
    for (const int command : {F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL}) {
        all.push_back({SCMP_SYS(fcntl), {is(1, static_cast<std::uint64_t>(command))}});
    }
    for (const int request : {SIOCOUTQ, FIONREAD, TCGETS}) {
        all.push_back({SCMP_SYS(ioctl), {is(1, static_cast<std::uint64_t>(request))}});
    }
}

std::vector<rule> conditional_rules()
{
    std::vector<rule> all;
    add_sockets(all);
    add_options_of_sockets(all);
    add_memory_threads_and_signals(all);
    add_control_of_descriptors(all);
    return all;
}

// ---- the filter

/// A filter of libseccomp. It remembers the first error of its steps, a negative errno; later steps do nothing.
class filter {
  public:
    filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release)
    {
        if (context_ == nullptr) failure_ = -ENOMEM;
    }

    void set(scmp_filter_attr attribute, std::uint32_t value)
    {
        note(failure_ < 0 ? 0 : seccomp_attr_set(context_.get(), attribute, value));
    }
    void allow(std::span<const int> calls)
    {
        for (const int call : calls) add(SCMP_ACT_ALLOW, call, {});
    }
    void allow(const rule& r) { add(SCMP_ACT_ALLOW, r.call, r.arguments); }
    void refuse(int call, int with) { add(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(with)), call, {}); }
    /// Returns 0 or a negative errno.
    [[nodiscard]] int failure() const { return failure_; }
    [[nodiscard]] int load() { return seccomp_load(context_.get()); }

  private:
    void add(std::uint32_t action, int call, const std::vector<argument>& arguments)
    {
        if (failure_ < 0) return;
        std::vector<scmp_arg_cmp> all;
        all.reserve(arguments.size());
        for (const argument& a : arguments) all.push_back(static_cast<scmp_arg_cmp>(a));
        const int done =
            seccomp_rule_add_array(context_.get(), action, call, static_cast<unsigned>(all.size()), all.data());
        note(done == -EEXIST ? 0 : done);
    }
    void note(int done)
    {
        if (failure_ == 0 && done < 0) failure_ = done;
    }

    std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
    int failure_ = 0;
};

/// Whether this errno of load() means that the kernel or the container does not permit seccomp.
bool means_absent(int number)
{
    return number == EOPNOTSUPP || number == ENOSYS || number == EINVAL || number == EPERM || number == EACCES;
}

}  // namespace

std::expected<std::string, std::string> restrict_system_calls(io::engine_choice engine)
{
    constexpr const char* absent = "system calls not restricted (seccomp is not permitted here)";
    const auto failed = [](int number) {
        return std::unexpected(fmt::format("the sandbox cannot be closed: seccomp: {}", std::strerror(number)));
    };
    filter f;
    f.set(SCMP_FLTATR_CTL_TSYNC, 1);  // all threads; libseccomp asks the kernel whether it can do that
    if (f.failure() == -EOPNOTSUPP) return absent;
    f.set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree
    f.set(SCMP_FLTATR_CTL_SSB, 1);       // without a mitigation that slows down all code (before Linux 5.16)
    f.set(SCMP_FLTATR_API_SYSRAWRC, 1);  // load() returns the errno of the system
    for (const auto& calls :
         {std::span<const int>(memory_and_threads), std::span<const int>(time_and_identity),
          std::span<const int>(signals), std::span<const int>(children), std::span<const int>(descriptors),
          std::span<const int>(files), std::span<const int>(sockets),
          is_sanitized ? std::span<const int>(of_sanitizers) : std::span<const int>(),
          engine == io::engine_choice::uring ? std::span<const int>(of_uring) : std::span<const int>(of_epoll)}) {
        f.allow(calls);
    }
    for (const rule& r : conditional_rules()) f.allow(r);
    // Its flags are in memory, where a filter cannot see them. The C library then uses clone().
    f.refuse(SCMP_SYS(clone3), ENOSYS);
    if (f.failure() < 0) return failed(-f.failure());
    const int loaded = f.load();
    if (means_absent(-loaded)) return absent;
    if (loaded < 0) return failed(-loaded);
    return "system calls by seccomp";
}

}  // namespace server
