// SPDX-License-Identifier: MIT
#include "server/messages/connection.hpp"

#include <string>

#include <gtest/gtest.h>

#include "server/testing/test_support.hpp"

namespace server {
namespace {

class InputBytes : public testing::Test {
  protected:
    [[nodiscard]] io::buffer bytes(std::string_view text) { return test::arrived(kernel_.engine(), text); }

  private:
    test::engine_kernel kernel_{1};
};

TEST_F(InputBytes, AreEmptyAtFirst)
{
    input_bytes in;
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(in.text(), "");
    in.release_buffer();
    EXPECT_TRUE(in.empty());
    in.consume(0);
    EXPECT_TRUE(in.empty());
}

TEST_F(InputBytes, LieWhereTheyArrived)
{
    input_bytes in;
    io::buffer b = bytes("GET / HTTP/1.1\r\n");
    const char* const where = b.text().data();
    in.add(std::move(b));
    EXPECT_EQ(in.text(), "GET / HTTP/1.1\r\n");
    EXPECT_EQ(in.text().data(), where);
    in.consume(4);
    EXPECT_EQ(in.text(), "/ HTTP/1.1\r\n");
    in.consume(12);
    EXPECT_TRUE(in.empty());
}

TEST_F(InputBytes, AreJoined)
{
    input_bytes in;
    in.add(bytes("GET "));
    in.add(bytes("/x"));
    in.add(bytes("y"));
    EXPECT_EQ(in.text(), "GET /xy");
    in.consume(5);
    EXPECT_EQ(in.text(), "xy");
    in.add(bytes("z"));
    EXPECT_EQ(in.text(), "xyz");
    in.consume(3);
    EXPECT_TRUE(in.empty());
    in.add(bytes("again"));
    EXPECT_EQ(in.text(), "again");
}

TEST_F(InputBytes, OutliveTheirBuffer)
{
    input_bytes in;
    in.add(bytes("GET / HTTP"));
    in.consume(4);
    in.release_buffer();
    EXPECT_EQ(in.text(), "/ HTTP");
    in.release_buffer();
    EXPECT_EQ(in.text(), "/ HTTP");
    in.add(bytes("/1.1"));
    EXPECT_EQ(in.text(), "/ HTTP/1.1");
    in.consume(10);
    in.release_buffer();
    EXPECT_TRUE(in.empty());
}

TEST_F(InputBytes, MayOutgrowABuffer)
{
    input_bytes in;
    const std::string much(io::buffer::capacity, 'a');
    in.add(bytes(much));
    in.add(bytes(much));
    EXPECT_EQ(in.text().size(), 2 * io::buffer::capacity);
    in.consume(io::buffer::capacity + 1);
    EXPECT_EQ(in.text(), std::string(io::buffer::capacity - 1, 'a'));
}

TEST_F(InputBytes, MoveWithTheConnection)
{
    input_bytes in;
    in.add(bytes("abc"));
    input_bytes elsewhere = std::move(in);
    EXPECT_EQ(elsewhere.text(), "abc");
    elsewhere = {};
    EXPECT_TRUE(elsewhere.empty());
}

}  // namespace
}  // namespace server
