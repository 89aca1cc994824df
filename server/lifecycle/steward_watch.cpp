// SPDX-License-Identifier: MIT
#include "server/lifecycle/steward_watch.hpp"

#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "io/child.hpp"

namespace server {

csp::process steward_watch(pid_t steward, io::descriptor pidfd, csp::in<stop> over, csp::shared_out<log_lines> to_log)
{
    io::child running = io::child_of_fork(steward, std::move(pidfd));
    if (co_await csp::pri_alt(over, running) == running) {
        const auto how = co_await running.exited();
        co_await to_log.output(error_line(
            "error",
            fmt::format("the steward (process {}) {}: until the server is restarted, it cannot be upgraded and "
                        "cannot open logs or unix addresses",
                        steward, how ? how->text() : "has ended")));
        (void)co_await over.input();
    } else {
        std::move(running).let_go();
    }
}

}  // namespace server
