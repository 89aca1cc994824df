// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <variant>

#include "csp/process.hpp"
#include "io/descriptor.hpp"
#include "io/file.hpp"
#include "server/respond/request_body.hpp"

namespace server {

/// A body that was collected: in memory if it is short, otherwise in an unnamed file.
struct collected_body {
    std::uint64_t bytes = 0;
    std::string text;
    io::file file = {};
};
/// What is wrong with the body, or why it could not be stored, as a sentence for the log.
using collect_failure = std::variant<body_failure, std::string>;

/// Reads the whole body, whose length is unknown: a program expects CONTENT_LENGTH. The runner opens the file.
csp::step<std::expected<collected_body, collect_failure>> collect(request_body& body, const io::descriptor& runner);

}  // namespace server
