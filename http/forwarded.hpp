// SPDX-License-Identifier: MIT
//
// Whom a request came from, as the proxies on its way have noted it: X-Forwarded-For, a list of addresses, or Forwarded
// (RFC 7239), a list with names.
#pragma once

#include <optional>
#include <string_view>

#include "http/network.hpp"
#include "http/request.hpp"

namespace http {

struct forwarded_hop {
    std::optional<ip_address> address;  // nothing: "unknown", an obfuscated name, or an invalid node
};

// Whether a head has any field by which proxies tell that a request is not their own: these two, Via (RFC 9110 section
// 7.6.3), X-Real-IP and the like. REQUIRES: a head in which head_scan found nothing wrong.
[[nodiscard]] bool is_passed_on(std::string_view head) noexcept;

// Walks over the hops noted, from the last, which was noted by the proxy that speaks to us, to the first, which anybody
// may have made up. So the caller must stop at the first hop that is no proxy of ours or has no address. The field is
// read from the right, so that what a client sends does not change how the part is read that a proxy has appended.
//
//     for (forwarded_hops hops(head, field_id::forwarded); auto hop = hops.next();)
class forwarded_hops {
  public:
    // REQUIRES: a head in which head_scan found nothing wrong; `by` is forwarded or x_forwarded_for.
    forwarded_hops(std::string_view head, field_id by) noexcept : head_(head), by_(by) {}

    // Nothing when there are no more.
    std::optional<forwarded_hop> next();

  private:
    [[nodiscard]] bool go_to_line_before();

    std::string_view head_;  // before the line that is read
    std::string_view list_;  // of that line, what is left
    field_id by_;
};

}  // namespace http
