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

/// The service manager that started the server, such as systemd, and is notified by the protocol of sd_notify(3): a
/// message is one datagram to the socket in $NOTIFY_SOCKET. This needs less code than using a library. Without a
/// manager, tell() does nothing.
class service_manager {
  public:
    service_manager() = default;
    explicit service_manager(std::string socket);
    [[nodiscard]] static service_manager of_environment();

    /// Whether its socket is an abstract one, without a file.
    [[nodiscard]] bool is_abstract() const { return socket_.starts_with('@'); }

    /// Sends a message: "READY=1", for example, or several such lines.
    void tell(std::string_view message) const;

  private:
    std::string socket_;   // a path, or "@name" in the abstract space
    io::descriptor from_;  // kept open: a server without a free descriptor must still notify the watchdog
};
static_assert(csp::mobile<service_manager>);

/// The manager to notify, and its watchdog interval ($WATCHDOG_USEC).
struct watchdog_order {
    std::chrono::microseconds interval;
    service_manager manager;
};
static_assert(csp::mobile<watchdog_order>);

/// The watchdog settings in the environment; nullopt if the manager does not want notifications.
[[nodiscard]] std::optional<watchdog_order> watchdog_of_environment();

/// Notifies the manager twice in each interval that the server works, if a probe has been answered on every core.
///
///   over           stop            closed when the server has ended
///   to_witnesses   core_question   asks whether requests are answered
///
/// Client of: witness, workshop_witness; server to: supervisor (`over`). If a core hangs, the watchdog waits for it for
/// ever and the manager restarts the server: that is its purpose.
csp::process watchdog(watchdog_order wanted, csp::in<stop> over,
                      std::vector<csp::bridge_out<core_question>> to_witnesses);

}  // namespace server
