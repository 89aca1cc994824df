// SPDX-License-Identifier: MIT
#include "server/static_farm/answer.hpp"

#include <chrono>
#include <optional>
#include <utility>
#include <variant>

#include "http/entity_tag.hpp"
#include "server/messages/entity_tag.hpp"
#include "server/respond/respond.hpp"
#include "server/static_farm/select.hpp"

namespace server {
namespace {

/// A 304, if the client has the page in a coding that the server does not have at the moment, for example from before a
/// restart. The tag of a coding can be derived from that of the uncompressed text.
std::optional<response> not_modified_in_another_coding(const request& asked, const page& p,
                                                       std::chrono::sys_seconds now)
{
    if (!p.compressible || !asked.conditions.if_none_match) return std::nullopt;
    for (const auto c : {http::coding::brotli, http::coding::zstd, http::coding::gzip}) {
        if (p.in[static_cast<std::size_t>(c)] || !asked.accepted.permits(c)) continue;
        description as_coded = p.as(http::coding::identity).about;
        as_coded.coding = c;
        as_coded.etag = coded_etag(as_coded.etag, c);
        auto answer = select(asked, as_coded, now);
        if (answer && answer->code == http::status::not_modified) return std::move(*answer);
    }
    return std::nullopt;
}

bool names_tag(const http::preconditions& given, std::string_view etag)
{
    using http::comparison::strong;
    const auto tag = http::parse_entity_tag(etag);
    if (given.if_match && http::names(*given.if_match, tag, strong)) return true;
    const auto part_of =
        given.if_range && !given.range.empty() ? http::parse_entity_tag(*given.if_range) : std::nullopt;
    return part_of && tag && http::matches(*part_of, *tag, strong);
}

/// The response to `asked` with `found`, including the file or page that its slices refer to.
std::expected<response, error_response> answer_with(const request& asked, found_page found)
{
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (auto* const other = std::get_if<response>(&found)) return std::move(*other);
    if (auto* const file = std::get_if<large_file>(&found)) {
        auto chosen = select(asked, file->about, now);
        if (chosen) chosen->file = csp::frozen<io::file>(std::move(file->file));
        return chosen;
    }
    auto& page = std::get<frozen_page>(found);
    const representation& best = page->best(asked.accepted);
    auto chosen = select(asked, best.about, now);
    if (chosen && chosen->code != http::status::not_modified) {
        if (auto known = not_modified_in_another_coding(asked, *page, now)) return std::move(*known);
    }
    if (chosen) {
        chosen->coding = best.about.coding;
        chosen->file = page->file;
        chosen->page = std::move(page);
    }
    return chosen;
}

}  // namespace

std::optional<http::coding> missing_coding(const request& asked, const page& p)
{
    if (const auto wanted = p.missing_for(asked.accepted)) return wanted;
    if (!p.compressible || p.nothing || !(asked.conditions.if_match || asked.conditions.if_range)) return std::nullopt;
    const http::coding at_hand = p.best(asked.accepted).about.coding;
    if (names_tag(asked.conditions, p.as(at_hand).about.etag)) return std::nullopt;
    for (const auto c : {http::coding::brotli, http::coding::zstd, http::coding::gzip}) {
        if (p.in[static_cast<std::size_t>(c)]) continue;
        const bool would_be_sent = asked.accepted.choose({at_hand, c}) == c;
        if (would_be_sent && names_tag(asked.conditions, coded_etag(p.etag(), c))) return c;
    }
    return std::nullopt;
}

bool wants_page(const exchange_record& x) { return x.is<page_lookup>() || x.is<cached_page>(); }

std::expected<response, error_response> answer_to(const exchange_record& x, std::optional<page_or_error> found)
{
    const page_rules& rules = x.of_site().pages;
    if (const auto* const to = std::get_if<redirect_to>(&x.decided)) return redirection(rules, x.asked, *to);
    if (x.is<allowed_methods>()) return options(rules, x.asked);
    if (const auto* const error = std::get_if<error_response>(&x.decided)) return std::unexpected(*error);
    if (!*found) return std::unexpected(error_response{found->error()});
    return answer_with(x.asked, std::move(**found));
}

csp::step<response> answer_with_error(exchange_record& x, const error_response& error)
{
    x.sent.why = error.why;
    push_last_answer(x);  // an error page may have to be read
    return error_page(x.root(), x.of_site().pages, x.asked, error.why, error.with, to_string(x.carrier.id()));
}

}  // namespace server
