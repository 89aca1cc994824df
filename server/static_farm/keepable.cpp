// SPDX-License-Identifier: MIT
#include "server/static_farm/keepable.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace server {
namespace {

/// A placeholder for the request id, to find its place in the text.
constexpr std::string_view mark = "here-is-the-id-of-the-request";

/// The error response for this Accept field. Nullopt if its content is not a single text, or is too large.
csp::step<std::optional<ready_error>> form_of(const io::directory& root, const page_rules& rules, const request& asked,
                                              http::error why, std::string_view accept)
{
    request in_form;
    in_form.routes = asked.routes;
    in_form.accept = accept;
    const response r = co_await error_page(root, rules, in_form, why, {}, std::string(mark));
    const auto* const text = r.content.size() == 1 ? std::get_if<std::string>(&r.content.front()) : nullptr;
    if (text == nullptr || text->size() > rules.cache.largest_page) co_return std::nullopt;
    const std::size_t id_at = text->find(mark);
    const bool shows_id = id_at != std::string::npos;
    const std::string without = shows_id ? text->substr(0, id_at) + text->substr(id_at + mark.size()) : *text;
    co_return ready_error{.most = ready_response(r.code, r.fields.without("Content-Length"), without),
                          .id_at = shows_id ? id_at : ready_error::nowhere};
}

}  // namespace

frozen_page page_of(large_file& f)
{
    if (f.about.coding != http::coding::identity || f.about.varies) return {};
    page p{.made_from = {f.identity}, .in = {}};
    p.settled = is_settled(f.identity, std::chrono::system_clock::now());
    p.in.front() = representation{.about = std::move(f.about), .whole = {}};
    p.file = csp::frozen<io::file>(std::move(f.file));
    return frozen_page(std::move(p));
}

csp::step<frozen_page> absence_of(const io::directory& root, const page_rules& rules, const request& asked,
                                  http::error why)
{
    absence nothing{.why = why, .in = {}};
    for (const std::string_view accept : {"", "text/html", "application/json"}) {
        auto form = co_await form_of(root, rules, asked, why, accept);
        if (!form) co_return frozen_page();
        nothing.form_for(accept) = std::move(*form);
    }
    // No file identifies a version of this page, so a newer one always replaces it.
    page p{.made_from = {file_identity()}, .in = {}};
    p.settled = false;
    p.nothing = std::move(nothing);
    co_return frozen_page(std::move(p));
}

}  // namespace server
