// SPDX-License-Identifier: MIT
#include "server/static_farm/static_farm.hpp"

#include <chrono>
#include <expected>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

#include "csp/ask.hpp"
#include "server/respond/answering_craft.hpp"
#include "server/respond/respond.hpp"
#include "server/static_farm/answer.hpp"
#include "server/static_farm/compressor.hpp"
#include "server/static_farm/keepable.hpp"

namespace server {
namespace {

/// The channels of a worker to the processes that it asks or reports to.
struct links {
    csp::shared_out<looked_up> cache;
    csp::shared_out<etag_question> etags;
    csp::shared_out<compression_job> desk;
};

/// Adds a coding to the page; returns it unchanged if the text cannot be compressed. The compressor produces the same
/// bytes for this as for the cache, so they have the same tag.
csp::step<frozen_page> compress_at_once(const request& asked, frozen_page p, http::coding wanted, links& to)
{
    const auto made =
        co_await csp::ask(to.desk, compression_job{.path = asked.path.text(),
                                                   .of = p->made_from.front(),
                                                   .text = std::string(p->as(http::coding::identity).whole.content()),
                                                   .site = asked.site_key,
                                                   .only = wanted});
    if (!made) co_return p;
    page with = *p;
    for (const std::string* text : {&made->gzip, &made->brotli, &made->zstd}) with.add(wanted, *text);
    co_return frozen_page(std::move(with));
}

/// Sets the tag of a large file.
csp::step<void> ask_for_tag(large_file& f, csp::shared_out<etag_question>& to_etags)
{
    auto answer = co_await csp::ask(to_etags, etag_question{.of = f.identity, .file = std::move(f.file)});
    if (!answer) throw std::runtime_error("the process that hashes files has ended, and with it the file");
    f.file = std::move(answer->file);
    f.about.etag = std::move(answer->tag);
}

/// An empty pointer if there is no memory for it; the error is then answered without being cached.
csp::step<frozen_page> try_to_keep_absence(exchange_record& x, const http::error& why)
{
    try {
        co_return co_await absence_of(x.root(), x.of_site().pages, x.asked, why);
    } catch (const std::bad_alloc&) {
        co_return frozen_page();
    }
}

/// Whether a 404 for this path is worth caching: the path was requested before. A scan requests each name only once.
bool may_be_missed_again(const exchange_record& x)
{
    const auto* const lookup = std::get_if<page_lookup>(&x.decided);
    return lookup == nullptr || lookup->was_asked_for;
}

/// The result as a page that can be cached, if possible.
csp::step<page_or_error> as_page(exchange_record& x, page_or_error found, links& to)
{
    if (auto* const file = found ? std::get_if<large_file>(&*found) : nullptr) {
        co_await ask_for_tag(*file, to.etags);
        if (auto open = page_of(*file)) co_return open;
    }
    if (!found && found.error().code == http::status::not_found && x.carrier.takes_ready_bytes() &&
        may_be_missed_again(x)) {
        if (auto nothing = co_await try_to_keep_absence(x, found.error())) co_return nothing;
    }
    co_return found;
}

/// Looks at the file, and reports to the cache what to keep.
csp::step<page_or_error> look(exchange_record& x, links& to)
{
    const csp::time_point when = csp::core::here().now();
    const frozen_page known = x.cached() != nullptr ? x.cached()->page : frozen_page();
    auto looked = co_await get_page(x.root(), x.of_site().pages, x.asked, known);
    auto found = co_await as_page(x, std::move(looked), to);
    const auto* const page = found ? std::get_if<frozen_page>(&*found) : nullptr;
    if (page == nullptr && !known) co_return found;
    // Without memory for the report, the next look at the file reports to the cache.
    std::optional<looked_up> report;
    csp::attempt([&] {
        report = looked_up{.path = x.asked.path.text(),
                           .path_hash = x.asked.path_hash,
                           .found = page != nullptr ? *page : frozen_page(),
                           .when = when,
                           .site = x.asked.site_key};
    });
    if (report) co_await to.cache.output(std::move(*report));
    co_return found;
}

/// The page, if one was found.
frozen_page* page_in(std::optional<page_or_error>& found)
{
    return found && *found ? std::get_if<frozen_page>(&**found) : nullptr;
}

csp::step<void> send_absence(exchange_record& x, page absent, patience limits)
{
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    absent.set_date(x.asked.accepted, x.asked.accept, now);
    co_await send_rest(x, absent, 0, limits);
}

csp::step<void> answer(const page_rules& rules, exchange_record& x, links& to, head_cache& heads)
{
    const cached_page* const cached = x.cached();
    if (cached != nullptr && cached->sent_bytes > 0) {
        co_await send_rest(x, *cached->page, cached->sent_bytes, rules.limits);
        co_return;
    }
    std::optional<page_or_error> found;
    if (wants_page(x)) {
        const bool is_known = cached != nullptr && cached->is_fresh;
        if (!is_known || cached->page->file) push_last_answer(x);
        found = is_known ? page_or_error(cached->page) : co_await look(x, to);
    }
    frozen_page* const page = page_in(found);
    if (page != nullptr && (*page)->nothing) {
        if (x.carrier.takes_ready_bytes()) {
            co_await send_absence(x, **page, rules.limits);
            co_return;
        }
        found = std::unexpected(http::error((*page)->nothing->why));
    } else if (const auto missing = page != nullptr ? missing_coding(x.asked, **page) : std::nullopt) {
        push_last_answer(x);
        *page = co_await compress_at_once(x.asked, std::move(*page), *missing, to);
    }
    auto chosen = answer_to(x, std::move(found));
    if (chosen) {
        co_await respond(x, std::move(*chosen), rules.limits, heads);
    } else {
        co_await respond(x, co_await answer_with_error(x, chosen.error()), rules.limits, heads);
    }
}

/// The work of a page worker.
class page_maker : public answering_craft {
  public:
    page_maker(links to, csp::shared_out<exchange> to_back_end)
        : answering_craft(std::move(to_back_end)), to_(std::move(to))
    {
    }

    [[clang::coro_wrapper]] csp::step<void> work(exchange& x) { return answer(x->of_site().pages, *x, to_, heads_); }

  private:
    links to_;
};

}  // namespace

csp::process static_farm(std::size_t spare, csp::shared_in<exchange> requests, csp::shared_out<looked_up> to_cache,
                         csp::shared_out<etag_question> to_etags, csp::shared_out<compression_job> to_desk,
                         csp::shared_out<exchange> to_back_end)
{
    csp::forking workers;
    co_await keep_idle(spare, [&](const seat& s) {
        workers.start(worker(s, requests, page_maker({to_cache, to_etags, to_desk}, to_back_end)).named("page_worker"));
    });
}

}  // namespace server
