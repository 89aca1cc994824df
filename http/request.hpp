// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cassert>
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

/// Finds the end of a request head in a growing buffer, and refuses at once what no later byte can correct: a bare CR
/// or LF, a control character, a request line or a head that exceeds its limit. It examines each byte once, so a client
/// that sends single bytes costs no more than one that sends them together. Everything else is checked by parse_head.
class head_scan {
  public:
    /// `so_far` is everything received of this head, from its first byte; it must begin with what was passed to the
    /// earlier calls, though the buffer may have moved. Returns the length of the head in bytes, including the empty
    /// line that ends it, or nullopt if that line has not arrived. Up to two empty lines before the request line are
    /// part of the head (RFC 9112 section 2.2). Errors: 400, 414, 431, 501. The result does not depend on how the bytes
    /// were split. After a length or an error the scan is finished; call reset() before the next head.
    std::expected<std::optional<std::size_t>, error> feed(std::span<const char> so_far, const limits& limits) noexcept;

    void reset() noexcept { *this = head_scan{}; }

    /// True once a byte of the request line itself has arrived. Before that, a silent client is idle; after it, it is
    /// slow.
    [[nodiscard]] bool started() const noexcept { return part_ != part::before; }

  private:
    enum class part : std::uint8_t { before, request_line, fields };

    std::size_t scanned_ = 0;     // bytes that have been examined
    std::size_t line_begin_ = 0;  // index of the first byte of the current line
    part part_ = part::before;
    std::uint8_t empty_lines_ = 0;  // before the request line
};

/// RFC 9112 section 2.3. A later minor version is read as 1.1.
enum class version : std::uint8_t { http_1_0, http_1_1 };

/// The four forms of RFC 9112 section 3.2.
enum class target_form : std::uint8_t {
    origin,     // /path?query
    absolute,   // http://host:port/path?query
    authority,  // host:port, with CONNECT and only there
    asterisk,   // *, with OPTIONS and only there
};

/// The field names that the server looks up. The parser records their positions.
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

/// The id of a field name, ignoring case. REQUIRES: `name` is a token.
[[nodiscard]] field_id identify_field(std::string_view name) noexcept;

/// One field line. The value has no white space around it (RFC 9112 section 5) and may contain obs-text.
struct field {
    std::string_view name;
    std::string_view value;
    field_id id = field_id::none;
};

/// A parsed request head. All views point into the bytes passed to parse_head and are valid as long as these are. About
/// 5 KiB: keep one per worker and parse into it, not one per connection.
struct request_head {
    std::string_view line;         // the request line, without its CRLF
    std::string_view method_text;  // a token
    std::string_view target;       // as sent
    std::string_view authority;    // host[:port], from the target if it has one, else from Host (RFC 9112 3.2.2)
    std::string_view host;         // authority without the port; empty only in HTTP/1.0 without Host
    std::string_view upgrade;      // the Upgrade list, if Connection names it and the version is 1.1 (RFC 9110 7.8)
    std::optional<std::uint64_t> content_length;  // bytes; never together with `chunked`
    std::optional<std::uint16_t> port;            // of the authority
    http::method method = method::other;
    http::version version = version::http_1_1;
    target_form form = target_form::origin;
    bool chunked = false;          // the body is in chunks (RFC 9112 section 7.1)
    bool keep_alive = false;       // the connection may persist (RFC 9112 section 9.3)
    bool expect_continue = false;  // the client waits for 100 before it sends the body (RFC 9110 10.1.1)

    std::array<field, max_fields> field_store;
    std::array<std::uint8_t, known_fields> first_index{};  // of each id, in field_store; max_fields: absent
    std::size_t field_count = 0;
    std::uint64_t repeated = 0;  // a bit for each id that has more than one line

    /// The field lines in the order sent.
    [[nodiscard]] std::span<const field> fields() const noexcept { return {field_store.data(), field_count}; }

    /// The value of the first field line with this id, in constant time. REQUIRES: id != field_id::none.
    [[nodiscard]] std::optional<std::string_view> find(field_id id) const noexcept
    {
        assert(id != field_id::none);
        const std::uint8_t first = first_index[static_cast<std::size_t>(id)];
        if (first >= field_count) return std::nullopt;
        return field_store[first].value;
    }

    /// Whether there is more than one field line with this id.
    [[nodiscard]] bool is_repeated(field_id id) const noexcept
    {
        return (repeated >> static_cast<unsigned>(id) & 1U) != 0;
    }

    /// The values of all field lines with this id as one list "a, b" (RFC 9110 section 5.3). Use it only for fields
    /// whose value is a list. Usually there is one line, and this is find(id); otherwise the list is built in `joined`,
    /// and the result points there.
    [[nodiscard]] std::optional<std::string_view> find_list(field_id id, std::string& joined) const;

    /// The value of the first field line with this name, ignoring case. For a name without an id this compares with
    /// every field.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;

    /// Whether a body follows the head. It may be an empty chunked one.
    [[nodiscard]] bool has_body() const noexcept { return chunked || content_length.value_or(0) > 0; }
};

/// Parses one complete head, of the length that head_scan returned, into `into`. It follows the grammar of RFC 9112
/// strictly; of the leniencies that RFC permits, only the empty lines of section 2.2 are accepted. On error, `into`
/// holds what was parsed so far: `line` for the log, and the fields before the wrong one, as sent, which may say in
/// what form the client wants the error. Do not use the rest. Does not allocate. Errors: 400; 413 a Content-Length
/// above limits::body_bytes; 414; 417; 431; 501 a method that is too long or an unknown transfer coding; 505.
std::expected<void, error> parse_head(std::span<const char> complete_head, const limits& limits,
                                      request_head& into) noexcept;

}  // namespace http
