// SPDX-License-Identifier: MIT
//
// An exchange: one request and its response. This is what the front end makes of a connection, and what travels from
// there to the back end. A farm reads the request and calls respond(); it does not know the protocol version. That is
// the business of the carrier, which the exchange contains: for HTTP/1.1 the connection itself, and for a protocol with
// several exchanges on one connection a channel to the process that owns the connection.
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
#include "server/messages/stop.hpp"

namespace server {

/// The parts of the request that processes after the front end need. The views point into the bytes of the head, which
/// the exchange keeps alive (in its connection, or in `own_head`).
struct request {
    http::method method = http::method::get;
    http::canonical_path path;
    std::uint64_t site_key = 0;          // identifies the site with its configuration: key_of()
    std::uint64_t path_hash = 0;         // of the path, seeded with `site_key`
    std::vector<route_number> routes;    // the routes that apply; they add headers
    std::optional<route_number> acting;  // the one of them that determines the file
    std::string_view query;
    std::string_view line;  // for the log
    std::string_view authority;
    std::string_view referer;
    std::string_view user_agent;
    std::string_view accept;
    http::accepted_codings accepted;
    http::preconditions conditions;
    bool is_conditional = false;                // it has conditions or a range
    std::uint8_t redirects = 0;                 // by programs, to other paths of the site: after the first, a GET
    std::string own_head;                       // the head, if the carrier does not keep it
    std::forward_list<std::string> own_fields;  // list fields that were sent in several lines

    /// An unconditional GET of a whole page.
    [[nodiscard]] bool is_plain() const { return method == http::method::get && !is_conditional; }
};

/// A part of the response's file, or of the content of its page.
struct slice {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};
using segment = std::variant<std::string, slice>;

/// A response. Its slices refer to `file`, or if that is not set to `page` in this coding.
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

/// The body of a request of HTTP/1, as far as it was not read. It is still on its connection, except for the bytes in
/// `beyond`.
struct unread_body : csp::pooled {
    body_to_skip rest;
    std::optional<std::uint64_t> length = {};  // Content-Length
    bool awaits_continue = false;              // the client may wait for "100 Continue" before it sends the body
    bool persists_if_read = false;             // the end of the request is unknown only because of that
    bool is_taken = false;                     // a request_body reads it
    bool is_over = false;                      // it was read to its end
    std::size_t consumed = 0;                  // bytes of the connection's input after the head that were read
    std::string beyond = {};  // read from the socket and not used; if not empty, all of the input is consumed
};

/// HTTP/1.0 and 1.1: one exchange at a time owns the connection.
struct http1_carrier {
    /// The connection ends with the response.
    struct close {
        bool lingers;       // the client may still send: see connection::lingering
        bool takes_chunks;  // the client speaks HTTP/1.1
    };
    /// The client may send another request afterwards.
    struct keep_open {
        bool is_told = false;       // by "Connection: keep-alive", which HTTP/1.0 needs
        bool next_is_here = false;  // a complete request has arrived after this one
    };
    /// The Connection field of the response.
    enum class connection_option : std::uint8_t { close, none, keep_alive };

    conn connection;
    std::variant<close, keep_open> then = {};
    std::unique_ptr<unread_body> body = {};  // null: the request has none

