// SPDX-License-Identifier: MIT
#include "http/ip.hpp"

#include <gtest/gtest.h>

namespace http {
namespace {

TEST(Network, ReadsAddressesAndWritesThem)
{
    for (const std::string_view text : {"192.0.2.1", "0.0.0.0", "2001:db8::1", "::1", "fe80::1"}) {
        const auto a = parse_ip(text);
        ASSERT_TRUE(a) << text;
        EXPECT_EQ(a->text(), text);
        EXPECT_EQ(a->is_v4(), text.contains('.'));
    }
    EXPECT_EQ(parse_ip("::ffff:192.0.2.1"), parse_ip("192.0.2.1"));
    EXPECT_EQ(parse_ip("2001:DB8:0:0::1"), parse_ip("2001:db8::1"));
}

TEST(Network, ReadsNothingElse)
{
    for (const std::string_view text : {"", " ", "192.0.2", "192.0.2.256", "192.0.2.1.", "192.0.2.01", "192.0.2.1:80",
                                        " 192.0.2.1", "192.0.2.1 ", "[::1]", "::1%eth0", ":::", "1:2:3:4:5:6:7:8:9",
                                        "unknown", "_hidden", "::ffff:1.2.3.4:ffff:ffff:ffff:ffff:ffff:ffff"}) {
        EXPECT_FALSE(parse_ip(text)) << text;
    }
    EXPECT_FALSE(parse_ip(std::string_view("192.0.2.1\0", 10)));
}

struct membership {
    std::string_view network;
    std::string_view address;
    bool inside;
};

TEST(Network, ContainsWhatHasItsPrefix)
{
    const std::vector<membership> table = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"192.0.2.7/32", "192.0.2.7", true},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},  // all of IPv4, none of IPv6
        {"::/0", "::1", true},
        {"::/0", "192.0.2.1", true},
        {"2001:db8::/32", "2001:db8:ffff::", true},
        {"2001:db8::/32", "2001:db9::", false},
        {"2001:db8::/33", "2001:db8:8000::", false},
    };
    for (const membership& m : table) {
        const auto n = parse_prefix(m.network);
        ASSERT_TRUE(n) << m.network;
        EXPECT_EQ(n->contains(*parse_ip(m.address)), m.inside) << m.network << ' ' << m.address;
    }
}

TEST(Network, IsRefusedWithABadPrefix)
{
    for (const std::string_view text :
         {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.1/8", "::/129", "::1/64",
          "10.0.0.0/8/8", "/8", "a/8", "10.0.0.0/99999999999", "::ffff:10.0.0.0/104"}) {
        EXPECT_FALSE(parse_prefix(text)) << text;
    }
}

TEST(Network, TellsWhatMayHaveBeenMeant)
{
    EXPECT_EQ(prefix_around("10.1.2.3/8")->text(), "10.0.0.0/8");
    EXPECT_EQ(prefix_around("2001:db8::1/32")->text(), "2001:db8::/32");
    EXPECT_EQ(prefix_around("192.0.2.1")->text(), "192.0.2.1/32");
    EXPECT_FALSE(prefix_around("10.1.2.3/33"));
    EXPECT_TRUE(parse_prefix("10.0.0.0/8")->contains(*parse_prefix("10.1.0.0/16")));
    EXPECT_FALSE(parse_prefix("10.1.0.0/16")->contains(*parse_prefix("10.0.0.0/8")));
    EXPECT_FALSE(parse_prefix("10.1.0.0/16")->contains(*parse_prefix("10.2.0.0/16")));
}

TEST(Network, TakesASubnetOfIpv6ForOneSubscriber)
{
    EXPECT_EQ(subscriber_of(*parse_ip("2001:db8:1:2:3:4:5:6")), *parse_ip("2001:db8:1:2::"));
    EXPECT_EQ(subscriber_of(*parse_ip("192.0.2.1")), *parse_ip("192.0.2.1"));
}

}  // namespace
}  // namespace http
