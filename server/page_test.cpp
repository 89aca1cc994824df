// SPDX-License-Identifier: MIT
#include "server/page.hpp"

#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(ResponseFields, AreLinesInTheOrderAdded)
{
    response_fields f;
    EXPECT_EQ(f.lines(), "");
    f.add("Content-Type", "text/html").add("Content-Length", std::uint64_t{0}).add("Location", "/a%20b/");
    EXPECT_EQ(f.lines(), "Content-Type: text/html\r\nContent-Length: 0\r\nLocation: /a%20b/\r\n");
}

TEST(ResponseFields, HoldAnyNumber)
{
    response_fields f;
    f.add("X", std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(f.lines(), "X: 18446744073709551615\r\n");
}

TEST(ResponseFields, CannotBeSplit)
{
    response_fields f;
    EXPECT_DEATH(f.add("Location", "/\r\nSet-Cookie: x"), "split");
    EXPECT_DEATH(f.add("Location", "/\n"), "split");
    EXPECT_DEATH(f.add("Location", std::string_view("\0", 1)), "split");
}

TEST(FileIdentity, IsToldByEveryPart)
{
    using std::chrono::nanoseconds;
    const file_identity one{.device = 1, .inode = 2, .size = 3, .modified = nanoseconds(4), .changed = nanoseconds(5)};
    EXPECT_EQ(one, one);
    for (int part = 0; part < 5; ++part) {
        file_identity other = one;
        if (part == 0) ++other.device;
        if (part == 1) ++other.inode;
        if (part == 2) ++other.size;
        if (part == 3) ++other.modified;
        if (part == 4) ++other.changed;
        EXPECT_NE(one, other) << part;
    }
}

}  // namespace
}  // namespace server
