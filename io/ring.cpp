// SPDX-License-Identifier: MIT
#include "io/ring.hpp"

#include <array>
#include <cerrno>
#include <sys/syscall.h>
#include <unistd.h>

namespace io::detail {
namespace {

constexpr unsigned submissions = 512;
constexpr unsigned completions = 8192;

constexpr io_uring_restriction may_use(io_uring_op operation)
{
    io_uring_restriction r{};
    r.opcode = IORING_RESTRICTION_SQE_OP;
    r.sqe_op = operation;
    return r;
}

constexpr io_uring_restriction may_set(unsigned sqe_flags)
{
    io_uring_restriction r{};
    r.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    r.sqe_flags = static_cast<__u8>(sqe_flags);
    return r;
}

/// The kernel refuses all other operations and flags, and every registration, since none is listed.
constexpr std::array allowed{may_use(IORING_OP_POLL_ADD),     may_use(IORING_OP_RECV),     may_use(IORING_OP_ACCEPT),
                             may_use(IORING_OP_OPENAT2),      may_use(IORING_OP_READ),     may_use(IORING_OP_WRITE),
                             may_use(IORING_OP_ASYNC_CANCEL), may_set(IOSQE_BUFFER_SELECT)};

/// liburing 2.3 declares functions for these two calls, but does not export them.
int tell(const io_uring& ring, unsigned operation, const void* argument, unsigned count)
{
    return ::syscall(SYS_io_uring_register, ring.ring_fd, operation, argument, count) < 0 ? -errno : 0;
}

}  // namespace

int make_ring(io_uring& ring)
{
    constexpr std::array<unsigned, 3> wishes{
        // One thread uses the ring, the kernel processes completions only when asked to, and the ring shows when that
        // is needed.
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,  // Linux 6.1
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,                                // 5.19
        0};
    int made = -ENOSYS;
    for (const unsigned wish : wishes) {
        io_uring_params how{};
        how.flags = wish | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED;
        how.cq_entries = completions;
        made = io_uring_queue_init_params(submissions, &ring, &how);
        if (made != -EINVAL) break;
    }
    return made;
}

int restrict_ring(io_uring& ring)
{
    if (const int done = tell(ring, IORING_REGISTER_RESTRICTIONS, allowed.data(), allowed.size()); done < 0)
        return done;
    return tell(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

}  // namespace io::detail
