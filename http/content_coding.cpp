// SPDX-License-Identifier: MIT
#include "http/content_coding.hpp"

#include <algorithm>

#include "http/list.hpp"

namespace http {
namespace {

/// In the order of the enumeration.
constexpr std::array<std::string_view, codings> tokens{"", "gzip", "br", "zstd"};
constexpr std::array<std::string_view, codings> suffixes{"", ".gz", ".br", ".zst"};

/// At the levels used for precompressed files, brotli compresses text better than zstd does, and zstd better than gzip.
constexpr std::array<coding, codings> preference{coding::brotli, coding::zstd, coding::gzip, coding::identity};

constexpr std::size_t index(coding c) noexcept { return static_cast<std::size_t>(c); }

/// A weight, or `absent`.
using optional_weight = std::int16_t;
constexpr optional_weight absent = -1;

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
    /// Reads one element: codings [ weight ]. A coding has no other parameters.
    void read(std::string_view element) noexcept
    {
        const std::size_t semicolon = element.find(';');
        auto parsed = std::optional(full_weight);
        if (semicolon != std::string_view::npos) parsed = parse_weight(trim(element.substr(semicolon + 1)));
        if (!parsed) return;

        const auto q = static_cast<optional_weight>(*parsed);
        const std::string_view name = trim(element.substr(0, semicolon));
        if (name == "*")
            any_ = std::max(any_, q);
        else if (const auto c = parse_coding(name))
            weights_[index(*c)] = std::max(weights_[index(*c)], q);
    }

    /// Resolves the codings that were not named (RFC 9110 section 12.5.3). They have the weight of `*`; without a `*`
    /// only identity is acceptable. It then gets the least weight, because a client that names codings prefers them.
    accepted_codings settle() const noexcept
    {
        std::array<weight, codings> weights{};
        for (std::size_t i = 0; i < codings; ++i) {
            const optional_weight q = weights_[i] != absent ? weights_[i] : any_;
            if (q != absent)
                weights[i] = static_cast<weight>(q);
            else
                weights[i] = i == index(coding::identity) ? 1 : 0;
        }
        return accepted_codings(weights);
    }

    std::array<optional_weight, codings> weights_{absent, absent, absent, absent};
    optional_weight any_ = absent;
};

/// The fields that browsers send, with and without TLS, and their meaning. Nearly every request has one of these, and a
/// comparison costs a tenth of parsing.
struct common_field {
    std::string_view text;
    accepted_codings meaning;
};
constexpr std::array common_fields{
    common_field{"gzip, deflate, br, zstd", accepted_codings({1, full_weight, full_weight, full_weight})},
    common_field{"gzip, deflate, br", accepted_codings({1, full_weight, full_weight, 0})},
    common_field{"gzip, deflate", accepted_codings({1, full_weight, 0, 0})},
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
    for (const common_field& known : common_fields)
        if (known.text == *field) return known.meaning;
    return accept_encoding_parser{}.parse(*field);
}

}  // namespace http
