// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace server {

/// The `cgi` of a route: its requests are answered by programs (RFC 3875).
struct cgi_rules {
    enum class kind : std::uint8_t {
        directory,   // `path` has the programs: the first part of the request's path that names a file is run
        program,     // `path` is the program for all requests
        interpreter  // `path` is a program that is given the requested file of the site, as php-cgi
    };
    enum class body : std::uint8_t {
        collected,  // a body of unknown length is collected first, so that the program is told its length
        streamed    // it is passed on as it arrives, without CONTENT_LENGTH; the program reads to the end
    };
    struct variable {
        std::string name;
        std::string value;
        friend bool operator==(const variable&, const variable&) = default;
    };
    /// Limits of one program; 0 is no limit.
    struct limits {
        std::chrono::seconds idle{60};     // without output
        std::chrono::seconds total{3600};  // from its start
        std::chrono::seconds cpu{0};       // RLIMIT_CPU
        std::uint64_t memory = 0;          // bytes of address space (RLIMIT_AS)
        std::uint32_t open_files = 1024;   // RLIMIT_NOFILE
        std::uint64_t output = 0;          // bytes
        friend bool operator==(const limits&, const limits&) = default;
    };

    kind what = kind::directory;
    std::string path;                   // absolute
    std::vector<variable> environment;  // in addition to the meta-variables
    std::string working_directory;      // empty: the directory of the program, or of the requested file
    body unknown_length = body::collected;
    bool passes_authorization = false;  // HTTP_AUTHORIZATION
    std::string sendfile_root;          // X-Sendfile may name files beneath this directory; empty: none
    std::string user;                   // empty: the server's
    std::string group;                  // empty: the user's
    limits of_each;
    int niceness = 10;              // added to the server's
    std::uint32_t running = 32;     // at most at once, on all cores together
    std::uint32_t waiting = 256;    // requests that wait for one of these at most; further ones are refused
    std::chrono::seconds wait{30};  // how long a request waits at most
    friend bool operator==(const cgi_rules&, const cgi_rules&) = default;
};

}  // namespace server
