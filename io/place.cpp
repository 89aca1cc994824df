// SPDX-License-Identifier: MIT
#include "io/place.hpp"

namespace io {

std::optional<std::string_view> names_beneath(std::string_view base, std::string_view path) noexcept
{
    if (base.ends_with('/')) base.remove_suffix(1);
    if (!path.starts_with(base)) return std::nullopt;
    path.remove_prefix(base.size());
    if (!path.empty() && !path.starts_with('/')) return std::nullopt;
    return path;
}

bool has_hidden_name(std::string_view names) noexcept
{
    for (auto dot = names.find("/."); dot != std::string_view::npos; dot = names.find("/.", dot + 1)) {
        if (!names.substr(dot).starts_with("/..")) return true;
    }
    return false;
}

}  // namespace io
