// SPDX-License-Identifier: MIT
//
// The id of a request, in the logs and in its response. It consists of numbers that exist anyway, and is formatted only
// where it is written.
#pragma once

#include <cstdint>
#include <string>

#include "csp/mobile.hpp"

namespace server {

/// The id of a connection: a random number that the acceptor drew when it started, which differs between cores and
/// between starts of the server, and the number of the connection at that acceptor.
struct connection_id {
    std::uint64_t drawn = 0;
    std::uint64_t number = 0;
};

struct request_id {
    connection_id connection;
    std::uint64_t request = 0;  // number within the connection, from 1
};
static_assert(csp::mobile<request_id>);

/// "3f9c51a20b7e-1a4-3". All requests of a connection have the same prefix.
[[nodiscard]] std::string to_string(const request_id& id);
/// Writes the same text to `to`, which must have room for 46 bytes, the longest id. Returns the end of the text.
char* print(const request_id& id, char* to);

/// Numbers the connections of an acceptor.
class connection_ids {
  public:
    connection_ids();
    [[nodiscard]] connection_id next()
    {
        ++last_.number;
        return last_;
    }

  private:
    connection_id last_;
};

}  // namespace server
