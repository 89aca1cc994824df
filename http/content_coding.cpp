// SPDX-License-Identifier: MIT
#include "http/content_coding.hpp"

#include <algorithm>

#include "http/list.hpp"

namespace http {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, codings> tokens{"", "gzip", "br", "zstd"};
constexpr std::array<std::string_view, codings> suffixes{"", ".gz", ".br", ".zst"};

// Brotli packs text tighter than zstd at the levels of precompressed files, and both than gzip.
constexpr std::array<coding, codings> preference{coding::brotli, coding::zstd, coding::gzip, coding::identity};

constexpr std::size_t index(coding c) noexcept { return static_cast<std::size_t>(c); }

// A weight or that there is none.
using heard = std::int16_t;
constexpr heard unheard = -1;

std::optional<coding> parse_coding(std::string_view name) noexcept
{
    switch (name.size()) {
        case 2:
            return equal_ignoring_case(name, "br") ? std::optional(coding::brotli) : std::nullopt;
        case 4:
            if (equal_ignoring_case(name, "gzip")) return coding::gzip;
            return equal_ignoring_case(name, "zstd") ? std::optional(coding::zstd) : std::nullopt;
        case 6:
            return equal_ignoring_case(name, "x-gzip") ? std::optional(coding::gzip) : std::nullopt;
        case 8:
            return equal_ignoring_case(name, "identity") ? std::optional(coding::identity) : std::nullopt;
        default:
            return std::nullopt;
    }
}

class accept_encoding_parser {
  public:
    accepted_codings parse(std::string_view field) noexcept
    {
        list_cursor list(field);
        while (const auto element = list.next()) read(*element);
        return settle();
    }

  private:
    // codings [ weight ]; a coding has no other parameters.
    void read(std::string_view element) noexcept
    {
        const std::size_t semicolon = element.find(';');
        auto parsed = std::optional(full_weight);
        if (semicolon != std::string_view::npos) parsed = parse_weight(trim(element.substr(semicolon + 1)));
        if (!parsed) return;

        const auto q = static_cast<heard>(*parsed);
        const std::string_view name = trim(element.substr(0, semicolon));
        if (name == "*")
            any_ = std::max(any_, q);
        else if (const auto c = parse_coding(name))
            weights_[index(*c)] = std::max(weights_[index(*c)], q);
    }

    // RFC 9110 section 12.5.3: * speaks of what was not named. Without it identity alone is acceptable unnamed; less
    // than anything that was named, since whoever names codings wants them.
    accepted_codings settle() const noexcept
    {
        std::array<weight, codings> weights{};
        for (std::size_t i = 0; i < codings; ++i) {
            const heard q = weights_[i] != unheard ? weights_[i] : any_;
            if (q != unheard)
                weights[i] = static_cast<weight>(q);
            else
                weights[i] = i == index(coding::identity) ? 1 : 0;
        }
        return accepted_codings(weights);
    }

    std::array<heard, codings> weights_{unheard, unheard, unheard, unheard};
    heard any_ = unheard;
};

// What browsers send, over TLS and without it, and what comes of it: nearly each request is one of these, and comparing
// costs a tenth of parsing.
struct usual_field {
    std::string_view text;
    accepted_codings meaning;
};
constexpr std::array usual{
    usual_field{"gzip, deflate, br, zstd", accepted_codings({1, full_weight, full_weight, full_weight})},
    usual_field{"gzip, deflate, br", accepted_codings({1, full_weight, full_weight, 0})},
    usual_field{"gzip, deflate", accepted_codings({1, full_weight, 0, 0})},
};

}  // namespace

std::string_view token(coding c) noexcept { return tokens[index(c)]; }
std::string_view suffix(coding c) noexcept { return suffixes[index(c)]; }

coding accepted_codings::choose(coding_set available) const noexcept
{
    coding best = coding::identity;
    weight best_weight = 0;
    for (coding c : preference) {
        if (!available.contains(c) || weight_of(c) <= best_weight) continue;
        best = c;
        best_weight = weight_of(c);
    }
    return best;
}

accepted_codings parse_accept_encoding(std::optional<std::string_view> field) noexcept
{
    if (!field) return {};
    for (const usual_field& known : usual)
        if (known.text == *field) return known.meaning;
    return accept_encoding_parser{}.parse(*field);
}

}  // namespace http
