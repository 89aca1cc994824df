// SPDX-License-Identifier: MIT
//
// What the cache may keep in addition to pages in memory.
#pragma once

#include "csp/process.hpp"
#include "http/error.hpp"
#include "io/file.hpp"
#include "server/configuration/policy.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/page.hpp"
#include "server/static_farm/get_page.hpp"

namespace server {

/// A page for a large file that has only one representation: it keeps the file open. Otherwise an empty pointer, and
/// `f` is unchanged.
[[nodiscard]] frozen_page page_of(large_file& f);

/// A page that records that the path of `asked` has none. An empty pointer if the text for it is too large to cache.
csp::step<frozen_page> absence_of(const io::directory& root, const page_rules& rules, const request& asked,
                                  http::error why);

}  // namespace server
