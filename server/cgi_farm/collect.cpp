// SPDX-License-Identifier: MIT
#include "server/cgi_farm/collect.hpp"

#include <cstddef>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "server/messages/runner_line.hpp"

namespace server {
namespace {

constexpr std::size_t most_in_memory = 64 * 1024;  // bytes
constexpr std::size_t at_once = 32 * 1024;

std::unexpected<collect_failure> cannot_store(std::string_view why)
{
    return std::unexpected<collect_failure>(fmt::format("the body of the request cannot be stored: {}", why));
}

}  // namespace

csp::step<std::expected<collected_body, collect_failure>> collect(request_body& body, const io::descriptor& runner)
{
    collected_body all;
    for (;;) {
        const std::size_t before = all.text.size();
        all.text.resize(before + at_once);
        const auto got = co_await body.read(std::span(all.text).subspan(before));
        all.text.resize(before + got.value_or(0));
        if (!got) co_return std::unexpected<collect_failure>(got.error());
        const bool is_over = *got == 0;
        if (all.text.size() > most_in_memory && !all.file) {
            auto file = co_await open_spool(runner);
            if (!file) co_return cannot_store(file.error());
            all.file = std::move(*file);
        }
        const bool is_due = is_over || all.text.size() > most_in_memory;
        if (all.file && is_due) {
            const auto written = co_await io::write_all(all.file, all.text, all.bytes);
            if (!written) co_return cannot_store(written.error().text);
            all.bytes += all.text.size();
            all.text.clear();
        }
        if (is_over) break;
    }
    all.bytes += all.text.size();
    co_return all;
}

}  // namespace server
