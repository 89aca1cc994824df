// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "http/status.hpp"
#include "server/messages/page.hpp"

namespace server {

/// The head of a program's output (RFC 3875, section 6).
struct script_head {
    enum class kind : std::uint8_t {
        document,                      // section 6.2.1
        local_redirect,                // 6.2.2: the server answers with what `location`, a path and query, names
        client_redirect,               // 6.2.3: the server makes the content
        client_redirect_with_document  // 6.2.4
    };
    kind what = kind::document;
    http::status code = http::status::ok;  // of the response; 200 to 599
    /// For the response: the fields of the program, without Status and Content-Length, those that concern the
    /// connection and those that the server adds itself. It has Location, unless the redirect is local.
    response_fields fields;
    std::string location;
    std::string sendfile;  // the value of X-Sendfile: the file that is the content
    std::optional<std::uint64_t> content_length;
    bool has_content_type = false;  // without it, the output should end with the head
    std::size_t bytes = 0;          // length of the head in the output, with the empty line
};

inline constexpr std::size_t longest_script_head = 64 * 1024;  // bytes

/// Parses the head as the output arrives. It examines each line once, as soon as it is complete, so a program that
/// writes single bytes costs no more than one that writes them together.
class script_head_parser {
  public:
    explicit script_head_parser(std::size_t most_bytes = longest_script_head) : most_bytes_(most_bytes) {}

    /// `so_far` is all output of the program; it must begin with what was passed to the earlier calls, though the
    /// buffer may have moved. Returns nullopt if more output is needed. An error says in words what is wrong, and may
    /// quote the program. The result does not depend on how the output was split. After a head or an error the parser
    /// is finished.
    [[nodiscard]] std::expected<std::optional<script_head>, std::string> feed(std::string_view so_far);

    /// What is wrong if the output ends here, where feed() needs more.
    [[nodiscard]] static std::string_view why_unfinished(std::string_view output);

  private:
    using outcome = std::expected<void, std::string>;
    struct field {
        std::string_view name;
        std::string_view value;
    };

    outcome parse_line(std::string_view line);
    outcome parse_field(const field& f);
    static outcome set_once(std::optional<std::string>& place, const field& f);
    outcome settle_status();
    outcome settle_length();
    [[nodiscard]] bool is_local_redirect() const;
    void settle_location();
    std::expected<script_head, std::string> finish();

    std::size_t most_bytes_;
    std::size_t line_begin_ = 0;
    script_head head_;
    std::optional<std::string> status_;
    std::optional<std::string> location_;
    std::optional<std::string> content_type_;
    std::optional<std::string> content_length_;
    std::optional<std::string> sendfile_;
};

/// All at once.
[[nodiscard]] inline std::expected<std::optional<script_head>, std::string> parse_script_head(
    std::string_view output, std::size_t most_bytes = longest_script_head)
{
    return script_head_parser(most_bytes).feed(output);
}

/// The status code in the first line of a program that sends the whole response itself (NPH, RFC 3875 section 5), for
/// the log. Nullopt if the line is not complete, or is no status line.
[[nodiscard]] std::optional<http::status> status_of_nph(std::string_view output);

}  // namespace server
