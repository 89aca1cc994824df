// SPDX-License-Identifier: MIT
//
// Where a path lies. Pure functions that need no memory.
#pragma once

#include <optional>
#include <string_view>

namespace io {

/// The part of `path` inside the directory `base`; nullopt if it is outside.
[[nodiscard]] std::optional<std::string_view> names_beneath(std::string_view base, std::string_view path) noexcept;

/// Whether one of the names begins with a dot; but names that begin with two dots are not hidden, such as ..data in a
/// Kubernetes volume. REQUIRES: it is empty or begins with a slash.
[[nodiscard]] bool has_hidden_name(std::string_view names) noexcept;

}  // namespace io
