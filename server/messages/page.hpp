// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "csp/frozen.hpp"
#include "csp/mobile.hpp"
#include "http/content_coding.hpp"
#include "http/error.hpp"
#include "http/status.hpp"
#include "io/file.hpp"

namespace server {

/// Fields of a response head: lines "Name: value" with CRLF, in the order added. Fields that each protocol version adds
/// itself (Date, Connection) are not among them.
class response_fields {
  public:
    /// REQUIRES: `name` is a token; `value` has no CR, LF or NUL.
    response_fields& add(std::string_view name, std::string_view value);
    response_fields& add(std::string_view name, std::uint64_t value);
    response_fields& add(const response_fields& more);
    [[nodiscard]] std::string_view lines() const { return lines_; }
    /// All fields except those with this name. The case of the name must match.
    [[nodiscard]] response_fields without(std::string_view name) const;
    /// Reserves memory for this many bytes of lines.
    void reserve(std::size_t bytes) { lines_.reserve(bytes); }

  private:
    std::string lines_;
};

/// Identifies a version of a file: a different content has a different identity (but see is_settled()).
struct file_identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::chrono::nanoseconds modified{};
    std::chrono::nanoseconds changed{};
    friend bool operator==(const file_identity&, const file_identity&) = default;
};
[[nodiscard]] file_identity identity_of(const io::file_status& what);

/// Whether any later change of the file will change its times. The clock of file times has a resolution of up to 10 ms,
/// so two versions written within that time have the same times. With a longer `quiet`: whether the file has not been
/// changed for that long.
[[nodiscard]] bool is_settled(const file_identity& i, std::chrono::system_clock::time_point now,
                              std::chrono::milliseconds quiet = std::chrono::milliseconds(20));

/// The Last-Modified date of a representation of the file `plain` that is sent from the file `as_sent`, which may be
/// the same: a change of either makes another version. `looked_at` is when these identities were read.
[[nodiscard]] std::optional<std::chrono::sys_seconds> date_of(const file_identity& plain, const file_identity& as_sent,
                                                              std::chrono::system_clock::time_point looked_at);

/// The metadata of a representation (RFC 9110 section 3.2).
struct description {
    std::string media_type;
    std::string etag;                                  // strong, with its quotes; empty while unknown
    std::optional<std::chrono::sys_seconds> modified;  // from date_of()
    std::uint64_t bytes = 0;
    http::coding coding = http::coding::identity;
    http::coding stored = http::coding::identity;  // coding of the file itself, as with .svgz
    bool varies = false;                           // Accept-Encoding selects among several codings, now or later
    std::string cache_control;                     // a field value; empty: the field is not sent
    response_fields more;                          // fields that the site adds
};

/// The fields that every response about a representation has, including a 304 (RFC 9110 section 15.4.5): its
/// validators, and how caches may store it.
[[nodiscard]] response_fields metadata_fields(const description& d);
/// The fields of a response with the whole representation.
[[nodiscard]] response_fields full_fields(const description& d);
/// The fields of a response with a part of it: they differ in the length, and with several parts in the type (RFC 9110,
/// section 15.3.7).
[[nodiscard]] response_fields part_fields(const description& d, std::string_view media_type, std::uint64_t bytes);

/// A complete HTTP/1.1 response, ready to be sent with one system call. Only its Date has to be updated.
class ready_response {
  public:
    ready_response() = default;
    ready_response(http::status code, const response_fields& fields, std::string_view content);

    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    /// Status line, Server and Date. Fields that concern one connection can be sent between these and fields().
    [[nodiscard]] std::string_view beginning() const { return bytes().substr(0, fields_at_); }
    [[nodiscard]] std::string_view fields() const { return bytes().substr(fields_at_, content_at_ - 2 - fields_at_); }
    [[nodiscard]] std::string_view content() const { return bytes().substr(content_at_); }

    [[nodiscard]] std::chrono::sys_seconds date() const { return date_; }
    void set_date(std::chrono::sys_seconds now);

  private:
    std::string bytes_;
    std::size_t fields_at_ = 0;
    std::size_t content_at_ = 0;
    std::chrono::sys_seconds date_;
};

