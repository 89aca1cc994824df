// SPDX-License-Identifier: MIT
#pragma once

#include "http/error.hpp"
#include "io/error.hpp"

namespace server {

inline constexpr http::error not_there{http::status::not_found, "There is no such page."};
inline constexpr http::error not_a_page{http::status::forbidden, "This is not a regular file."};
inline constexpr http::error file_changing{http::status::service_unavailable,
                                           "This file is being modified. Try again."};

/// The error for the client when a file or directory cannot be opened or read.
[[nodiscard]] http::error refusal(const io::error& e);

/// Whether the error is a lack of descriptors, threads or memory. Such an error says nothing about the file.
[[nodiscard]] bool is_resource_shortage(const http::error& e);

}  // namespace server
