// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "io/engine.hpp"

namespace io::detail {

using made_engine = std::expected<std::unique_ptr<engine>, std::string>;

/// What wakes an engine: an eventfd that nobody reads. An error, as a sentence.
[[nodiscard]] std::expected<descriptor, std::string> make_bell();

/// A sentence, or empty when io_uring can be had.
[[nodiscard]] std::string why_no_uring();
[[nodiscard]] made_engine make_uring_engine(csp::core& home);
[[nodiscard]] made_engine make_epoll_engine(csp::core& home);

}  // namespace io::detail
