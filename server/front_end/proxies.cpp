// SPDX-License-Identifier: MIT
#include "server/front_end/proxies.hpp"

#include "http/forwarded.hpp"
#include "http/proxy_header.hpp"

namespace server {
namespace {

void set_client(connection& c, const http::ip_address& client)
{
    if (c.client == client) return;
    c.client = client;
    c.peer = client.text();
}

}  // namespace

void meet(connection& c, const std::vector<proxy_rule>& proxies)
{
    const proxy_rule* const rule = rule_for(proxies, c.client);
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
    if (const auto& client = (*header)->client) {
        set_client(c, *client);
        // Behind this proxy there may be another one, which has noted its client in the request.
        c.proxy = rule_for(proxies, *client) != nullptr ? client : std::nullopt;
    }
    return true;
}

speaker name_client(connection& c, const std::vector<proxy_rule>& proxies)
{
    // Looked up again for each request: the operator may have changed his mind.
    http::ip_address client = *c.proxy;
    const proxy_rule* rule = rule_for(proxies, client);
    if (rule != nullptr && rule->field) {
        http::forwarded_hops hops(c.input.text().substr(0, c.head_bytes), *rule->field);
        while (rule != nullptr) {
            const auto hop = hops.next();
            if (!hop) break;
            client = *hop;
            rule = rule_for(proxies, client);
        }
    }
    set_client(c, client);
    return rule == nullptr ? speaker::client : speaker::proxy;
}

}  // namespace server
