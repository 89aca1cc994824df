// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/process.hpp"
#include "http/request.hpp"
#include "io/socket.hpp"
#include "server/cgi_farm/find_program.hpp"
#include "server/cgi_farm/running_program.hpp"
#include "server/configuration/cgi_rules.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/log_lines.hpp"
#include "server/respond/request_body.hpp"
#include "server/respond/respond.hpp"

namespace server {

/// What a worker keeps between requests.
struct page_tools {
    http::request_head head;  // the fields of the request
    head_cache heads;
    std::string room;  // for output
};

/// A request and its program, from the start of the program to its end.
struct program_work {
    exchange_record& x;
    const cgi_rules& rules;
    page_tools& tools;
    csp::shared_out<log_lines>& to_log;
    found_program found;

    csp::forking helpers{};                       // the feeder
    std::optional<running_program> program = {};  // from start() on
    std::optional<request_body> body = {};        // the unread part of the request's body, while no feeder has it
    io::socket unfinished_input = {};             // see fed_body::input

    /// Writes to the error log, with the name of the program and the id of the request.
    csp::step<void> log(std::string_view severity, std::string_view what) const;
    /// Logs the lines that the program has written to its standard error.
    csp::step<void> log_errors(error_lines::part which);
};

}  // namespace server
