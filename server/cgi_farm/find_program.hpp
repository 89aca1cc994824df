// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <string>

#include "csp/process.hpp"
#include "http/error.hpp"
#include "server/configuration/cgi_rules.hpp"
#include "server/messages/exchange.hpp"

namespace server {

/// The program for a request, as RFC 3875 section 4.1 names its parts.
struct found_program {
    std::string script_name;  // SCRIPT_NAME, decoded: the part of the path that names the program
    std::string path_info;    // PATH_INFO, decoded: the rest; empty, or begins with a slash
    std::string file;         // SCRIPT_FILENAME: the absolute path of the program, or of the file that it interprets
    std::string asked_for;    // what the runner is asked for: see program_order::script
    bool writes_whole_response = false;  // its name begins with "nph-" (RFC 3875, section 5)
};

/// Finds the program: the file in the directory of the route that the beginning of the path names, or the one program
/// of the route, or its interpreter if the requested file exists. Errors: 403 for a file that is not executable,
/// a directory or a hidden name; 404; 503. REQUIRES: x.is<program_run>().
csp::step<std::expected<found_program, http::error>> find_program(const exchange_record& x, const cgi_rules& rules);

}  // namespace server
