// SPDX-License-Identifier: MIT
#include "server/front_end/proxies.hpp"

#include "http/forwarded.hpp"
#include "http/proxy_header.hpp"

namespace server {
namespace {

constexpr std::string_view unix_peer = "unix:";  // the host of a Unix address, see io::address::host()

void set_address(client_identity& client, const http::ip_address& address)
{
    if (client.address == address) return;
    client.address = address;
    client.text = address.is_none() ? unix_peer : address.text();
}

}  // namespace

void note_proxy(connection& c, const std::vector<proxy_rule>& proxies)
{
    client_identity& client = c.client;
    const bool has_left = client.address.is_none() && client.text != unix_peer;  // so its address is not known
    const proxy_rule* const rule = has_left ? nullptr : rule_for(proxies, client.address);
    if (rule == nullptr) return;
    client.proxy = client.address;
    if (rule->begins_with_header) c.now = connection::reading_proxy_header();
}

std::expected<bool, http::error> take_proxy_header(connection& c, const std::vector<proxy_rule>& proxies)
{
    const auto header = http::parse_proxy_header(c.input.text());
    if (!header) return std::unexpected(header.error());
    if (!*header) return false;
    c.input.consume((*header)->bytes);
    if ((*header)->is_local) return true;
    const auto& client = (*header)->client;
    c.client.is_unknown = !client;
    if (client) set_address(c.client, *client);
    // The client may be a trusted proxy itself, which names its own client in the request.
    c.client.proxy = client && rule_for(proxies, *client) != nullptr ? client : std::nullopt;
    return true;
}

speaker name_client(connection& c, const std::vector<proxy_rule>& proxies)
{
    // Looked up for each request, because a reload may have changed the rules.
    const std::string_view head = c.head();
    http::ip_address client = *c.client.proxy;
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
    set_address(c.client, client);
    // A forwarded request is not the proxy's own, even if the proxy does not name the client.
    c.client.is_unknown = rule != nullptr && http::is_passed_on(head);
    return rule == nullptr || c.client.is_unknown ? speaker::client : speaker::proxy;
}

}  // namespace server
