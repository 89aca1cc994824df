// SPDX-License-Identifier: MIT
#include "io/ring.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "io/descriptor.hpp"

namespace io::detail {
namespace {

/// A ring made as the engine makes it.
class ring : public testing::Test {
  protected:
    void SetUp() override
    {
        const int made = make_ring(ring_);
        if (made < 0) GTEST_SKIP() << "io_uring refused: errno " << -made;
        is_made_ = true;
    }
    ~ring() override
    {
        if (is_made_) io_uring_queue_exit(&ring_);
    }

    /// The result of an operation.
    template <class Prepare>
    int result_of(Prepare prepare)
    {
        io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
        prepare(*sqe);
        if (const int submitted = io_uring_submit(&ring_); submitted < 0) return submitted;
        io_uring_cqe* cqe = nullptr;
        if (const int waited = io_uring_wait_cqe(&ring_, &cqe); waited < 0) return waited;
        const int result = cqe->res;
        io_uring_cqe_seen(&ring_, cqe);
        return result;
    }

    io_uring ring_{};

  private:
    bool is_made_ = false;
};

TEST_F(ring, is_disabled_at_first)
{
    EXPECT_EQ(result_of([](io_uring_sqe& s) { io_uring_prep_poll_add(&s, 0, 0); }), -EBADFD);
}

TEST_F(ring, does_what_the_engine_needs)
{
    ASSERT_EQ(restrict_ring(ring_), 0);
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC;
    const descriptor opened(
        result_of([&](io_uring_sqe& s) { io_uring_prep_openat2(&s, AT_FDCWD, "/dev/zero", &how); }));
    ASSERT_TRUE(opened);
    char byte = 'x';
    EXPECT_EQ(result_of([&](io_uring_sqe& s) { io_uring_prep_read(&s, opened.number(), &byte, 1, 0); }), 1);
    EXPECT_EQ(byte, '\0');
}

TEST_F(ring, refuses_all_other_operations)
{
    ASSERT_EQ(restrict_ring(ring_), 0);
    const auto refuses = [&](auto prepare) { return result_of(prepare) == -EACCES; };
    const descriptor s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr nobody{};
    msghdr message{};
    EXPECT_TRUE(refuses([&](io_uring_sqe& e) { io_uring_prep_connect(&e, s.number(), &nobody, sizeof nobody); }));
    EXPECT_TRUE(refuses([&](io_uring_sqe& e) { io_uring_prep_sendmsg(&e, s.number(), &message, 0); }));
    EXPECT_TRUE(refuses([&](io_uring_sqe& e) { io_uring_prep_send(&e, s.number(), "x", 1, 0); }));
    EXPECT_TRUE(refuses([&](io_uring_sqe& e) { io_uring_prep_socket(&e, AF_INET, SOCK_STREAM, 0, 0); }));
    EXPECT_TRUE(refuses([](io_uring_sqe& e) { io_uring_prep_openat(&e, AT_FDCWD, "/dev/zero", O_RDONLY, 0); }));
    EXPECT_TRUE(refuses([](io_uring_sqe& e) { io_uring_prep_unlinkat(&e, AT_FDCWD, "/no-such-file", 0); }));
    EXPECT_TRUE(refuses([](io_uring_sqe& e) { io_uring_prep_mkdirat(&e, AT_FDCWD, "/dev/null/x", 0700); }));
    EXPECT_TRUE(refuses([](io_uring_sqe& e) { io_uring_prep_renameat(&e, AT_FDCWD, "/a", AT_FDCWD, "/b", 0); }));
    EXPECT_TRUE(refuses([](io_uring_sqe& e) { io_uring_prep_nop(&e); }));
    EXPECT_TRUE(refuses([&](io_uring_sqe& e) {
        io_uring_prep_nop(&e);
        e.opcode = IORING_OP_URING_CMD;
        e.fd = s.number();
    }));
}

TEST_F(ring, refuses_other_ways_to_submit)
{
    ASSERT_EQ(restrict_ring(ring_), 0);
    EXPECT_EQ(result_of([](io_uring_sqe& e) {
                  io_uring_prep_poll_add(&e, 0, 0);
                  e.flags |= IOSQE_FIXED_FILE;
              }),
              -EACCES);
}

TEST_F(ring, refuses_registrations)
{
    ASSERT_EQ(restrict_ring(ring_), 0);
    const std::array<int, 1> files{0};
    EXPECT_EQ(io_uring_register_files(&ring_, files.data(), files.size()), -EACCES);
    EXPECT_LT(restrict_ring(ring_), 0);
}

}  // namespace
}  // namespace io::detail
