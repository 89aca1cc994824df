// SPDX-License-Identifier: MIT
#include "server/cache/cache_process.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "csp/alt.hpp"

namespace server {
namespace {

/// The page, and until when it may be sent without a look at its file.
class kept_page {
  public:
    explicit kept_page(std::chrono::milliseconds freshness) : freshness_(freshness) {}

    void keep(assignment a)
    {
        good_until_ = a.looked_at + freshness_;
        stale_from_ = good_until_ - freshness_ / 4;
        // The one at hand may have been compressed since the look began, which is done once only.
        if (has_the_content_of(a)) {
            if (page_->dates() != a.page->dates()) changeable().set_dates(a.page->dates());
            return;
        }
        path_ = std::move(a.path);
        site_ = a.site;
        page_ = std::move(a.page);
        may_ask_from_ = {};
    }
    void forget() { page_ = {}; }
    [[nodiscard]] bool is_of(const request& asked) const
    {
        return page_ && asked.site_key == site_ && asked.path.view() == path_;
    }

    /// A page that is due for a look, after three quarters of its time, is not fresh once; until that look is reported,
    /// or should have been, it is fresh for others: one worker goes to the file, not all of them. But for nobody once
    /// its last look is older than `freshness`.
    [[nodiscard]] bool is_fresh(csp::time_point now)
    {
        if (now < stale_from_) return true;
        stale_from_ = std::min(now + freshness_ / 4, good_until_);
        return false;
    }
    [[nodiscard]] const frozen_page& present() const { return page_; }

    /// Until when a file is kept open. After that its name is looked up again anyway; and the file may have been
    /// removed, in which case an open file would keep all its blocks in use.
    [[nodiscard]] std::optional<csp::time_point> open_until() const
    {
        return page_ && page_->file ? std::optional(good_until_) : std::nullopt;
    }

    /// Whether `asked` is answered with what is ready: conditions are for what is there (RFC 9110, section 13.2.1).
    [[nodiscard]] bool is_ready_for(const request& asked) const
    {
        if (page_->nothing) return asked.method == http::method::get;
        return !page_->file && asked.is_plain() && !page_->missing_for(asked.accepted);
    }
    /// The page; what `asked` is answered with has the date of now.
    const page& dated_for(const request& asked)
    {
        const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
        if (page_->ready_for(asked.accepted, asked.accept).date() != now) {
            changeable().set_date(asked.accepted, asked.accept, now);
        }
        return *page_;
    }

    /// A job, once for each version, when a client beside the one who was answered from the disk would have taken the
    /// text compressed.
    std::optional<compression_job> job_for(const request& asked, csp::time_point now,
                                           const csp::bridge_out<compressed>& answers)
    {
        if (!page_->compressible || !page_->settled || now < may_ask_from_) return std::nullopt;
        const bool takes_it_compressed = asked.accepted.choose(http::all_codings) != http::coding::identity;
        if (!takes_it_compressed) return std::nullopt;
        may_ask_from_ = csp::time_point::max();
        return compression_job{.path = path_,
                               .of = page_->made_from.front(),
                               .text = std::string(page_->as(http::coding::identity).whole.content()),
                               .answer = answers,
                               .site = site_};
    }
    void add(const compressed& texts, csp::time_point now)
    {
        constexpr std::chrono::seconds pause{1};  // a job is a copy of the text: not for each request a new one
        if (!page_ || site_ != texts.site || path_ != texts.path || page_->made_from.front() != texts.of) return;
        if (texts.turned_down) may_ask_from_ = now + pause;
        changeable().add(http::coding::gzip, texts.gzip);
        changeable().add(http::coding::brotli, texts.brotli);
        changeable().add(http::coding::zstd, texts.zstd);
    }

  private:
    [[nodiscard]] bool has_the_content_of(const assignment& a) const
    {
        // A large file's tag may not have been known yet when it was first opened.
        return page_ && a.page && page_->settled && site_ == a.site && path_ == a.path &&
               page_->made_from == a.page->made_from && (!page_->file || page_->etag() == a.page->etag());
    }
    /// The page, to be changed. Who is still being sent the one of now keeps that.
    page& changeable()
    {
        if (page_.sole() == nullptr) page_ = frozen_page(page(*page_));
        return *page_.sole();
    }

    std::chrono::milliseconds freshness_;
    std::string path_;
    std::uint64_t site_ = 0;
    frozen_page page_;
    csp::time_point stale_from_;  // somebody is to go and look
    csp::time_point good_until_;
    csp::time_point may_ask_from_;  // for the text to be compressed
};

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
        bool answered = false;
        if (kept.is_of(x->asked)) {
            co_await to.hits.output(me);
            const csp::time_point now = csp::core::here().now();
            std::optional<compression_job> job;
            csp::attempt([&] { job = kept.job_for(x->asked, now, to.answers); });
            if (job) co_await to.desk.output(std::move(*job));
            x->kept_is_fresh = kept.is_fresh(now);
            if (x->kept_is_fresh && kept.is_ready_for(x->asked)) {
                // Exceptions come only before anything is sent; then a worker answers.
                csp::attempt([&] { answered = send_at_once(*x, kept.dated_for(x->asked)); });
            }
            if (!answered) x->kept = kept.present();
        }
        co_await (answered ? to.back_end : to.static_farm).output(std::move(x));
    }
}

}  // namespace server
