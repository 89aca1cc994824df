// SPDX-License-Identifier: MIT
#include "io/packet.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace io {
namespace {

namespace fs = std::filesystem;

std::ptrdiff_t open_descriptors() { return std::distance(fs::directory_iterator("/proc/self/fd"), {}); }

/// Sends a packet with several descriptors, as send_packet() never does.
void send_with(int socket, std::string_view text, const std::array<int, 3>& passed, std::size_t count)
{
    iovec content{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof passed)> control{};
    msghdr all{};
    all.msg_iov = &content;
    all.msg_iovlen = 1;
    all.msg_control = control.data();
    all.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* const head = CMSG_FIRSTHDR(&all);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(head), passed.data(), count * sizeof(int));
    ASSERT_EQ(::sendmsg(socket, &all, 0), static_cast<ssize_t>(text.size()));
}

TEST(packets, carry_one_descriptor)
{
    const auto [from, to] = packet_pair().value();
    std::array<char, 4> text{};
    ASSERT_TRUE(send_packet(from.number(), std::as_bytes(std::span(std::string_view("text"))), STDIN_FILENO));
    const auto got = receive_packet(to.number(), std::as_writable_bytes(std::span(text)));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes, 4U);
    EXPECT_TRUE(got->passed);
}

TEST(packets, leave_no_descriptor_open)
{
    const auto [from, to] = packet_pair().value();
    const auto before = open_descriptors();
    std::array<char, 4> text{};
    for (const std::size_t count : {2U, 3U}) {
        send_with(from.number(), "text", {0, 1, 2}, count);
        const auto got = receive_packet(to.number(), std::as_writable_bytes(std::span(text)));
        ASSERT_TRUE(got);
        EXPECT_FALSE(got->passed) << "of " << count;
        EXPECT_EQ(open_descriptors(), before) << "of " << count;
    }
    send_with(from.number(), "too long", {0, 1, 2}, 1);
    const auto got = receive_packet(to.number(), std::as_writable_bytes(std::span(text)));
    EXPECT_EQ(got.error().number, EMSGSIZE);
    EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace io
