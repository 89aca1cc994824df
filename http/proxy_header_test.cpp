// SPDX-License-Identifier: MIT
#include "http/proxy_header.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace http {
namespace {

using namespace std::string_literals;

const std::string magic = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string ports = "\x12\x34\x00\x50"s;

struct sample {
    std::string header;
    std::string_view client;  // empty: none is named
};

const std::vector<sample> good = {
    {"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", "192.0.2.1"},
    {"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0"},
    {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1"},
    {"PROXY UNKNOWN\r\n", ""},
    {"PROXY UNKNOWN ffff::1 anything 1 2\r\n", ""},
    {magic + "\x21\x11\x00\x0c"s + "\xc0\x00\x02\x01\x7f\x00\x00\x01"s + ports, "192.0.2.1"},
    {magic + "\x21\x11\x00\x0f"s + "\xc0\x00\x02\x01\x7f\x00\x00\x01"s + ports + "\x04\x00\x00"s, "192.0.2.1"},
    {magic + "\x21\x21\x00\x24"s + "\x20\x01\x0d\xb8"s + std::string(27, '\0') + "\x01"s + ports, "2001:db8::"},
    {magic + "\x20\x00\x00\x00"s, ""},
    {magic + "\x20\x11\x00\x03"s + "abc", ""},  // LOCAL: the rest must be ignored
    {magic + "\x21\x00\x00\x00"s, ""},
    {magic + "\x21\x31\x00\xd8"s + std::string(216, 'u'), ""},
    {"PROXY TCP6 :: ::1 1 2\r\n", ""},  // the unspecified address
};

TEST(ProxyHeader, TellsTheClientHoweverItIsCut)
{
    for (const sample& s : good) {
        const auto whole = parse_proxy_header(s.header + "GET / HTTP/1.1\r\n\r\n");
        ASSERT_TRUE(whole && *whole) << s.header;
        EXPECT_EQ((*whole)->bytes, s.header.size());
        EXPECT_EQ((*whole)->client ? (*whole)->client->text() : "", s.client);
        for (std::size_t i = 0; i < s.header.size(); ++i) {
            const auto part = parse_proxy_header(std::string_view(s.header).substr(0, i));
            EXPECT_TRUE(part && !*part) << s.header << ' ' << i;
        }
    }
}

TEST(ProxyHeader, TellsWhetherTheProxySpeaksForItself)
{
    for (const sample& s : good) {
        const auto whole = parse_proxy_header(s.header);
        ASSERT_TRUE(whole && *whole) << s.header;
        EXPECT_EQ((*whole)->is_local, s.header.starts_with(magic + "\x20")) << s.header;
    }
}

TEST(ProxyHeader, IsRefusedWhenMalformed)
{
    const std::vector<std::string> bad = {
        "GET / HTTP/1.1\r\n\r\n",
        "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 02\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP4 ::ffff:1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWN " + std::string(100, 'x') + "\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n" + std::string(100, 'x'),
        magic + "\x11\x11\x00\x0c"s + std::string(12, 'x'),
        magic + "\x22\x11\x00\x0c"s + std::string(12, 'x'),
        magic + "\x21\x41\x00\x0c"s + std::string(12, 'x'),
        magic + "\x21\x13\x00\x0c"s + std::string(12, 'x'),
        magic + "\x21\x11\x00\x0b"s + std::string(11, 'x'),
        magic + "\x21\x21\x00\x23"s + std::string(35, 'x'),
        magic + "\x21\x11\xff\xff"s,  // refused without waiting for the rest
    };
    for (const std::string& b : bad) EXPECT_FALSE(parse_proxy_header(b)) << b;
}

}  // namespace
}  // namespace http
