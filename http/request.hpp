// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/error.hpp"
#include "http/limits.hpp"
#include "http/method.hpp"

namespace http {

// Finds the end of a request head in a buffer that grows, and refuses at once what no later byte can mend: a bare
// CR or LF, a control byte, a request line or a head beyond its limit. It looks at each byte once, so that a client
// who sends single bytes costs no more than one who sends them together. What lies between is for parse_head.
class head_scan {
  public:
    // `so_far` is everything received of this head, from its first byte; what earlier calls were given must be
    // its beginning, though the buffer may have moved. Yields the length of the head in bytes, its closing empty
    // line included, or nothing while that line has not come. Up to two empty lines before the request line are
    // part of the head (RFC 9112 section 2.2). Errors: 400, 414, 431, 501. The answer does not depend on how the bytes
    // were split. After a length or an error the scan is over; reset() makes it ready for the next head.
    std::expected<std::optional<std::size_t>, error> feed(std::span<const char> so_far, const limits& limits) noexcept;

    void reset() noexcept { *this = head_scan{}; }

    // True once a byte of the request line itself has come: a silent client is idle, one that stops here is slow.
    [[nodiscard]] bool started() const noexcept { return part_ != part::before; }

  private:
    enum class part : std::uint8_t { before, request_line, fields };

    std::size_t scanned_ = 0;     // bytes that need not be looked at again
    std::size_t line_begin_ = 0;  // where the line that is being scanned began
    part part_ = part::before;
    std::uint8_t empty_lines_ = 0;  // before the request line
};

// RFC 9112 section 2.3. A later minor version is read as 1.1.
enum class version : std::uint8_t { http_1_0, http_1_1 };

// The four forms of RFC 9112 section 3.2.
enum class target_form : std::uint8_t {
    origin,     // /path?query
    absolute,   // http://host:port/path?query
    authority,  // host:port, with CONNECT and only there
    asterisk,   // *, with OPTIONS and only there
};

// Field names which the server looks up. Parsing remembers where they are.
enum class field_id : std::uint8_t {
    accept,
    accept_encoding,
    accept_language,
    authorization,
    cache_control,
    connection,
    content_encoding,
    content_length,
    content_type,
    cookie,
    date,
    expect,
    forwarded,
    host,
    if_match,
    if_modified_since,
    if_none_match,
    if_range,
    if_unmodified_since,
    last_event_id,
    origin,
    proxy,
    proxy_authorization,
    range,
    referer,
    sec_fetch_site,
    sec_websocket_extensions,
    sec_websocket_key,
    sec_websocket_protocol,
    sec_websocket_version,
    te,
    trailer,
    transfer_encoding,
    upgrade,
    user_agent,
    x_forwarded_for,
    x_forwarded_host,
    x_forwarded_proto,
    none,  // any other name
};
inline constexpr std::size_t known_fields = static_cast<std::size_t>(field_id::none);
static_assert(known_fields <= 64, "request_head::repeated has a bit for each");

// The id of a field name, in whatever case it is written. REQUIRES: a token.
[[nodiscard]] field_id identify_field(std::string_view name) noexcept;

// One field line. The value has no white space around it (RFC 9112 section 5); obs-text may be in it.
struct field {
    std::string_view name;
    std::string_view value;
    field_id id = field_id::none;
};

// A request head as sent and as understood. All views point into the bytes given to parse_head, and live as long
// as those do. About 5 KiB: keep one for each worker and parse into it, not one for each connection.
struct request_head {
    std::string_view line;         // the request line, without its CRLF
    std::string_view method_text;  // a token
    std::string_view target;       // as sent
    std::string_view authority;    // host[:port], of the target if that has one, else of Host (RFC 9112 3.2.2)
    std::string_view host;         // authority without the port; never empty but in HTTP/1.0 without Host
    std::string_view upgrade;      // the Upgrade list, if Connection names it and the version is 1.1 (RFC 9110 7.8)
    std::optional<std::uint64_t> content_length;  // bytes; never together with `chunked`
    std::optional<std::uint16_t> port;            // of the authority
    http::method method = method::other;
    http::version version = version::http_1_1;
    target_form form = target_form::origin;
    bool chunked = false;          // the body is in chunks (RFC 9112 section 7.1)
    bool keep_alive = false;       // the client lets the connection persist (RFC 9112 section 9.3)
    bool expect_continue = false;  // it waits for 100 before it sends the body (RFC 9110 section 10.1.1)

    std::array<field, max_fields> field_store;
    std::array<std::uint8_t, known_fields> first_index{};  // of each id in field_store; max_fields: none
    std::size_t field_count = 0;
    std::uint64_t repeated = 0;  // a bit for each id that more than one line has

    // In the order sent.
    [[nodiscard]] std::span<const field> fields() const noexcept { return {field_store.data(), field_count}; }

    // Value of the first field line with this id: one look-up. REQUIRES: id != field_id::none.
    [[nodiscard]] std::optional<std::string_view> find(field_id id) const noexcept;

    // Value of all field lines with this id, as one list "a, b" (RFC 9110 section 5.3), if lists are what the field
    // has. Usually there is but one line: then this is find(id). Else the list is made in `joined`, and points there.
    [[nodiscard]] std::optional<std::string_view> find_list(field_id id, std::string& joined) const;

    // Value of the first field line with this name, in whatever case it is written. For names without an id this
    // compares with each field.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;

    // Whether a body follows the head, be it an empty one in chunks.
    [[nodiscard]] bool has_body() const noexcept { return chunked || content_length.value_or(0) > 0; }
};

// Parses one complete head, as long as head_scan said, into `into`; strictly after RFC 9112: what is not in its
// grammar is refused, and of its tolerances only the empty lines of section 2.2 are kept. On error `into` holds
// what was understood so far: its `line` for the log, and the fields before the one in error, as sent, which may say in
// what form the client wants to be told; the rest is not to be used. No allocation.
// Errors: 400; 413 a Content-Length above limits::body_bytes; 414; 417; 431; 501 a method too long or a transfer
// coding unknown; 505.
std::expected<void, error> parse_head(std::span<const char> complete_head, const limits& limits,
                                      request_head& into) noexcept;

}  // namespace http
