// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/configuration/sites.hpp"

namespace server {

/// Hashes settings. Each text is preceded by its length, so that two lists of texts never give the same input.
class fingerprint {
  public:
    fingerprint& add(std::string_view text);
    fingerprint& add(std::uint64_t number);
    fingerprint& add(const std::vector<std::string>& texts);
    fingerprint& add(const std::vector<header>& headers);
    [[nodiscard]] std::uint64_t sum() const;

  private:
    std::string text_;
};

}  // namespace server
