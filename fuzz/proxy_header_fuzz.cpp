// SPDX-License-Identifier: MIT
// Checks that a PROXY header is parsed the same however it was split and whatever follows it, and that the hops of a
// forwarded request do not depend on what its client put before them.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/forwarded.hpp"
#include "http/proxy_header.hpp"

namespace {

void check(bool condition)
{
    if (!condition) std::abort();
}

using answer = std::expected<std::optional<http::proxy_header>, http::error>;

bool same(const answer& a, const answer& b)
{
    if (!a || !b) return !a && !b;
    if (!*a || !*b) return !*a && !*b;
    return (*a)->bytes == (*b)->bytes && (*a)->client == (*b)->client && (*a)->is_local == (*b)->is_local;
}

// Feed byte by byte: the result is nullopt until it is decided, and then does not change.
void check_header(std::string_view text)
{
    const std::string_view looked_at = text.substr(0, std::min(text.size(), http::longest_proxy_header + 16));
    const answer whole = http::parse_proxy_header(looked_at);
    if (looked_at.size() >= http::longest_proxy_header) check(!whole || *whole);
    for (std::size_t size = 0; size <= looked_at.size(); ++size) {
        const answer part = http::parse_proxy_header(looked_at.substr(0, size));
        if (part && !*part) continue;
        check(same(part, whole));
        if (!part) return;
        check((*part)->bytes == size && size <= http::longest_proxy_header);
        const std::string followed = std::string(looked_at.substr(0, size)) + "PROXY \r\n";
        check(same(http::parse_proxy_header(followed), whole));
        if ((*part)->client) check(http::parse_ip((*part)->client->text()) == (*part)->client);
        return;
    }
    check(whole && !*whole);
}

void check_hops(std::string_view text)
{
    const std::string written = "GET / HTTP/1.1\r\n" + std::string(text) + "\r\n\r\n";
    for (const auto by : {http::field_id::forwarded, http::field_id::x_forwarded_for}) {
        std::size_t hops = 0;
        for (http::forwarded_hops all(written, by); all.next(); ++hops) check(hops < written.size());
        if (hops > 0) check(http::is_passed_on(written));
    }
    // The hop that the proxy adds comes first, whatever the client has sent in the same line.
    if (text.contains('\r') || text.contains('\n')) return;
    const std::string sent(text);
    const auto first = [](const std::string& head, http::field_id by) {
        const auto hop = http::forwarded_hops(head, by).next();
        return hop && hop->address ? hop->address->text() : "";
    };
    check(first("X-Forwarded-For: " + sent + ", 192.0.2.9\r\n\r\n", http::field_id::x_forwarded_for) == "192.0.2.9");
    check(first("Forwarded: " + sent + ", for=\"[2001:db8::9]:1\"\r\n\r\n", http::field_id::forwarded) ==
          "2001:db8::9");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_header(text);
    check_hops(text);
    return 0;
}
