// SPDX-License-Identifier: MIT
#include "server/front_end/for_stats.hpp"

#include <string_view>
#include <utility>

#include "http/authority.hpp"
#include "http/forwarded.hpp"
#include "http/list.hpp"

namespace server {
namespace {

constexpr std::string_view health = "/healthz";

/// Whether the request was made on this machine, as far as the server can tell. A forwarded request was not, even if a
/// proxy on this machine opened the connection; the proxy need not be one that the configuration names.
bool is_from_this_machine(const connection& c)
{
    if (!c.client.address.is_loopback() || c.client.is_unknown) return false;
    return !http::is_passed_on(c.head());
}

/// Whether the host is a loopback name or address. This stops DNS rebinding: a web page in a browser on this machine
/// may use a name that resolves to 127.0.0.1, but then the browser sends that name.
bool is_loopback_name(std::string_view authority)
{
    const auto parts = http::parse_authority(authority);
    if (!parts) return false;
    std::string_view host = parts->host;
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    if (const auto literal = http::parse_ip(host)) return literal->is_loopback();
    if (host.ends_with('.')) host.remove_suffix(1);
    return http::equal_ignoring_case(host, "localhost");
}

/// By default nginx forwards requests in HTTP/1.0, and adds no field that would show it.
bool may_be_from_simple_proxy(const request& asked) { return asked.line.ends_with(" HTTP/1.0"); }

bool may_see(const exchange_record& x)
{
    const connection* const from = x.carrier.own_connection();
    if (from == nullptr || !is_from_this_machine(*from)) return false;
    // The health is not confidential, and health checks send any Host.
    return x.asked.path.view() == health || (is_loopback_name(x.asked.authority) && !may_be_from_simple_proxy(x.asked));
}

}  // namespace

bool is_for_stats(const exchange_record& x)
{
    const std::string_view path = x.asked.path.view();
    // The length alone rules out nearly every request.
    if (path.size() != 8 && path.size() != 11) return false;
    if (path != health && path != "/metrics" && path != "/stats.json" && path != "/stats.html") return false;
    if (x.is<error_response>() || x.asked.method == http::method::options) return false;
    switch (x.by->stats.allow) {
        case stats_rules::who::none:
            return false;
        case stats_rules::who::loopback:
            return may_see(x);
        case stats_rules::who::all:
            return true;
    }
    std::unreachable();
}

}  // namespace server