/// An error response that is complete except for what differs between requests: the request id, which the text may
/// contain, and therefore the length.
struct ready_error {
    static constexpr std::size_t nowhere = std::string_view::npos;
    ready_response most;
    std::size_t id_at = nowhere;  // position of the request id in the content
};

/// The forms of an error's answer.
enum class error_form : std::uint8_t { text, html, json };
inline constexpr std::size_t error_forms = 3;

/// The form for a client with this Accept field. HTML is for clients that name it, as browsers do when they load a
/// page; scripts, crawlers and browsers that load an image would not show it.
[[nodiscard]] error_form preferred_form(std::string_view accept) noexcept;

/// Records that a path has no page, with the error response for it.
struct absence {
    http::error why;
    std::array<ready_error, error_forms> in;  // by form

    /// The form that a client with this Accept field prefers.
    [[nodiscard]] const ready_error& form_for(std::string_view accept) const
    {
        return in[static_cast<std::size_t>(preferred_form(accept))];
    }
    [[nodiscard]] ready_error& form_for(std::string_view accept)
    {
        return in[static_cast<std::size_t>(preferred_form(accept))];
    }
};

struct representation {
    description about;
    ready_response whole;
};

/// The Last-Modified dates, by coding.
using page_dates = std::array<std::optional<std::chrono::sys_seconds>, http::codings>;

/// What the server has for a path, in a form that can be cached: a resource in its existing codings, in memory or, if
/// it is too large for that, as an open file; or the fact that there is none.
struct page {
    std::vector<file_identity> made_from;  // the file, then its precompressed files by coding; default if absent
    std::array<std::optional<representation>, http::codings> in;  // by coding; either identity is set, or `nothing`
    csp::frozen<io::file> file{};                                 // the content, if it is not in memory
    std::optional<absence> nothing{};
    bool compressible = false;  // other codings may be added later
    bool settled = true;        // the same `made_from` implies the same content

    /// The complete response for a client with these Accept-Encoding and Accept fields. REQUIRES: the content is not in
    /// `file`.
    [[nodiscard]] const ready_response& ready_for(const http::accepted_codings& accepted,
                                                  std::string_view accept) const;
    /// Sets the Date of that response.
    void set_date(const http::accepted_codings& accepted, std::string_view accept, std::chrono::sys_seconds now);

    [[nodiscard]] const representation& as(http::coding c) const { return *in[static_cast<std::size_t>(c)]; }
    [[nodiscard]] representation& as(http::coding c) { return *in[static_cast<std::size_t>(c)]; }
    /// The best available representation for a client that accepts these codings.
    [[nodiscard]] const representation& best(const http::accepted_codings& accepted) const;
    /// The coding to produce for a client that refuses all available ones; nullopt if there is none. A media type that
    /// is not worth compressing is sent uncompressed even to a client that refuses identity: programs that send "gzip,
    /// *;q=0" want images all the same, and RFC 9110 section 12.5.3 allows it.
    [[nodiscard]] std::optional<http::coding> missing_for(const http::accepted_codings& accepted) const;
    /// Adds the text in another coding. Does nothing if the text is empty or the coding is already available.
    void add(http::coding c, std::string_view text);
    /// The dates of its representations; for a missing coding, that of identity.
    [[nodiscard]] page_dates dates() const;
    /// The dates that they would have if the files had been read at that time.
    [[nodiscard]] page_dates dates_at(std::chrono::system_clock::time_point looked_at) const;
    /// REQUIRES: `dates` are of a page made from the same files.
    void set_dates(const page_dates& dates);
    [[nodiscard]] std::string_view etag() const { return as(http::coding::identity).about.etag; }
    /// Whether the open file still has the same identity. REQUIRES: `file` is set.
    [[nodiscard]] bool is_unchanged() const;
    /// Approximate memory use, bytes.
    [[nodiscard]] std::size_t bytes() const;
};

using frozen_page = csp::frozen<page>;
static_assert(csp::mobile<frozen_page>);

}  // namespace server
