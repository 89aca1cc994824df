// SPDX-License-Identifier: MIT
//
// An exchange: one request with the response being written. It is what travels past the front end. A farm sees the
// request and calls respond(); it never knows by which protocol version the request came. That is the carrier's
// business, which an exchange has inside: for HTTP/1.1 the connection itself, for a protocol that carries many
// exchanges at once the end of a channel to the process that keeps the connection.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "csp/channel.hpp"
#include "csp/frame_pool.hpp"
#include "csp/process.hpp"
#include "http/content_coding.hpp"
#include "http/error.hpp"
#include "http/method.hpp"
#include "http/precondition.hpp"
#include "http/target.hpp"
#include "io/file.hpp"
#include "server/configuration/policy.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/connection.hpp"
#include "server/messages/page.hpp"
#include "server/messages/request_id.hpp"

namespace server {

/// The request, as far as somebody past the front end asks for it. The views point into the bytes of the head, which
/// the exchange keeps (with its connection, or in `own_head`).
struct request {
    http::method method = http::method::get;
    http::canonical_path path;
    std::uint64_t site_key = 0;          // of the site whose page it is, as it is configured: key_of()
    std::uint64_t path_hash = 0;         // and of that key
    std::vector<route_number> routes;    // of the site, that add headers
    std::optional<route_number> acting;  // the one of them that says which file answers
    std::string_view query;
    std::string_view line;  // for the log
    std::string_view authority;
    std::string_view referer;
    std::string_view user_agent;
    std::string_view accept;
    http::accepted_codings accepted;
    http::preconditions conditions;
    bool is_conditional = false;                // it has conditions, or wants a range
    std::string own_head;                       // of a carrier whose connection does not keep it
    std::forward_list<std::string> own_fields;  // lists that came in several lines

    /// For the whole of a page, whatever it is.
    [[nodiscard]] bool is_plain() const { return method == http::method::get && !is_conditional; }
};

/// A part of what a response's content is sent from: its file, or the ready content of its page.
struct slice {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};
using segment = std::variant<std::string, slice>;

/// A response: what slices are cut from is either `file` or the page in one of its codings.
struct response {
    response() = default;
    response(http::status c, response_fields f) : code(c), fields(std::move(f)) {}

    http::status code = http::status::ok;
    response_fields fields;
    std::vector<segment> content;
    csp::frozen<io::file> file;
    frozen_page page;
    http::coding coding = http::coding::identity;

    [[nodiscard]] std::uint64_t content_bytes() const;
};

/// HTTP/1.0 and 1.1: the exchange has the connection to itself.
struct http1_carrier {
    enum class fate : std::uint8_t {
        closes,
        persists,
        persists_as_told,  // HTTP/1.0 needs to be told
    };
    conn connection;
    fate then = fate::closes;  // persists: the client may send another request when this one is answered

    [[nodiscard]] bool persists() const { return then != fate::closes; }
};

/// A piece of a response on its way to the process that shares a connection among many exchanges.
struct stream_piece {
    std::uint32_t stream = 0;
    std::optional<http::status> code;  // of the first piece, with `fields`
    response_fields fields;
    std::string bytes;
    enum class what_follows : std::uint8_t {
        more,
        nothing,
        never
    } next = what_follows::more;  // never: it was cut short
};

/// Any protocol that carries several exchanges at once over one connection.
struct stream_carrier {
    csp::shared_out<stream_piece> to_session;
    std::uint32_t stream = 0;
    request_id id = {};
};

/// The way by which an exchange's response reaches its client. Only front_end/understand, which chooses it, and
/// respond/, which writes by it, look at http1() and stream(); every other stage calls the functions below them, and
/// need not change when a carrier is added.
class any_carrier {
  public:
    any_carrier(http1_carrier c) : kind_(std::move(c)) {}
    any_carrier(stream_carrier c) : kind_(std::move(c)) {}

    /// Null for another kind.
    [[nodiscard]] http1_carrier* http1() { return std::get_if<http1_carrier>(&kind_); }
    [[nodiscard]] const http1_carrier* http1() const { return std::get_if<http1_carrier>(&kind_); }
    [[nodiscard]] stream_carrier* stream() { return std::get_if<stream_carrier>(&kind_); }
    [[nodiscard]] const stream_carrier* stream() const { return std::get_if<stream_carrier>(&kind_); }

    /// The request's id, as the response and the logs have it.
    [[nodiscard]] request_id id() const { return http1() ? http1()->connection->present_request() : stream()->id; }
    /// The connection, if the exchange has it to itself; otherwise null.
    [[nodiscard]] const connection* own_connection() const { return http1() ? http1()->connection.get() : nullptr; }
    /// Moves that connection out; null as above.
    [[nodiscard]] conn take_connection() { return http1() ? std::move(http1()->connection) : conn(); }
    /// The client's address for the log; empty if only the session knows it.
    [[nodiscard]] std::string_view peer() const { return http1() ? http1()->connection->peer : std::string_view(); }
    /// Length of the request's head on that connection; 0 if there is none.
    [[nodiscard]] std::size_t head_bytes() const { return http1() ? http1()->connection->head_bytes : 0; }
    /// Whether the connection can be used for another request afterwards, as its client asked.
    [[nodiscard]] bool persists() const { return http1() && http1()->persists(); }
    /// Whether the bytes of a page that is kept ready for HTTP/1.1 can be sent as they are: send_at_once(),
    /// send_rest().
    [[nodiscard]] bool takes_ready_bytes() const { return http1() != nullptr; }

  private:
    std::variant<http1_carrier, stream_carrier> kind_;
};

/// What became of the response, for the log and the statistics.
struct account {
    http::status code = http::status::internal_server_error;
    std::uint64_t content_bytes = 0;
    bool complete = false;  // all of it went out
};

/// Where a request is sent by a route, rather than answered.
struct elsewhere {
    http::status code = http::status::found;
    std::string location;
};

/// Which part of the network an exchange went to, for the statistics.
enum class branch : std::uint8_t { pages, statistics, probe };  // probe: a question of our own, not counted

struct exchange_record : csp::pooled {
    explicit exchange_record(any_carrier by) : carrier(std::move(by)) {}

    request asked;
    frozen_policy by;                    // in force when it was complete
    site_number site = 0;                // of that policy
    std::optional<elsewhere> moved;      // to be answered with this address
    std::optional<http::error> refused;  // to be answered with this error's page
    response_fields refused_with;        // and these fields beside those of the page
    frozen_page kept;                    // the page that the cache has for this path
    bool kept_is_fresh = false;          // and it need not be compared with the file
    bool asked_lately = false;           // nothing is kept for this path, and it was asked for before
    std::size_t ready_sent = 0;          // so many bytes of it, ready made, have gone out: the rest must follow
    branch went_to = branch::pages;
    account sent;
    csp::time_point began;
    any_carrier carrier;

    [[nodiscard]] const served_site& of_site() const { return by->sites[site]; }
    [[nodiscard]] const io::directory& root() const { return by->roots[of_site().root]; }
};

using exchange = std::unique_ptr<exchange_record>;
static_assert(csp::mobile<exchange>);
static_assert(csp::mobile<stream_piece>);

}  // namespace server
