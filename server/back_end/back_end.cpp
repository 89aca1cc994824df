// SPDX-License-Identifier: MIT
#include "server/back_end/back_end.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "http/access_json.hpp"
#include "http/access_log.hpp"

namespace server {
namespace {

// A report is due after this time, or when there are this many bytes of lines.
constexpr std::chrono::milliseconds report_interval{200};
constexpr std::size_t report_bytes = 32 * 1024;

/// The limit that was exceeded if a response has this status. Parking itself counts the two limits for one address.
std::optional<limit_kind> limit_of(http::status code)
{
    using enum http::status;
    switch (code) {
        case request_timeout:
            return limit_kind::head_time;
        case uri_too_long:
            return limit_kind::target;
        case request_header_fields_too_large:
            return limit_kind::head;
        case content_too_large:
            return limit_kind::body;
        default:
            return std::nullopt;
    }
}

/// The figures and access lines since the last report.
class pending_report {
  public:
    explicit pending_report(access_log wanted) : wanted_(wanted) {}

    void note(const exchange_record& x)
    {
        if (empty()) report_at_ = csp::core::here().now() + report_interval;
        // The core's own clock is read once a round, and a cached page can be requested and answered within one round.
        const auto took =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - x.began);
        tally_.took.count(took);
        if (!x.is<statistics>() && tally_.slow.takes(took)) note_slow(x, took);
        count(x);
        if (wanted_ == access_log::combined) add_line(x);
        if (wanted_ == access_log::json) add_json(x, took);
    }
    [[nodiscard]] bool empty() const { return tally_.exchanges == 0; }
    [[nodiscard]] bool many() const { return lines_.size() >= report_bytes; }
    [[nodiscard]] csp::time_point report_at() const { return report_at_; }

    [[nodiscard]] tally take_tally() { return std::exchange(tally_, {}); }
    [[nodiscard]] log_lines take_lines()
    {
        log_lines taken{.which = log_kind::access, .text = std::move(lines_), .turn = turn_};
        lines_ = {};
        return taken;
    }
    [[nodiscard]] bool has_lines() const { return !lines_.empty(); }
    /// Changes the format, and returns the message for the log that marks the change. REQUIRES: the lines were taken.
    [[nodiscard]] log_lines write_as(access_log wanted)
    {
        wanted_ = wanted;
        return {.which = log_kind::turn, .text = {}, .turn = ++turn_};
    }

  private:
    void count(const exchange_record& x)
    {
        const auto status_class = static_cast<std::size_t>(http::number(x.sent.code) / 100 - 1);
        ++tally_.exchanges;
        tally_.content_bytes += x.sent.content_bytes;
        tally_.incomplete += x.sent.complete ? 0 : 1;
        ++tally_.by_class[std::min(status_class, tally_.by_class.size() - 1)];
        if (const auto limit = limit_of(x.sent.code)) ++tally_.by(*limit);
        if (x.is<statistics>()) ++tally_.about_itself;
        if (x.is<program_run>()) ++tally_.by_programs;
        if (x.is<cached_page>()) ++tally_.kept;
        if (x.is<sent_by_cache>()) ++tally_.at_once;
        if (x.is<page_lookup>() && status_class < 3) ++tally_.missed;
        tally_.head_bytes += x.carrier.head_bytes();
        if (x.carrier.persists() && x.sent.complete) ++tally_.kept_alive;
    }

    void note_slow(const exchange_record& x, std::chrono::microseconds took)
    {
        slow_request r{.took = took,
                       .when = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()),
                       .status = static_cast<std::uint16_t>(http::number(x.sent.code)),
                       .text = {}};
        r.set_line(x.asked.line);
        tally_.slow.add(r);
    }

