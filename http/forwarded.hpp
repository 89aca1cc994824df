// SPDX-License-Identifier: MIT
//
// The clients that proxies recorded for a request: in X-Forwarded-For, a list of addresses, or in Forwarded (RFC 7239),
// a list of parameters.
#pragma once

#include <optional>
#include <string_view>

#include "http/ip.hpp"
#include "http/request.hpp"

namespace http {

struct forwarded_hop {
    std::optional<ip_address> address;  // nullopt: "unknown", an obfuscated name, or an invalid node
};

/// Whether a head has any field that proxies add to a request they forward: X-Forwarded-For or Forwarded, Via (RFC 9110
/// section 7.6.3), X-Real-IP and the like. REQUIRES: head_scan accepted the head.
[[nodiscard]] bool is_passed_on(std::string_view head) noexcept;

/// Iterates over the recorded hops, from the last, which was recorded by the proxy that connects to us, to the first,
/// which any client may have made up. So you must stop at the first hop that is not a trusted proxy or has no address.
/// The field is read from the right: what a client sends cannot change how the part appended by a proxy is read.
///
///     for (forwarded_hops hops(head, field_id::forwarded); auto hop = hops.next();)
class forwarded_hops {
  public:
    /// REQUIRES: head_scan accepted the head; `by` is forwarded or x_forwarded_for.
    forwarded_hops(std::string_view head, field_id by) noexcept : head_(head), by_(by) {}

    /// Nullopt after the last hop.
    std::optional<forwarded_hop> next();

  private:
    [[nodiscard]] bool go_to_previous_line();

    std::string_view head_;  // the part before the current line
    std::string_view list_;  // the unread rest of the current line
    field_id by_;
};

}  // namespace http
