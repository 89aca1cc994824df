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

/// A large file as a page, if it has one representation only: the file stays open as long as the page exists. Otherwise
/// none, and `f` is unchanged.
[[nodiscard]] frozen_page page_of(large_file& f);

/// That there is nothing under the path of `asked`, as a page; none if the text for it is too large to be kept.
csp::step<frozen_page> absence_of(const io::directory& root, const page_rules& rules, const request& asked,
                                  http::error why);

}  // namespace server
