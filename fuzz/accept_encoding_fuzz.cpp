// SPDX-License-Identifier: MIT
// Checks that the chosen coding is available and permitted, that no better one is, and that a parsed field written out
// again parses to the same. The same bytes are also parsed as an Accept field.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/accept.hpp"
#include "http/content_coding.hpp"

namespace {

using http::coding;

constexpr coding every_coding[] = {coding::identity, coding::gzip, coding::brotli, coding::zstd};

void check(bool condition)
{
    if (!condition) std::abort();
}

void check_choice(const http::accepted_codings& accepted, http::coding_set available)
{
    const coding chosen = accepted.choose(available);
    bool any = false;
    for (coding c : every_coding) any |= available.contains(c) && accepted.permits(c);
    if (!any) return check(chosen == coding::identity);
    check(available.contains(chosen) && accepted.permits(chosen));
    for (coding c : every_coding) check(!available.contains(c) || accepted.weight_of(c) <= accepted.weight_of(chosen));
    for (coding c : every_coding)
        if (chosen == coding::identity && c != chosen && available.contains(c))
            check(accepted.weight_of(c) < accepted.weight_of(chosen));
}

std::string qvalue(http::weight q)
{
    const std::string digits = std::to_string(http::full_weight + q);
    return digits[0] == '2' ? "1" : "0." + digits.substr(1);
}

void check_round_trip(const http::accepted_codings& accepted)
{
    std::string field;
    for (coding c : every_coding) {
        field.append(c == coding::identity ? "identity" : http::token(c));
        field.append(";q=").append(qvalue(accepted.weight_of(c))).append(", ");
    }
    check(http::parse_accept_encoding(field) == accepted);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto accepted = http::parse_accept_encoding(text);
    for (coding c : every_coding) check(accepted.weight_of(c) <= http::full_weight);
    for (unsigned members = 0; members < 16; ++members) {
        http::coding_set available;
        for (coding c : every_coding)
            if ((members >> static_cast<unsigned>(c) & 1U) != 0) available.add(c);
        check_choice(accepted, available);
    }
    check_round_trip(accepted);

    const auto json = http::acceptance_of(text, "application/json");
    check(json.quality <= http::full_weight && (json.range != http::acceptance::by::none || json.quality == 0));
    if (http::prefers_json(text)) check(json.quality > 0);
    return 0;
}
