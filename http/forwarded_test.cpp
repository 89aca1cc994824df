// SPDX-License-Identifier: MIT
#include "http/forwarded.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace http {
namespace {

struct sample {
    std::string fields;  // of the head, without the last CRLF
    std::vector<std::string> hops;
};

void check(field_id by, const sample& s)
{
    const std::string head = "GET / HTTP/1.1\r\n" + s.fields + "\r\n\r\n";
    std::vector<std::string> got;
    for (forwarded_hops hops(head, by); auto hop = hops.next();) {
        got.push_back(hop->address ? hop->address->text() : "?");
        if (!hop->address) break;
    }
    EXPECT_EQ(got, s.hops) << s.fields;
}

TEST(Forwarded, HopsOfXForwardedFor)
{
    const std::vector<sample> samples = {
        {"Host: a", {}},
        {"X-Forwarded-For: 192.0.2.1", {"192.0.2.1"}},
        {"x-forwarded-for:192.0.2.1", {"192.0.2.1"}},
        {"X-Forwarded-For: 192.0.2.1, 192.0.2.2,192.0.2.3", {"192.0.2.3", "192.0.2.2", "192.0.2.1"}},
        {"X-Forwarded-For: 192.0.2.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.2", {"192.0.2.2", "192.0.2.1"}},
        {"X-Forwarded-For: , 192.0.2.1,, \r\nX-Forwarded-For:", {"192.0.2.1"}},
        {"X-Forwarded-For: 2001:db8::1, [2001:db8::2], [2001:db8::3]:80, 192.0.2.1:80",
         {"192.0.2.1", "2001:db8::3", "2001:db8::2", "2001:db8::1"}},
        // A node that is not an address is a hop without an address, so the hops before it are unknown.
        {"X-Forwarded-For: 192.0.2.1, unknown, 192.0.2.2", {"192.0.2.2", "?"}},
        {"X-Forwarded-For: 192.0.2.1, \"192.0.2.2\"", {"?"}},
        {"X-Forwarded-For: 192.0.2.1, 192.0.2.256", {"?"}},
        {"X-Forwarded-For: 192.0.2.1, [2001:db8::1", {"?"}},
        {"X-Forwarded-For: 192.0.2.1, [2001:db8::1]x", {"?"}},
        {"X-Forwarded-For: 192.0.2.1, fe80::1%eth0", {"?"}},
        {"X-Forwarded-For: 192.0.2.1, ::", {"?"}},
        {"X-Forwarded-For: \", 192.0.2.1", {"192.0.2.1", "?"}},
        {"Forwarded: for=192.0.2.1\r\nX-Forwarded-For-: 192.0.2.2\r\nX: X-Forwarded-For: 192.0.2.3", {}},
    };
    for (const sample& s : samples) check(field_id::x_forwarded_for, s);
}

TEST(Forwarded, HopsOfForwarded)
{
    const std::vector<sample> samples = {
        // The examples of RFC 7239 section 4.
        {"Forwarded: for=\"_gazonk\"", {"?"}},
        {"Forwarded: For=\"[2001:db8:cafe::17]:4711\"", {"2001:db8:cafe::17"}},
        {"Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43", {"192.0.2.60"}},
        {"Forwarded: for=192.0.2.43, for=198.51.100.17", {"198.51.100.17", "192.0.2.43"}},
        {"Forwarded: for=192.0.2.43\r\nForwarded: for=198.51.100.17", {"198.51.100.17", "192.0.2.43"}},
        {"Forwarded: by=_proxy ; for=\"192.0.2.43:80\"", {"192.0.2.43"}},
        {"Forwarded: proto=http, for=192.0.2.1", {"192.0.2.1", "?"}},
        {"Forwarded: for=unknown", {"?"}},
        {"Forwarded: for=192.0.2.1, proto=http", {"?"}},
        {"Forwarded: for=192.0.2.1, 192.0.2.2", {"?"}},
        {"Forwarded: for", {"?"}},
        {"Forwarded: for=", {"?"}},
        {"Forwarded: for=\"", {"?"}},
        {"X-Forwarded-For: 192.0.2.1", {}},
    };
    for (const sample& s : samples) check(field_id::forwarded, s);
}

TEST(Forwarded, WhatAClientSendsDoesNotHideWhatIsPutBehindIt)
{
    for (const std::string sent : {"for=\"", "for=\"\\", "for=\\", "\"", "\"\"\"", "a=\"b\\\"", ";", "for=\"x;"})
        check(field_id::forwarded, {"Forwarded: " + sent + ", for=\"192.0.2.9\"", {"192.0.2.9", "?"}});
    // What a proxy quotes from a client is not read as written by the proxy.
    for (const std::string host : {"\"a;for=192.0.2.1\"", "\"a, for=192.0.2.1\"", "\"a\\\";for=192.0.2.1\"",
                                   "\"a\\\", for=192.0.2.1;x=\\\"\"", "\"\\\\\""})
        check(field_id::forwarded, {"Forwarded: host=" + host + ";for=192.0.2.9", {"192.0.2.9"}});
}

TEST(Forwarded, WhatTellsThatARequestWasPassedOn)
{
    const auto is = [](const std::string& fields) { return is_passed_on("GET / HTTP/1.1\r\n" + fields + "\r\n\r\n"); };
    for (const std::string yes :
         {"Forwarded: for=a", "forwarded:", "X-Forwarded-For: 192.0.2.1", "x-forwarded-for: unknown",
          "X-Forwarded-Host: a", "X-Forwarded-Proto: https", "X-FORWARDED-ANYTHING:", "X-Real-IP: 192.0.2.1",
          "Via: 1.1 a", "CDN-Loop: a", "True-Client-IP: 192.0.2.1", "CF-Connecting-IP: 192.0.2.1"}) {
        EXPECT_TRUE(is(yes)) << yes;
        EXPECT_TRUE(is("Host: a\r\nX: y\r\n" + yes + "\r\nY: z")) << yes;
        EXPECT_TRUE(is_passed_on("\r\nGET / HTTP/1.1\r\n" + yes + "\r\n\r\n")) << yes;
    }
    for (const std::string no : {"Host: a", "X: Forwarded: for=a", "Viaduct: a", "X-Via: a", "X-Forward: a", "Y: Via:"})
        EXPECT_FALSE(is(no)) << no;
    EXPECT_FALSE(is_passed_on("GET /Via: HTTP/1.1\r\n\r\n"));
    EXPECT_FALSE(is_passed_on(""));
    EXPECT_FALSE(is_passed_on("\r\n"));
}

}  // namespace
}  // namespace http
