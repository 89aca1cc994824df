// SPDX-License-Identifier: MIT
#include "server/service/manager.hpp"

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "csp/alt.hpp"
#include "server/messages/stop.hpp"
#include "server/stats/witness.hpp"

namespace server {
namespace {

std::optional<std::int64_t> number_in(const char* variable)
{
    const char* const text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    std::int64_t value = 0;
    const auto read = std::from_chars(text, text + std::strlen(text), value);
    if (read.ec != std::errc() || *read.ptr != '\0') return std::nullopt;
    return value;
}

}  // namespace

service_manager service_manager::of_environment()
{
    const char* const socket = std::getenv("NOTIFY_SOCKET");
    return socket == nullptr ? service_manager() : service_manager(socket);
}

service_manager::service_manager(std::string socket)
    : socket_(std::move(socket)), from_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))
{
}

void service_manager::tell(std::string_view message) const
{
    sockaddr_un to{};
    if (socket_.empty() || socket_.size() >= sizeof to.sun_path) return;
    to.sun_family = AF_UNIX;
    socket_.copy(to.sun_path, socket_.size());
    if (socket_.front() == '@') to.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
    // Errors are ignored: the server works without its manager.
    (void)::sendto(from_.number(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                   reinterpret_cast<const sockaddr*>(&to), size);
}

std::optional<watchdog_order> watchdog_of_environment()
{
    const auto interval = number_in("WATCHDOG_USEC");
    const auto whose = number_in("WATCHDOG_PID");
    if (!interval || *interval <= 0 || (whose && *whose != ::getpid())) return std::nullopt;
    return watchdog_order{std::chrono::microseconds(*interval), service_manager::of_environment()};
}

csp::process watchdog(watchdog_order wanted, csp::in<stop> over,
                      std::vector<csp::bridge_out<core_question>> to_witnesses)
{
    for (;;) {
        const csp::timeout time_to_look = csp::after(wanted.interval / 2);
        if (co_await csp::pri_alt(over, time_to_look) == over) co_return;
        bool all_well = false;
        try {
            all_well = co_await all_answer(to_witnesses);
        } catch (...) {
            csp::report_fault();
        }
        if (all_well) wanted.manager.tell("WATCHDOG=1");
    }
}

}  // namespace server
