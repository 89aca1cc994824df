// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "io/engine.hpp"

namespace io::detail {

using made_engine = std::expected<std::unique_ptr<engine>, std::string>;

/// Makes the eventfd that wakes an engine. It is never read. An error is a sentence.
[[nodiscard]] std::expected<descriptor, std::string> make_bell();

/// Why io_uring cannot be used, as a sentence; empty if it can.
[[nodiscard]] std::string why_no_uring();
[[nodiscard]] made_engine make_uring_engine(csp::core& home);
[[nodiscard]] made_engine make_epoll_engine(csp::core& home);

}  // namespace io::detail
