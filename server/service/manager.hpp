// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "io/descriptor.hpp"
#include "server/messages/figures.hpp"
#include "server/messages/stop.hpp"

namespace server {

/// Who started us and wants to know how we are: systemd, by sd_notify(3). A message is one datagram to the socket named
/// in $NOTIFY_SOCKET, which is less than a library to depend on. Without one, telling does nothing.
class service_manager {
  public:
    service_manager() = default;
    explicit service_manager(std::string socket);
    [[nodiscard]] static service_manager of_environment();

    /// "READY=1", or several such lines.
    void tell(std::string_view message) const;

  private:
    std::string socket_;   // a path, or "@name" in the abstract space
    io::descriptor from_;  // kept: a server without a free descriptor still has to say that it lives
};
static_assert(csp::mobile<service_manager>);

/// The manager that is told that the server lives, and how often ($WATCHDOG_USEC).
struct watchdog_order {
    std::chrono::microseconds interval;
    service_manager manager;
};
static_assert(csp::mobile<watchdog_order>);

/// What the manager wants of a watchdog, if it wants one.
[[nodiscard]] std::optional<watchdog_order> watchdog_of_environment();

/// Tells the manager twice in each interval that the server lives, if a probe has been answered on every core.
///
///   over           stop            closed when the server has ended
///   to_witnesses   core_question   are requests answered?
///
/// Deadlock: a client of the witnesses only. That it waits for ever on a core that hangs is its purpose.
csp::process watchdog(watchdog_order wanted, csp::in<stop> over,
                      std::vector<csp::bridge_out<core_question>> to_witnesses);

}  // namespace server
