// SPDX-License-Identifier: MIT
//
// A seccomp filter for all threads of this process: the system calls that the running server makes, and no others. A
// refused call fails with EPERM.
#pragma once

#include <expected>
#include <string>

#include "io/engine.hpp"

namespace server {

/// Whether this build has a sanitizer. Its report and its leak checker need calls that the server never makes.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OCCWSERV_SANITIZED
#endif
#endif
#ifdef OCCWSERV_SANITIZED
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

/// REQUIRES: the engines of all cores are made, since from here on no ring can be made or configured.
///
/// Returns a few words for the line about the sandbox, also if the kernel or the container does not permit seccomp. An
/// error is a sentence: seccomp is there, but fails.
[[nodiscard]] std::expected<std::string, std::string> restrict_system_calls(io::engine_choice engine);

}  // namespace server
