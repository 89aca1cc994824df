// SPDX-License-Identifier: MIT
#include "server/configuration/fingerprint.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/core.h>

namespace server {

fingerprint& fingerprint::add(std::string_view text)
{
    text_ += fmt::format("{}:{};", text.size(), text);
    return *this;
}

fingerprint& fingerprint::add(std::uint64_t number)
{
    text_ += fmt::format("{};", number);
    return *this;
}

fingerprint& fingerprint::add(const std::vector<std::string>& texts)
{
    add(texts.size());
    for (const std::string& t : texts) add(t);
    return *this;
}

fingerprint& fingerprint::add(const std::vector<header>& headers)
{
    add(headers.size());
    for (const header& h : headers) add(h.name).add(h.value).add(static_cast<std::uint64_t>(h.with));
    return *this;
}

std::uint64_t fingerprint::sum() const { return XXH3_64bits(text_.data(), text_.size()); }

}  // namespace server
