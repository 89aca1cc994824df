// SPDX-License-Identifier: MIT
// Checks that a canonical path has the documented form, and that its encoding canonicalizes to the same path.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/characters.hpp"
#include "http/target.hpp"
#include "http/utf8.hpp"

namespace {

void check(bool condition)
{
    if (!condition) std::abort();
}

void check_form(std::string_view path)
{
    check(path.starts_with('/'));
    check(!path.contains("//") && !path.contains("/./") && !path.contains("/../"));
    check(!path.ends_with("/.") && !path.ends_with("/.."));
}

void check_file_name(std::string_view path)
{
    check(!path.contains('\\'));
    for (char c : path) check(!http::is_control(c));
    while (!path.empty()) {
        const std::size_t length = http::utf8_character_bytes(path);
        check(length > 0);
        path.remove_prefix(length);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string raw = "/" + std::string(reinterpret_cast<const char*>(data), size);
    const auto path = http::canonicalize(raw);
    if (!path) return 0;
    check(path->text().size() <= raw.size());
    check_form(path->view());
    if (path->names_file()) check_file_name(path->view());

    const std::string encoded = http::encode_path(path->view());
    check(http::find_not_target_char(encoded, 0) == encoded.size());
    const auto again = http::canonicalize(encoded);
    check(again && *again == *path);
    check(http::is_hidden(*again) == http::is_hidden(*path));
    check(path->relative().size() + 1 + (path->ends_with_slash() && path->view() != "/" ? 1 : 0) ==
          path->view().size());
    return 0;
}
