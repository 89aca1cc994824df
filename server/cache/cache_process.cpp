// SPDX-License-Identifier: MIT
#include "server/cache/cache_process.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "csp/alt.hpp"
#include "server/respond/respond.hpp"

namespace server {
namespace {

/// The page, and the time until which it may be sent without checking its file.
class kept_page {
  public:
    explicit kept_page(std::chrono::milliseconds freshness) : freshness_(freshness) {}

    void keep(assignment a)
    {
        fresh_until_ = a.looked_at + freshness_;
        check_from_ = fresh_until_ - freshness_ / 4;
        // Keep the present copy if it has the same content: it may already have the compressed texts, which are made
        // once.
        if (has_same_content_as(a)) {
            if (page_->dates() != a.page->dates()) changeable().set_dates(a.page->dates());
            return;
        }
        path_ = std::move(a.path);
        site_ = a.site;
        page_ = std::move(a.page);
        next_job_from_ = {};
        checked_at_.reset();
    }
    void forget() { page_ = {}; }
    [[nodiscard]] bool is_of(const request& asked) const
    {
        return page_ && asked.site_key == site_ && asked.path.view() == path_;
    }

    /// After three quarters of its time a page is due for a check. Then this returns false once, so that one worker
    /// goes to the file, and true for the other requests until the check is reported or should have been. It always
    /// returns false once the last check is older than `freshness`.
    [[nodiscard]] bool is_fresh(csp::time_point now)
    {
        if (now < check_from_) return true;
        check_from_ = std::min(now + freshness_ / 4, fresh_until_);
        return false;
    }
    /// Whether an open file still has the content that the page was made from; always true of a page in memory. The
    /// file is checked once in a round of the core: the core's clock does not advance during a round, so all its
    /// answers are made at the same time.
    [[nodiscard]] bool is_unchanged(csp::time_point now)
    {
        if (!page_->file) return true;
        if (checked_at_ != now) {
            was_unchanged_ = page_->is_unchanged();
            checked_at_ = now;
        }
        return was_unchanged_;
    }
    [[nodiscard]] const frozen_page& present() const { return page_; }

    /// The time until which a file is kept open. After that, its name must be looked up again anyway; and if the file
    /// has been removed, an open file would keep its blocks allocated.
    [[nodiscard]] std::optional<csp::time_point> open_until() const
    {
        return page_ && page_->file ? std::optional(fresh_until_) : std::nullopt;
    }

    /// Whether a ready response answers this request. Conditions do not apply to an absent page (RFC 9110 section
    /// 13.2.1).
    [[nodiscard]] bool is_ready_for(const request& asked) const
    {
        if (page_->nothing) return asked.method == http::method::get;
        return !page_->file && asked.is_plain() && !page_->missing_for(asked.accepted);
    }
    /// The page, with the present Date in the response for this request.
    const page& dated_for(const request& asked)
    {
        const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
        if (page_->ready_for(asked.accepted, asked.accept).date() != now) {
            changeable().set_date(asked.accepted, asked.accept, now);
        }
        return *page_;
    }

    /// A compression job, once for each version of the page. The first request for a version is answered from disk; a
    /// later one whose client accepts compressed text creates the job.
    std::optional<compression_job> job_for(const request& asked, csp::time_point now,
                                           const csp::bridge_out<compressed>& answers)
    {
        if (!page_->compressible || !page_->settled || now < next_job_from_) return std::nullopt;
        const bool takes_it_compressed = asked.accepted.choose(http::all_codings) != http::coding::identity;
        if (!takes_it_compressed) return std::nullopt;
        next_job_from_ = csp::time_point::max();
        return compression_job{.path = path_,
                               .of = page_->made_from.front(),
                               .text = std::string(page_->as(http::coding::identity).whole.content()),
                               .answer = answers,
                               .site = site_};
    }
    void add(const compressed& texts, csp::time_point now)
    {
        constexpr std::chrono::seconds pause{1};  // a job copies the text, so do not create one for every request
        if (!page_ || site_ != texts.site || path_ != texts.path || page_->made_from.front() != texts.of) return;
        if (texts.turned_down) next_job_from_ = now + pause;
        changeable().add(http::coding::gzip, texts.gzip);
        changeable().add(http::coding::brotli, texts.brotli);
        changeable().add(http::coding::zstd, texts.zstd);
    }

  private:
    [[nodiscard]] bool has_same_content_as(const assignment& a) const
    {
        // The tag of a large file may not have been known when it was first opened.
        return page_ && a.page && page_->settled && site_ == a.site && path_ == a.path &&
               page_->made_from == a.page->made_from && (!page_->file || page_->etag() == a.page->etag());
    }
    /// The page for modification. If a worker still sends the present one, this makes a copy first.
    page& changeable()
    {
        if (page_.sole() == nullptr) page_ = frozen_page(page(*page_));
        return *page_.sole();
    }

    std::chrono::milliseconds freshness_;
    std::string path_;
    std::uint64_t site_ = 0;
    frozen_page page_;
    csp::time_point check_from_;  // from then on one worker is sent to check the file
    csp::time_point fresh_until_;
    std::optional<csp::time_point> checked_at_;  // the round in which the open file was checked
    bool was_unchanged_ = false;
    csp::time_point next_job_from_;  // earliest time for a compression job
};

/// Sends the page if it is ready. Otherwise, or if the socket does not take all of it, a worker answers with the page.
void answer_from(kept_page& kept, exchange_record& x, csp::time_point now)
{
    const bool is_fresh = kept.is_fresh(now) && kept.is_unchanged(now);
    at_once sent;
    if (is_fresh && kept.is_ready_for(x.asked)) {
        // An exception can only occur before anything is sent.
        csp::attempt([&] { sent = send_at_once(x, kept.dated_for(x.asked)); });
    }
    if (sent.is_all) {
        x.decided.emplace<sent_by_cache>();
    } else {
        x.decided.emplace<cached_page>(kept.present(), is_fresh, sent.bytes);
    }
}

}  // namespace

csp::process cache_process(slot_number me, std::chrono::milliseconds freshness, csp::in<cache_work> work,
                           cache_process_links to)
{
    kept_page kept(freshness);
    for (;;) {
        if (const auto until = kept.open_until()) {
            const csp::timeout is_over = csp::at(*until);
            if (co_await csp::pri_alt(work, is_over) != work) {
                kept.forget();
                continue;
            }
        }
        auto next = co_await work.input();
        if (!next) co_return;
        if (auto* const a = std::get_if<std::unique_ptr<assignment>>(&*next)) {
            const bool is_kept = *a && csp::attempt([&] { kept.keep(std::move(**a)); });
            if (!is_kept) kept.forget();
            continue;
        }
        if (auto* const texts = std::get_if<std::unique_ptr<compressed>>(&*next)) {
            csp::attempt([&] { kept.add(**texts, csp::core::here().now()); });
            continue;
        }
        exchange x = std::get<exchange>(std::move(*next));
        if (kept.is_of(x->asked)) {
            co_await to.hits.output(me);
            const csp::time_point now = csp::core::here().now();
            std::optional<compression_job> job;
            csp::attempt([&] { job = kept.job_for(x->asked, now, to.answers); });
            if (job) co_await to.desk.output(std::move(*job));
            answer_from(kept, *x, now);
        }
        co_await (x->is<sent_by_cache>() ? to.back_end : to.static_farm).output(std::move(x));
    }
}

}  // namespace server
