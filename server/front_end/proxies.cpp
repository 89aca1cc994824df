// SPDX-License-Identifier: MIT
#include "server/front_end/proxies.hpp"

#include "http/forwarded.hpp"
#include "http/proxy_header.hpp"

namespace server {
namespace {

constexpr std::string_view unix_peer = "unix:";  // as io::address::host() has it

void set_client(connection& c, const http::ip_address& client)
{
    if (c.client == client) return;
    c.client = client;
    c.peer = client.is_none() ? unix_peer : client.text();
}

}  // namespace

void meet(connection& c, const std::vector<proxy_rule>& proxies)
{
    const bool has_left = c.client.is_none() && c.peer != unix_peer;  // so that its address could not be asked for
    const proxy_rule* const rule = has_left ? nullptr : rule_for(proxies, c.client);
    if (rule == nullptr) return;
    c.proxy = c.client;
    if (rule->begins_with_header) c.now = connection::phase::introduction;
}

std::expected<bool, http::error> take_introduction(connection& c, const std::vector<proxy_rule>& proxies)
{
    const auto header = http::parse_proxy_header(c.input.text());
    if (!header) return std::unexpected(header.error());
    if (!*header) return false;
    c.input.consume((*header)->bytes);
    if ((*header)->is_local) return true;
    const auto& client = (*header)->client;
    c.is_unnamed = !client;
    if (client) set_client(c, *client);
    // Behind this proxy there may be another one, which has noted its client in the request.
    c.proxy = client && rule_for(proxies, *client) != nullptr ? client : std::nullopt;
    return true;
}

speaker name_client(connection& c, const std::vector<proxy_rule>& proxies)
{
    // Looked up again for each request: the operator may have changed his mind.
    const std::string_view head = c.input.text().substr(0, c.head_bytes);
    http::ip_address client = *c.proxy;
    const proxy_rule* rule = rule_for(proxies, client);
    if (rule != nullptr && rule->field) {
        http::forwarded_hops hops(head, *rule->field);
        while (rule != nullptr) {
            const auto hop = hops.next();
            if (!hop || !hop->address) break;
            client = *hop->address;
            rule = rule_for(proxies, client);
        }
    }
    set_client(c, client);
    // A request that a proxy passes on is not the proxy's own, even if the proxy does not say whose it is.
    c.is_unnamed = rule != nullptr && http::is_passed_on(head);
    return rule == nullptr || c.is_unnamed ? speaker::client : speaker::proxy;
}

}  // namespace server
