// SPDX-License-Identifier: MIT
#include "server/cgi_farm/program_work.hpp"

#include <fmt/core.h>

#include "server/messages/request_id.hpp"

namespace server {

csp::step<void> program_work::log(std::string_view severity, std::string_view what) const
{
    co_await to_log.output(
        error_line(severity, fmt::format("{}: {}", found.script_name, what), to_string(x.carrier.id())));
}

csp::step<void> program_work::log_errors(error_lines::part which)
{
    for (const std::string& line : program->errors().take(which)) co_await log("notice", line);
}

}  // namespace server
