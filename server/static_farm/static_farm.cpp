// SPDX-License-Identifier: MIT
#include "server/static_farm/static_farm.hpp"

#include <chrono>
#include <exception>
#include <expected>
#include <optional>
#include <stdexcept>
#include <utility>

#include "csp/bridge.hpp"
#include "server/static_farm/compressor.hpp"
#include "server/static_farm/select.hpp"

namespace server {
namespace {

/// That the client has the page already, in a coding in which it is not kept: it was before the server was started
/// anew, say. The tag of a coding follows from that of the text.
std::optional<response> not_modified_in_another_coding(const request& asked, const page& p,
                                                       std::chrono::sys_seconds now)
{
    if (!p.compressible || asked.conditions.if_none_match.empty()) return std::nullopt;
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

/// What `found` answers to what was asked, with what its slices are cut from.
std::expected<response, not_sent> answer_with(const request& asked, found_page found)
{
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (auto* const other = std::get_if<response>(&found)) return std::move(*other);
    if (auto* const file = std::get_if<large_file>(&found)) {
        auto chosen = select(asked, file->about, now);
        if (chosen) chosen->file = std::move(file->file);
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
        chosen->page = std::move(page);
    }
    return chosen;
}

/// Whom a worker asks and tells, while it works.
struct links {
    csp::shared_out<looked_up> cache;
    csp::shared_out<etag_question> etags;
    csp::shared_out<compression_job> desk;
};

/// The page also in a coding that it lacks; as it is if that cannot be had. The compressor makes of a text what it
/// makes of it for the cache, so the coding's tag names the same bytes.
csp::step<frozen_page> compress_at_once(const request& asked, frozen_page p, http::coding wanted, links& to)
{
    csp::bridge<compressed> reply(csp::core::here());
    csp::in<compressed> answers = reply.rx();
    co_await to.desk.output({.path = asked.path.text(),
                             .of = p->made_from.front(),
                             .text = std::string(p->as(http::coding::identity).whole.content()),
                             .answer = reply.tx(),
                             .site = asked.site_key,
                             .only = wanted});
    const auto made = co_await answers.input();
    if (!made) co_return p;
    page with = *p;
    for (const std::string* text : {&made->gzip, &made->brotli, &made->zstd}) with.add(wanted, *text);
    co_return frozen_page(std::move(with));
}

/// Asks for the tag of a file that is too large to be a page.
csp::step<void> ask_for_tag(large_file& f, csp::shared_out<etag_question>& to_etags)
{
    csp::chan<etag_answer> reply;
    csp::in<etag_answer> answers = reply.rx();
    co_await to_etags.output({.of = f.identity, .file = std::move(f.file), .answer = reply.tx()});
    auto answer = co_await answers.input();
    if (!answer) throw std::runtime_error("a file was lost with the process that knows its tag");
    f.file = std::move(answer->file);
    f.about.etag = std::move(answer->tag);
}

/// Looks at the file, and tells the cache what there is to keep.
csp::step<std::expected<found_page, http::error>> look(exchange_record& x, links& to)
{
    const csp::time_point when = csp::core::here().now();
    auto found = co_await get_page(x.root(), x.of_site().pages, x.asked, x.kept);
    const auto* const page = found ? std::get_if<frozen_page>(&*found) : nullptr;
    if (page != nullptr || x.kept) {
        co_await to.cache.output({.path = x.asked.path.text(),
                                  .path_hash = x.asked.path_hash,
                                  .found = page != nullptr ? *page : frozen_page(),
                                  .when = when,
                                  .site = x.asked.site_key});
    }
    if (auto* const file = found ? std::get_if<large_file>(&*found) : nullptr) co_await ask_for_tag(*file, to.etags);
    co_return found;
}

csp::step<void> answer(const page_rules& rules, exchange_record& x, links& to, http1_pen& pen)
{
    if (x.ready_sent > 0) {
        co_await send_rest(x, rules.limits);
        co_return;
    }
    if (x.moved) {
        co_await respond(x, redirection(rules, x.asked, *x.moved), rules.limits, pen);
        co_return;
    }
    if (!x.refused && x.asked.method == http::method::options) {
        co_await respond(x, options(rules, x.asked), rules.limits, pen);
        co_return;
    }
    if (!x.kept_is_fresh) push_last_answer(x);
    if (!x.refused) {
        auto found = x.kept_is_fresh ? found_page(x.kept) : co_await look(x, to);
        if (found) {
            if (auto* const page = std::get_if<frozen_page>(&*found)) {
                const auto missing = (*page)->missing_for(x.asked.accepted);
                if (missing) *page = co_await compress_at_once(x.asked, std::move(*page), *missing, to);
            }
            auto chosen = answer_with(x.asked, std::move(*found));
            if (chosen) {
                co_await respond(x, std::move(*chosen), rules.limits, pen);
                co_return;
            }
            x.refused = chosen.error().why;
            x.refused_with = std::move(chosen.error().with);
        } else {
            x.refused = found.error();
        }
    }
    co_await respond(x, co_await error_page(x.root(), rules, x.asked, *x.refused, x.refused_with), rules.limits, pen);
}

}  // namespace

csp::process page_worker(seat farm, csp::shared_in<exchange> requests, csp::shared_out<looked_up> to_cache,
                         csp::shared_out<etag_question> to_etags, csp::shared_out<compression_job> to_desk,
                         csp::shared_out<exchange> to_back_end)
{
    links to{std::move(to_cache), std::move(to_etags), std::move(to_desk)};
    http1_pen pen;
    while (auto request = co_await requests.input()) {
        co_await farm.reports.output(idle::less);

        exchange x = std::move(*request);
        try {
            co_await answer(x->of_site().pages, *x, to, pen);
        } catch (const std::exception& fault) {
            // Costs this exchange, whose connection closes, and nothing else; so it must go on to the back end.
            x->sent.complete = false;
            csp::core& here = csp::core::here();
            here.report_fault(*here.running(), fault.what());
        }
        co_await to_back_end.output(std::move(x));

        co_await farm.reports.output(idle::more);
        if (co_await farm.orders.input() == order::leave) co_return;
    }
    co_await farm.reports.output(idle::over);
}

csp::process static_farm(std::size_t spare, csp::shared_in<exchange> requests, csp::shared_out<looked_up> to_cache,
                         csp::shared_out<etag_question> to_etags, csp::shared_out<compression_job> to_desk,
                         csp::shared_out<exchange> to_back_end)
{
    csp::forking workers;
    co_await keep_idle(spare, [&](const seat& s) {
        workers.start(page_worker(s, requests, to_cache, to_etags, to_desk, to_back_end));
    });
}

}  // namespace server
