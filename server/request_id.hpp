// SPDX-License-Identifier: MIT
//
// By what a request is known in the logs and in its answer. It is made of numbers that are at hand anyway, and becomes
// text only where somebody reads it.
#pragma once

#include <cstdint>
#include <string>

#include "csp/mobile.hpp"

namespace server {

/// A connection's: drawn by the acceptor that took it when it began, so that no start of the server and no core has the
/// same; and the number of the connection there.
struct connection_id {
    std::uint64_t drawn = 0;
    std::uint64_t number = 0;
};

struct request_id {
    connection_id connection;
    std::uint64_t request = 0;  // of that connection, from 1
};
static_assert(csp::mobile<request_id>);

/// "3f9c51a20b7e-1a4-3": all requests of a connection begin alike.
[[nodiscard]] std::string to_string(const request_id& id);
/// The same into memory that has room for the longest, 46 bytes; yields where it ends.
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
