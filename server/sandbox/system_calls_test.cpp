// SPDX-License-Identifier: MIT
//
// Each test closes system calls in a process of its own, since that cannot be undone, and tries what is forbidden
// there.
#include "server/sandbox/system_calls.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <latch>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "io/descriptor.hpp"
#include "io/test_refusals.hpp"

namespace server {
namespace {

using io::engine_choice;
using io::test::end_of_refusals;

/// 0, or the errno of a call.
template <class... Arguments>
int told(long number, Arguments... arguments)
{
    return ::syscall(number, arguments...) < 0 ? errno : 0;
}

void restrict_for(engine_choice engine)
{
    const auto words = restrict_system_calls(engine);
    EXPECT_EQ(words, "system calls by seccomp");
    if (!words || words->contains("not restricted")) end_of_refusals();
}

class SystemCalls : public testing::TestWithParam<engine_choice> {};
INSTANTIATE_TEST_SUITE_P(, SystemCalls, testing::Values(engine_choice::uring, engine_choice::epoll),
                         [](const auto& i) { return i.param == engine_choice::uring ? "uring" : "epoll"; });

TEST_P(SystemCalls, ForbidsOtherProgramsAndProcesses)
{
    if (is_sanitized) GTEST_SKIP() << "a sanitizer needs these calls";
    EXPECT_EXIT(
        {
            restrict_for(GetParam());
            EXPECT_EQ(told(SYS_execve, "/bin/true", nullptr, nullptr), EPERM);
            EXPECT_EQ(told(SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0), EPERM);
            EXPECT_EQ(told(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr), EPERM);
            EXPECT_EQ(told(SYS_clone3, nullptr, 0), ENOSYS);
            EXPECT_EQ(told(SYS_ptrace, PTRACE_ATTACH, ::getppid(), nullptr, nullptr), EPERM);
            EXPECT_EQ(told(SYS_kill, ::getppid(), SIGCONT), EPERM);
            EXPECT_EQ(told(SYS_tgkill, ::getppid(), ::getppid(), SIGCONT), EPERM);
            EXPECT_EQ(told(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0), EPERM);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_P(SystemCalls, ForbidsMemoryThatRuns)
{
    if (is_sanitized) GTEST_SKIP() << "a sanitizer needs these calls";
    EXPECT_EXIT(
        {
            restrict_for(GetParam());
            constexpr std::size_t size = 4096;
            void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
            EXPECT_NE(memory, MAP_FAILED);
            EXPECT_EQ(told(SYS_mprotect, memory, size, PROT_READ | PROT_EXEC), EPERM);
            EXPECT_EQ(::mprotect(memory, size, PROT_READ), 0);
            EXPECT_EQ(::mmap(nullptr, size, PROT_READ | PROT_EXEC, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0), MAP_FAILED);
            EXPECT_EQ(errno, EPERM);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_P(SystemCalls, ForbidsConnectionsAndOtherSockets)
{
    EXPECT_EXIT(
        {
            restrict_for(GetParam());
            const auto opens = [](int family, int type, int protocol) {
                return static_cast<bool>(io::descriptor(::socket(family, type, protocol)));
            };
            EXPECT_TRUE(opens(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            EXPECT_TRUE(opens(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            EXPECT_FALSE(opens(AF_INET, SOCK_DGRAM, 0));
            EXPECT_EQ(errno, EPERM);
            EXPECT_FALSE(opens(AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
            EXPECT_EQ(errno, EPERM);
            EXPECT_FALSE(opens(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
            EXPECT_EQ(errno, EPERM);
            EXPECT_FALSE(opens(AF_NETLINK, SOCK_RAW, 0));
            EXPECT_EQ(errno, EPERM);

            const io::descriptor s(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            EXPECT_EQ(told(SYS_connect, s.number(), &to, sizeof to), EPERM);
            EXPECT_EQ(told(SYS_sendto, s.number(), "x", 1, MSG_FASTOPEN, &to, sizeof to), EPERM);
            msghdr message{};
            EXPECT_EQ(told(SYS_sendmsg, s.number(), &message, MSG_FASTOPEN), EPERM);
            EXPECT_EQ(told(SYS_sendmmsg, s.number(), nullptr, 0, 0), EPERM);
            const sock_fprog program{};
            EXPECT_EQ(told(SYS_setsockopt, s.number(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), EPERM);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_P(SystemCalls, ForbidsRingsAndOtherPowers)
{
    EXPECT_EXIT(
        {
            restrict_for(GetParam());
            for (const long call : {SYS_io_uring_setup,
                                    SYS_io_uring_register,
                                    SYS_seccomp,
                                    SYS_bpf,
                                    SYS_perf_event_open,
                                    SYS_keyctl,
                                    SYS_add_key,
                                    SYS_mount,
                                    SYS_umount2,
                                    SYS_pivot_root,
                                    SYS_chroot,
                                    SYS_unshare,
                                    SYS_setns,
                                    SYS_setuid,
                                    SYS_setresuid,
                                    SYS_setgroups,
                                    SYS_capset,
                                    SYS_open_by_handle_at,
                                    SYS_name_to_handle_at,
                                    SYS_init_module,
                                    SYS_kexec_load,
                                    SYS_reboot,
                                    SYS_userfaultfd,
                                    SYS_memfd_create,
                                    SYS_pidfd_open,
                                    SYS_pidfd_getfd,
                                    SYS_chmod,
                                    SYS_fchmod,
                                    SYS_chown,
                                    SYS_mkdirat,
                                    SYS_symlinkat,
                                    SYS_mknodat,
                                    SYS_setsid,
                                    SYS_ioperm,
                                    SYS_quotactl,
                                    SYS_swapon,
                                    SYS_syslog,
                                    SYS_acct,
                                    SYS_inotify_init1,
                                    SYS_fanotify_init,
                                    SYS_chdir}) {
                EXPECT_EQ(told(call, 0, 0, 0, 0, 0, 0), EPERM) << "call " << call;
            }
            const rlimit none{};
            if (!is_sanitized) EXPECT_EQ(told(SYS_prlimit64, 0, RLIMIT_CORE, &none, nullptr), EPERM);
            rlimit now{};
            EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &now), 0);
            EXPECT_EQ(told(SYS_io_uring_enter, -1, 0, 0, 0, nullptr, 0),
                      GetParam() == engine_choice::uring ? EBADF : EPERM);
            EXPECT_EQ(told(SYS_epoll_create1, 0), GetParam() == engine_choice::uring ? EPERM : 0);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

/// Also the rare ones: an acceptor that ends takes the last connections itself, with io_uring too.
TEST_P(SystemCalls, AllowsWhatTheServerDoes)
{
    EXPECT_EXIT(
        {
            restrict_for(GetParam());
            for (const long call :
                 {SYS_accept4, SYS_bind, SYS_listen, SYS_shutdown, SYS_sendfile, SYS_splice, SYS_preadv2,
                  SYS_getdents64, SYS_fdatasync, SYS_recvfrom, SYS_sendto, SYS_sendmsg}) {
                EXPECT_NE(told(call, -1, 0, 0, 0, 0, 0), EPERM) << "call " << call;
            }
            EXPECT_EQ(told(SYS_kill, ::getpid(), 0), 0);
            EXPECT_EQ(told(SYS_madvise, nullptr, 0, MADV_DONTNEED), 0);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_P(SystemCalls, BindsThreadsOfBeforeAndAfter)
{
    EXPECT_EXIT(
        {
            std::latch restricted(1);
            std::jthread before([&] {
                restricted.wait();
                EXPECT_EQ(told(SYS_unshare, 0), EPERM);
            });
            restrict_for(GetParam());
            restricted.count_down();
            std::jthread([] { EXPECT_EQ(told(SYS_unshare, 0), EPERM); }).join();
            before.join();
            EXPECT_EQ(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), is_sanitized ? 1 : -1);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_P(SystemCalls, SaysThatTheyAreNotPermitted)
{
    EXPECT_EXIT(
        {
            io::test::refuse({.number = SYS_seccomp}, EPERM);
            EXPECT_EQ(restrict_system_calls(GetParam()), "system calls not restricted (seccomp is not permitted here)");
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace server
