// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <string>
#include <variant>

#include "csp/process.hpp"
#include "http/error.hpp"
#include "io/file.hpp"
#include "server/exchange.hpp"
#include "server/page.hpp"
#include "server/settings.hpp"

namespace server {

/// By what an open file's content is known again.
[[nodiscard]] file_identity identity_of(const io::file_status& what);

struct open_file {
    io::file file;
    io::file_status what;
    std::string name;  // beneath the root, from which the media type follows
    [[nodiscard]] file_identity identity() const { return identity_of(what); }
};

/// A directory that was asked for without its slash. Its address ends with one, or the links in its pages would lead
/// elsewhere.
struct needs_slash {};
/// A directory without an index page that may be listed.
struct may_be_listed {
    std::string name;  // beneath the root
};

using found_file = std::variant<open_file, needs_slash, may_be_listed>;

/// What the client is told when a file or a directory could not be opened or read.
[[nodiscard]] http::error refusal(const io::error& e);

/// Finds what answers `asked`: the first of static_rules::tries that is there and has a page. Errors: 403, 404, 500,
/// 503.
csp::step<std::expected<found_file, http::error>> find_file(const io::directory& root, const static_rules& rules,
                                                            const request& asked);

/// Whether what lies beside a file, under its name and the suffix of a coding, may hold the present content of that
/// file: it is a file too, no older, and not empty, which is no content in any coding.
[[nodiscard]] bool has_content_of(const open_file& sidecar, const open_file& plain);

/// Opens one file beneath the root, or says why not; a directory is opened too.
csp::step<io::result<open_file>> open_by_name(const io::directory& root, std::string name);

}  // namespace server