    void add_line(const exchange_record& x)
    {
        if (lines_.empty()) lines_.reserve(report_bytes + http::access_line_bytes);
        const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
        const http::access_entry entry{.client = x.carrier.client(),
                                       .time = time_.text(now),
                                       .request_line = x.asked.line,
                                       .code = x.sent.code,
                                       .body_bytes = x.sent.content_bytes,
                                       .referer = x.asked.referer,
                                       .user_agent = x.asked.user_agent};
        // Written in place: a temporary array of the longest line's size would be zeroed for every line.
        const std::size_t before = lines_.size();
        lines_.resize_and_overwrite(before + http::access_line_bytes, [&](char* text, std::size_t) {
            return before + http::format_access(entry, {text + before, http::access_line_bytes});
        });
    }
    void add_json(const exchange_record& x, std::chrono::microseconds took)
    {
        if (lines_.empty()) lines_.reserve(report_bytes + http::access_line_bytes);
        const std::string id = to_string(x.carrier.id());
        http::append_access_json(
            lines_, {.when = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
                     .request_id = id,
                     .client = x.carrier.client(),
                     .host = x.asked.authority,
                     .site = x.of_site().name,
                     .request_line = x.asked.line,
                     .code = x.sent.code,
                     .body_bytes = x.sent.content_bytes,
                     .complete = x.sent.complete,
                     .duration = took,
                     .referer = x.asked.referer,
                     .user_agent = x.asked.user_agent});
    }

    access_log wanted_;
    log_turn turn_ = 0;
    tally tally_;
    http::log_time time_;
    std::string lines_;
    csp::time_point report_at_;
};

/// The log line for a response with a 5xx status, or nullopt if the server did not fail: the client causes 501 and 505,
/// a route may be configured to answer with a 5xx status, and a program may send one. REQUIRES: a status from 500 on.
std::optional<log_lines> failure(const exchange_record& x)
{
    using enum http::status;
    const http::status code = x.sent.code;
    if (code == not_implemented || code == http_version_not_supported) return std::nullopt;
    if (x.is<program_run>() && x.sent.complete) return std::nullopt;  // the program says so
    const bool is_known = x.sent.why && x.sent.why->code == code;
    if (is_known && x.sent.why->text.empty()) return std::nullopt;
    const std::string_view why = is_known ? x.sent.why->text : "An exception was thrown while the request was handled.";
    const std::string_view client = x.carrier.client();
    return error_line(
        "error",
        fmt::format("{} to {} for \"{}\": {}", http::number(code), client.empty() ? "-" : client, x.asked.line, why),
        to_string(x.carrier.id()));
}

/// The connection after its exchange: for another request, to linger, or to be closed. Null if another process owns it.
conn take_connection(exchange x)
{
    conn c = x->carrier.take_connection();
    if (!c) return c;
    if (!x->sent.complete) {
        c->now = connection::over();
        return c;
    }
    x->carrier.enter_next_phase(*c);
    if (c->is<connection::lingering>() && !io::shutdown_write(c->socket)) c->now = connection::over();
    return c;
}

}  // namespace

csp::process back_end(access_log wanted, csp::in<access_log> formats, csp::in<exchange> done,
                      csp::shared_out<conn> to_parking, csp::shared_out<log_lines> to_log,
                      csp::buffered_out<tally> to_stats)
{
    pending_report pending(wanted);
    bool over = false;
    while (!over) {
        const csp::timeout pause = csp::at(pending.report_at());
        const auto chosen = co_await csp::pri_alt(csp::while_open(formats), done, csp::when(!pending.empty(), pause));

        if (chosen == formats) {
            const auto format = co_await formats.input();
            if (pending.has_lines()) co_await to_log.output(pending.take_lines());
            co_await to_log.output(pending.write_as(*format));
        }
        if (chosen == done) {
            auto answered = co_await done.input();
            over = !answered;
            if (answered) {
                exchange x = std::move(*answered);
                // If memory runs out here, the request is not logged; its connection is not affected.
                if (!x->carrier.is_probe()) csp::attempt([&] { pending.note(*x); });
                if (http::number(x->sent.code) >= 500) [[unlikely]] {
                    std::optional<log_lines> why;
                    csp::attempt([&] { why = failure(*x); });
                    if (why) co_await to_log.output(std::move(*why));
                }
                co_await to_parking.output(take_connection(std::move(x)));
            }
        }
        if (!pending.empty() && (over || pending.many() || csp::core::here().now() >= pending.report_at())) {
            co_await to_stats.output(pending.take_tally());
            if (pending.has_lines()) co_await to_log.output(pending.take_lines());
        }
    }
}

}  // namespace server