    [[nodiscard]] bool persists() const { return std::holds_alternative<keep_open>(then); }
    [[nodiscard]] bool next_is_here() const
    {
        const auto* const open = std::get_if<keep_open>(&then);
        return open && open->next_is_here;
    }
    [[nodiscard]] connection_option option() const
    {
        const auto* const open = std::get_if<keep_open>(&then);
        if (!open) return connection_option::close;
        return open->is_told ? connection_option::keep_alive : connection_option::none;
    }
    /// Whether the client understands Transfer-Encoding: chunked, as HTTP/1.1 requires.
    [[nodiscard]] bool takes_chunks() const
    {
        const auto* const open = std::get_if<keep_open>(&then);
        return open ? !open->is_told : std::get<close>(then).takes_chunks;
    }
    /// Removes the request from the connection, if another may follow, and sets its phase after the response. A body
    /// that was not read is to be skipped; one that was taken and not put back ends the connection.
    void enter_next_phase(server::connection& c);
};

/// A part of a page or of a file, as the content of a piece. The session reads it, so that the bytes are not copied on
/// their way there.
struct page_part {
    frozen_page page;
    http::coding coding = http::coding::identity;
    slice part;
};
struct file_part {
    csp::frozen<io::file> file;
    slice part;
};
using piece_content = std::variant<std::string, page_part, file_part>;
[[nodiscard]] std::uint64_t bytes_of(const piece_content& c);

/// How many bytes of a piece the session has sent. Fewer than all: the client has withdrawn the request, or the file
/// could not be read; the response is over.
struct piece_taken {
    std::uint64_t bytes = 0;
};

/// A piece of a response for the process that owns a connection with several exchanges. The session answers when it has
/// sent the piece, as far as the window of this exchange allows; so it holds at most one piece of each exchange, and a
/// client that does not read one response delays no other. If it drops the piece, the client has left.
struct stream_piece {
    std::uint32_t stream = 0;
    std::optional<http::status> code = {};  // in the first piece only, with `fields`
    response_fields fields = {};
    piece_content content = {};
    enum class what_follows : std::uint8_t {
        more,
        nothing,
        never
    } next = what_follows::more;  // never: the response was cut short
    csp::out<piece_taken> answer = {};
};

/// A piece of a request's body. It is not empty, except as the last one.
struct body_piece {
    std::string bytes;
    bool is_last = false;
};
/// Asks the session for the next piece of the body of one exchange. The session lets the client send so many bytes, and
/// answers when some have arrived. If it drops the question, the client has left or has withdrawn the request.
struct body_question {
    std::size_t most_bytes = 0;
    csp::out<body_piece> answer = {};
};

/// A protocol with several exchanges at once on one connection.
struct stream_carrier {
    csp::shared_out<stream_piece> to_session;
    std::uint32_t stream = 0;
    request_id id = {};
    csp::in<stop> left = {};  // closed when the client has left or has withdrawn the request; null: that is not told
    csp::out<body_question> body = {};              // of this exchange alone; null: the request has no body
    std::optional<std::uint64_t> body_length = {};  // if the client has announced it
};

/// The way by which an exchange's response reaches its client. Only front_end/understand, which chooses it, and
/// respond/, which reads and writes by it, look at http1() and stream(); every other stage calls the functions below
/// them, and need not change when a carrier is added.
class any_carrier {
  public:
    /// HTTP/1; its connection is still to be set. Made in place, since an exchange is made for every request.
    any_carrier() = default;
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
    /// Removes the request from that connection, which was moved out, and sets its phase after the response.
    void enter_next_phase(connection& c)
    {
        if (http1()) http1()->enter_next_phase(c);
    }
    /// The client's address for the log; empty if only the session knows it.
    [[nodiscard]] std::string_view client() const
    {
        return http1() ? http1()->connection->client.text : std::string_view();
    }
    /// Whether this is the server's own test that it answers.
    [[nodiscard]] bool is_probe() const { return http1() && http1()->connection->client.is_probe; }
    /// Length of the request's head on that connection; 0 if there is none.
    [[nodiscard]] std::size_t head_bytes() const { return http1() ? http1()->connection->head_bytes() : 0; }
    /// Whether the connection can be used for another request afterwards, as its client asked.
    [[nodiscard]] bool persists() const { return http1() && http1()->persists(); }
    /// Whether the bytes of a page that is kept ready for HTTP/1.1 can be sent as they are: send_at_once(),
    /// send_rest().
    [[nodiscard]] bool takes_ready_bytes() const { return http1() != nullptr; }

  private:
    std::variant<http1_carrier, stream_carrier> kind_;
};

/// The result of the exchange, for the log and the statistics.
struct account {
    http::status code = http::status::internal_server_error;
    std::uint64_t content_bytes = 0;
    bool complete = false;                // all of it was sent
    std::optional<http::error> why = {};  // the error that was answered
};

// The ways to answer an exchange. The front end decides between them; the cache may turn a page_lookup into a
// cached_page or into sent_by_cache.

/// A worker looks for the page.
struct page_lookup {
    bool was_asked_for = false;  // the path was requested before, but nothing is cached for it
};
/// A worker sends the cached page.
struct cached_page {
    frozen_page page = {};
    bool is_fresh = false;       // it was compared with the file recently; otherwise the worker looks again
    std::size_t sent_bytes = 0;  // of the ready page; if not 0, the rest of it must follow
};
/// A cache process has sent its page.
struct sent_by_cache {};
/// To OPTIONS.
struct allowed_methods {};
/// The server's own statistics and health.
struct statistics {};
/// A redirect by a route.
struct redirect_to {
    http::status code = http::status::found;
    std::string location;
};
/// A program answers: the `cgi` of the acting route.
struct program_run {};
/// An error, with additional fields for the response.
struct error_response {
    http::error why;
    response_fields with = {};
};
using decision = std::variant<page_lookup, cached_page, sent_by_cache, allowed_methods, statistics, redirect_to,
                              program_run, error_response>;

struct exchange_record : csp::pooled {
    exchange_record() = default;
    explicit exchange_record(any_carrier by) : carrier(std::move(by)) {}

    request asked;
    frozen_policy by;      // in force when the head was complete
    site_number site = 0;  // an index into that policy's sites
    decision decided;
    account sent;
    csp::time_point began;
    any_carrier carrier;

    [[nodiscard]] const served_site& of_site() const { return by->sites[site]; }
    [[nodiscard]] const io::directory& root() const { return by->roots[of_site().root]; }

    template <class Decision>
    [[nodiscard]] bool is() const
    {
        return std::holds_alternative<Decision>(decided);
    }
    /// The head of the request as it was sent.
    [[nodiscard]] std::string_view head() const
    {
        const connection* const c = carrier.own_connection();
        return c != nullptr ? c->head() : std::string_view(asked.own_head);
    }
    /// REQUIRES: is<program_run>().
    [[nodiscard]] const route& acting_route() const { return of_site().pages.files.routes[*asked.acting]; }
    /// The page that the cache has, for the worker; null if it has none.
    [[nodiscard]] const cached_page* cached() const { return std::get_if<cached_page>(&decided); }
};

using exchange = std::unique_ptr<exchange_record>;
static_assert(csp::mobile<exchange>);
static_assert(csp::mobile<stream_piece>);
static_assert(csp::mobile<body_question>);
static_assert(csp::mobile<body_piece>);

}  // namespace server
