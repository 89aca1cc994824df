// SPDX-License-Identifier: MIT
#include "http/accept.hpp"

#include <cstddef>
#include <optional>

#include "http/list.hpp"

namespace http {
namespace {

/// Splits a text at a separator, but not within quoted strings (RFC 9110 section 5.6.4), which parameters may contain.
class quoted_cursor {
  public:
    quoted_cursor(std::string_view text, char separator) noexcept : rest_(text), separator_(separator) {}

    std::optional<std::string_view> next() noexcept
    {
        if (ended_) return std::nullopt;
        const std::size_t end = find_end();
        const std::string_view element = trim(rest_.substr(0, end));
        ended_ = end == rest_.size();
        if (!ended_) rest_.remove_prefix(end + 1);
        return element;
    }

  private:
    [[nodiscard]] std::size_t find_end() const noexcept
    {
        bool quoted = false;
        for (std::size_t i = 0; i < rest_.size(); ++i) {
            if (rest_[i] == '"') quoted = !quoted;
            if (quoted && rest_[i] == '\\')
                ++i;
            else if (!quoted && rest_[i] == separator_)
                return i;
        }
        return rest_.size();
    }

    std::string_view rest_;
    char separator_;
    bool ended_ = false;
};

/// How specific the match is between a media range and a type; `none` if they do not match.
acceptance::by fit(std::string_view range, std::string_view type) noexcept
{
    if (range == "*/*") return acceptance::by::any;
    if (equal_ignoring_case(range, type)) return acceptance::by::name;
    const std::size_t subtype = type.find('/') + 1;
    if (range.ends_with("/*") && equal_ignoring_case(range.substr(0, range.size() - 1), type.substr(0, subtype)))
        return acceptance::by::any_of_type;
    return acceptance::by::none;
}

/// The weight among the parameters: full if there is none, nullopt if it is malformed.
std::optional<weight> weight_in(quoted_cursor parameters) noexcept
{
    while (const auto parameter = parameters.next())
        if (parameter->starts_with("q=") || parameter->starts_with("Q=")) return parse_weight(*parameter);
    return full_weight;
}

}  // namespace

acceptance acceptance_of(std::string_view accept, std::string_view type) noexcept
{
    acceptance best;
    quoted_cursor list(accept, ',');
    while (const auto element = list.next()) {
        quoted_cursor parts(*element, ';');
        const auto range = fit(*parts.next(), type);
        const auto quality = weight_in(parts);
        if (range == acceptance::by::none || range < best.range || !quality) continue;
        if (range == best.range && *quality < best.quality) continue;
        best = {*quality, range};
    }
    return best;
}

bool prefers_json(std::string_view accept) noexcept
{
    const acceptance json = acceptance_of(accept, "application/json");
    const acceptance html = acceptance_of(accept, "text/html");
    if (json.quality != html.quality) return json.quality > html.quality;
    return json.quality > 0 && json.range > html.range;
}

}  // namespace http
