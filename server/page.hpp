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

/// Fields of a response head, each a line "Name: value" with its CRLF, in the order added. What a protocol version
/// adds by itself (Date, Connection) is not among them.
class response_fields {
  public:
    /// REQUIRES: `name` a token; neither has a CR, an LF or a NUL.
    response_fields& add(std::string_view name, std::string_view value);
    response_fields& add(std::string_view name, std::uint64_t value);
    response_fields& add(const response_fields& more);
    [[nodiscard]] std::string_view lines() const { return lines_; }
    /// All but those of this name, which is written as it was when they were added.
    [[nodiscard]] response_fields without(std::string_view name) const;

  private:
    std::string lines_;
};

/// By what a file's content is told from that of another version of it, or of another file.
struct file_identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::chrono::nanoseconds modified{};
    std::chrono::nanoseconds changed{};
    friend bool operator==(const file_identity&, const file_identity&) = default;
};

/// Whether a change of the file after `now` will show in its times. The times come from a clock that stands still for
/// up to 10 ms: two versions written within that time have the same times. With a longer `quiet`: whether the file has
/// not been changed for that long.
[[nodiscard]] bool is_settled(const file_identity& i, std::chrono::system_clock::time_point now,
                              std::chrono::milliseconds quiet = std::chrono::milliseconds(20));

/// The date of a representation of the file `plain` that is sent from the file `as_sent`, which may be the same: a
/// change of either makes another version. `looked_at`: when the files were found to be these.
[[nodiscard]] std::optional<std::chrono::sys_seconds> date_of(const file_identity& plain, const file_identity& as_sent,
                                                              std::chrono::system_clock::time_point looked_at);

/// What is known of a representation but for its bytes (RFC 9110, section 3.2).
struct description {
    std::string media_type;
    std::string etag;                                  // strong, in its quotes; empty while it is not known
    std::optional<std::chrono::sys_seconds> modified;  // by date_of()
    std::uint64_t bytes = 0;
    http::coding coding = http::coding::identity;
    http::coding stored = http::coding::identity;  // that of the file itself, whoever asks for it, as with .svgz
    bool varies = false;                           // there are others, or may be, among which Accept-Encoding decides
    std::string cache_control;                     // a field value; empty: nothing is said
    response_fields more;                          // that the site adds
};

/// What every answer about a representation tells, a 304 too (RFC 9110, section 15.4.5): its validators, and for whom
/// and how long it may be kept.
[[nodiscard]] response_fields fields_of_any(const description& d);
/// What a whole one is sent with.
[[nodiscard]] response_fields fields_of_whole(const description& d);

/// A whole response of HTTP/1.1, ready to leave in one call. Only its date goes stale.
class ready_response {
  public:
    ready_response() = default;
    ready_response(http::status code, const response_fields& fields, std::string_view content);

    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    /// Status line, Server and Date; fields of a connection's own may stand between them and the others.
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

/// An error's response, ready except for what differs between requests: the id, which the text may show, and with it
/// the length.
struct ready_error {
    static constexpr std::size_t nowhere = std::string_view::npos;
    ready_response most;
    std::size_t id_at = nowhere;  // where in its content the id belongs
};

/// The fact that there is nothing under a path, and the error that a client gets.
struct absence {
    http::error why;
    ready_error html;
    ready_error json;

    /// The form that a client with this Accept prefers.
    [[nodiscard]] const ready_error& form_for(std::string_view accept) const;
};

struct representation {
    description about;
    ready_response whole;
};

/// What is sent in Last-Modified, by coding.
using page_dates = std::array<std::optional<std::chrono::sys_seconds>, http::codings>;

/// What is under a path, in a form that may be kept: a resource in its existing codings, in memory or, if it is too
/// large for that, in a file that stays open; or the fact that there is none.
struct page {
    std::vector<file_identity> made_from;  // the file, then by coding those beside it; of an absent one the empty
    std::array<std::optional<representation>, http::codings> in;  // by coding; identity is there, or `nothing`
    csp::frozen<io::file> file{};                                 // where the content is; none: it is in memory
    std::optional<absence> nothing{};
    bool compressible = false;  // others than identity may yet be made
    bool settled = true;        // the same `made_from` means the same content

    /// What a client that takes these is answered with in one call. REQUIRES: `file` is none.
    [[nodiscard]] const ready_response& ready_for(const http::accepted_codings& accepted,
                                                  std::string_view accept) const;
    /// Sets the date of that response.
    void set_date(const http::accepted_codings& accepted, std::string_view accept, std::chrono::sys_seconds now);

    [[nodiscard]] const representation& as(http::coding c) const { return *in[static_cast<std::size_t>(c)]; }
    [[nodiscard]] representation& as(http::coding c) { return *in[static_cast<std::size_t>(c)]; }
    /// The best of those that are there for a client that takes `accepted`.
    [[nodiscard]] const representation& best(const http::accepted_codings& accepted) const;
    /// The coding that it should be made in for a client that refuses all those that are there; nothing if there is no
    /// such coding. A media type that is not worth compressing is sent as it is: "gzip, *;q=0" is sent by programs that
    /// want images all the same, and RFC 9110, section 12.5.3 leaves it to us.
    [[nodiscard]] std::optional<http::coding> missing_for(const http::accepted_codings& accepted) const;
    /// Adds what the text is in another coding; if it is empty, or there is one already, does nothing.
    void add(http::coding c, std::string_view text);
    /// The dates of its representations; of a coding that is not there, that of the text as it is.
    [[nodiscard]] page_dates dates() const;
    /// Those that they have if the files were looked at at that time.
    [[nodiscard]] page_dates dates_at(std::chrono::system_clock::time_point looked_at) const;
    /// REQUIRES: `dates` are of a page made from the same files.
    void set_dates(const page_dates& dates);
    [[nodiscard]] std::string_view etag() const { return as(http::coding::identity).about.etag; }
    /// Of a file that is kept open: whether the file is still what it was.
    [[nodiscard]] bool is_unchanged() const;
    /// In memory, roughly.
    [[nodiscard]] std::size_t bytes() const;
};

using frozen_page = csp::frozen<page>;
static_assert(csp::mobile<frozen_page>);

}  // namespace server
