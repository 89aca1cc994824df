// SPDX-License-Identifier: MIT
#include "server/log/log.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"
#include "io/file.hpp"
#include "server/log/log_writer.hpp"

namespace server {

namespace {

constexpr std::chrono::seconds patience_without_progress{2};  // with a log that must be finished
constexpr std::chrono::minutes patience_at_end{1};
constexpr std::chrono::milliseconds patience_when_hurried{500};
constexpr std::chrono::seconds patience_with_last_words{2};  // the final lines, about losses

/// Marks a line of the error log that reports lost lines of another log. If this line is lost too, the number is added
/// back.
struct reported_loss {
    std::optional<log_number> of;
    std::uint64_t lines = 0;
};

struct waiting_work {
    log_work work;
    reported_loss reports = {};
};

/// One log: its waiting lines, and the state of its writer.
struct kept_log {
    log_number number = 0;
    std::string_view name;
    bool is_on = false;
    std::optional<csp::out<log_work>> to_writer = {};  // nullopt: no more work for it
    std::deque<waiting_work> waiting = {};
    std::size_t waiting_bytes = 0;
    bool is_writing = false;
    std::uint64_t in_hand = 0;  // lines that the writer is writing
    std::uint64_t written = 0;  // of these, already written
    reported_loss in_hand_reports = {};
    bool is_reopening = false;      // the writer is reopening the file
    std::size_t to_reopen = 0;      // pending reopens, the present one included
    csp::time_point progress = {};  // time of the last progress, or when work became due
    bool is_given_up = false;
    std::uint64_t lost = 0;  // lines not reported yet

    [[nodiscard]] bool has_work() const { return !is_given_up && (is_writing || !waiting.empty()); }
};

/// The state of the log process.
class log_keeper {
  public:
    log_keeper(log_files files, csp::shared_out<log_report> reports)
        : reports_(std::move(reports)),
          steward_(std::move(files.steward)),
          form_(files.form),
          reader_patience_(files.reader_patience),
          most_waiting_(files.most_waiting)
    {
        access_ = begin("access", std::move(files.access), reader_patience_);
        error_ = begin("error", std::move(files.error), reader_patience_);
        said_ = begin("", {.target = {.what = log_target::kind::stream}, .file = io::another_of_stream(STDERR_FILENO)},
                      std::chrono::milliseconds(1));
    }

    /// Queues lines for the access log or the error log.
    void take(log_lines lines)
    {
        if (lines.which == log_kind::turn) {
            if (--unaware_ == 0) end_change();
            return;
        }
        const bool is_late = access_before_ && lines.turn != turn_;
        enqueue(lines.which == log_kind::error ? *error_ : is_late ? *access_before_ : *access_, std::move(lines));
    }
    void reopen()
    {
        for (kept_log* const log : {error_.get(), access_.get()}) {
            if (!log->is_on) continue;
            if (!log->has_work()) log->progress = now();
            log->waiting.push_back({.work = {.what = log_work::kind::reopen}});
            ++log->to_reopen;
        }
        all_reopened_ = true;
        tell_reopened();
    }
    void begin_change(log_change change)
    {
        ++turn_;
        unaware_ = change.back_ends;
        complete_ = std::move(change.complete);
        form_ = change.to.form;
        if (change.to.access) {
            access_before_ = std::exchange(access_, begin("access", std::move(*change.to.access), reader_patience_));
        }
        if (change.to.error) {
            leave(std::exchange(error_, begin("error", std::move(*change.to.error), reader_patience_)));
        }
    }

    void take_report(const log_report& r)
    {
        kept_log* const log = find(r.from);
        if (log == nullptr || log->is_given_up) return;
        log->progress = now();
        if (r.what == log_report::kind::progress) {
            log->written = r.lines;
        } else if (r.what == log_report::kind::closed) {
            drop_loss(*log);
            std::erase_if(replaced_, [&](const auto& l) { return l.get() == log; });
        } else {
            finish_work(*log, r);
        }
    }

    /// Outputs work to the idle writers. They wait for it, so these outputs do not block.
    csp::step<void> output_work()
    {
        for (kept_log* const log : all()) {
            if (log->is_writing || log->waiting.empty() || !log->to_writer) continue;
            waiting_work next = std::move(log->waiting.front());
            log->waiting.pop_front();
            log->waiting_bytes -= next.work.lines.text.size();
            log->is_writing = true;
            log->is_reopening = next.work.what == log_work::kind::reopen;
            log->in_hand = log->is_reopening ? 0 : lines_in(next.work.lines);
            log->in_hand_reports = next.reports;
            log->written = 0;
            log->progress = now();
            co_await log->to_writer->output(std::move(next.work));
        }
    }

    // ---- logs that must be finished within a time limit

    /// Ends the writers of replaced logs that are finished, and gives up those that make no progress.
    void check_replaced()
    {
        for (const auto& log : replaced_) {
            if (log->has_work() && now() >= log->progress + patience_without_progress) give_up(*log);
            if (!log->has_work()) log->to_writer.reset();
        }
        std::erase_if(replaced_, [&](const auto& log) {
            if (log->is_given_up) drop_loss(*log);
            return log->is_given_up;
        });
        tell_dropped_losses();
        if (!replaced_.empty() || unaware_ > 0) return;
        if (auto complete = std::exchange(complete_, std::nullopt)) completed_ = std::move(complete);
    }
    /// Returns, once, the end by which to report that a change is complete.
    [[nodiscard]] std::optional<csp::bridge_out<log_turn>> take_completed()
    {
        return std::exchange(completed_, std::nullopt);
    }
    [[nodiscard]] log_turn turn() const { return turn_; }

    void finish(log_order how)
    {
        ending_ = how;
        const csp::duration patience =
            how == log_order::give_up ? csp::duration(patience_when_hurried) : patience_at_end;
        end_by_ = std::min(end_by_, now() + patience);
        for (kept_log* const log : all()) log->progress = now();
    }
    void lines_are_over() { lines_over_ = true; }
    [[nodiscard]] bool lines_over() const { return lines_over_; }

    /// Whether everything is written or given up, including the reports of losses.
    [[nodiscard]] bool has_ended()
    {
        if (ending_) {
            for (kept_log* const log : all()) {
                const bool is_stuck = now() >= log->progress + patience_without_progress;
                if (log->has_work() && (is_stuck || now() >= end_by_)) give_up(*log);
            }
        }
        const bool expects_lines = !lines_over_ && (!ending_ || *ending_ == log_order::finish) && now() < end_by_;
        if (expects_lines || std::ranges::any_of(all(), &kept_log::has_work)) return false;
        return !report_last_losses();
    }
    [[nodiscard]] log_end how_it_ended()
    {
        return {.is_complete = std::ranges::none_of(all(), &kept_log::is_given_up) && !has_abandoned_};
    }

    /// When to check time limits next; never, if none applies.
    [[nodiscard]] csp::time_point next_look()
    {
        csp::time_point soonest = ending_ ? end_by_ : csp::time_point::max();
        const auto note = [&](const kept_log& log) {
            if (log.has_work()) soonest = std::min(soonest, log.progress + patience_without_progress);
        };
        for (const auto& log : replaced_) note(*log);
        if (ending_) {
            for (const kept_log* const log : all()) note(*log);
        }
        return soonest;
    }

    /// The writers end when they have finished their present work.
    void let_go()
    {
        for (kept_log* const log : all()) log->to_writer.reset();
    }
    csp::forking& writers() { return writers_; }

  private:
    using log_pointer = std::unique_ptr<kept_log>;

    [[nodiscard]] static csp::time_point now() { return csp::core::here().now(); }

    log_pointer begin(std::string_view name, log_destination to, std::chrono::milliseconds patience)
    {
        auto log = std::make_unique<kept_log>();
        log->number = ++begun_;
        log->name = name;
        log->is_on = to.target.what != log_target::kind::none;
        if (!log->is_on) return log;
        csp::chan<log_work> work;
        log->to_writer = work.tx();
        writers_.start(log_writer(log->number, std::move(to), patience, steward_.another(), work.rx(), reports_));
        return log;
    }

    [[nodiscard]] std::vector<kept_log*> all()
    {
        std::vector<kept_log*> logs{access_.get(), error_.get(), said_.get()};
        if (access_before_) logs.push_back(access_before_.get());
        for (const auto& log : replaced_) logs.push_back(log.get());
        for (const auto& log : untold_) logs.push_back(log.get());
        return logs;
    }
    [[nodiscard]] kept_log* find(log_number number)
    {
        for (kept_log* const log : all()) {
            if (log->number == number) return log;
        }
        return nullptr;
    }

    /// Returns whether there was room for the lines.
    bool enqueue(kept_log& log, log_lines lines, reported_loss reports = {})
    {
        if (!log.is_on || (lines.text.empty() && lines.which != log_kind::error)) return true;
        const bool has_room = log.waiting.empty() || log.waiting_bytes + lines.text.size() <= most_waiting_;
        if (log.is_given_up || !has_room) {
            if (!reports.of) lose(log, lines_in(lines), "it does not take lines as fast as they come");
            return false;
        }
        if (!log.has_work()) log.progress = now();
        log.waiting_bytes += lines.text.size();
        log.waiting.push_back({.work = {.lines = std::move(lines), .form = form_}, .reports = reports});
        return true;
    }

    void finish_work(kept_log& log, const log_report& r)
    {
        log.is_writing = false;
        if (r.lines > 0 && log.in_hand_reports.of) {
            restore(log.in_hand_reports);
        } else if (r.lines > 0) {
            lose(log, r.lines, r.why.timed_out() ? "its reader does not read" : r.why.text);
        } else if (std::exchange(log.is_reopening, false)) {
            note_reopened(log, r.not_reopened);
        } else if (log.lost > 0 && log.waiting_bytes <= most_waiting_ / 2) {
            tell_loss(log);
        }
    }

    // ---- lost lines

    void lose(kept_log& log, std::uint64_t lines, std::string_view why)
    {
        if (&log == said_.get()) return;  // standard error itself: there is nowhere else to report it
        if (log.lost == 0) {
            say(fmt::format("the {} log cannot be written ({}); lines are lost until it can", log.name, why));
        }
        log.lost += lines;
    }
    /// Reports the loss in the error log, or on standard error if there is none.
    void tell_loss(kept_log& log)
    {
        if (log.lost == 0) return;
        const std::string what = what_was_lost(log);
        const bool is_told = error_->is_on
                                 ? enqueue(*error_, error_line("warning", what), {.of = log.number, .lines = log.lost})
                                 : say(what);
        if (is_told) log.lost = 0;
    }
    /// As tell_loss(), for a log that is being removed. If there is no room for the report, it is made later.
    void drop_loss(kept_log& log)
    {
        tell_loss(log);
        if (log.lost == 0) return;
        const auto same = std::ranges::find(untold_, log.name, &kept_log::name);
        if (same != untold_.end()) {
            (*same)->lost += log.lost;
        } else {
            untold_.push_back(
                std::make_unique<kept_log>(kept_log{.number = ++begun_, .name = log.name, .lost = log.lost}));
        }
    }
    void tell_dropped_losses()
    {
        if (untold_.empty() || error_->is_given_up || error_->waiting_bytes > most_waiting_ / 2) return;
        for (const auto& log : untold_) tell_loss(*log);
        std::erase_if(untold_, [](const auto& log) { return log->lost == 0; });
    }
    void restore(const reported_loss& reports)
    {
        kept_log* const of = find(*reports.of);
        if (of != nullptr) {
            of->lost += reports.lines;
        } else {
            say(fmt::format("{} lines of a log that is no longer used were lost", reports.lines));
        }
    }
    void give_up(kept_log& log)
    {
        if (log.in_hand_reports.of) {
            restore(log.in_hand_reports);
        } else if (log.is_writing) {
            lose(log, log.in_hand - std::min(log.in_hand, log.written), "it takes nothing");
        }
        has_abandoned_ |= log.is_writing;
        for (const waiting_work& w : std::exchange(log.waiting, {})) {
            if (w.reports.of) {
                restore(w.reports);
            } else if (w.work.what == log_work::kind::write) {
                lose(log, lines_in(w.work.lines), "it takes nothing");
            }
        }
        log.is_given_up = true;
        if (std::exchange(log.to_reopen, 0) > 0 && !ending_) tell_reopened();
    }
    /// Reports the remaining losses at the end. Returns whether there is still something to write.
    [[nodiscard]] bool report_last_losses()
    {
        const bool is_told = std::exchange(losses_told_, true) || error_->is_given_up;
        for (kept_log* const log : all()) {
            if (log->lost == 0) continue;
            if (is_told) {
                say(what_was_lost(*log));
                log->lost = 0;
            } else {
                tell_loss(*log);
            }
            end_by_ = std::max(end_by_, now() + patience_with_last_words);
        }
        return std::ranges::any_of(all(), &kept_log::has_work);
    }

    static std::string what_was_lost(const kept_log& of)
    {
        return of.lost == 1 ? fmt::format("1 line of the {} log was lost", of.name)
                            : fmt::format("{} lines of the {} log were lost", of.lost, of.name);
    }
    /// Writes to standard error. Returns whether there was room.
    bool say(std::string_view what)
    {
        return enqueue(*said_, {.which = log_kind::access, .text = fmt::format("occwserv: {}\n", what)});
    }

    // ---- reopening

    void note_reopened(kept_log& log, std::string_view why_not)
    {
        if (!why_not.empty()) {
            all_reopened_ = false;
            enqueue(*error_, error_line("error", fmt::format("the {} log is still written to the old file: {}",
                                                             log.name, why_not)));
        }
        --log.to_reopen;
        tell_reopened();
    }
    /// Logs that all files were reopened, when none is pending.
    void tell_reopened()
    {
        const bool is_over = std::ranges::all_of(all(), [](const kept_log* log) { return log->to_reopen == 0; });
        if (is_over && all_reopened_) enqueue(*error_, error_line("notice", "the logs were reopened"));
    }

    // ---- changes

    void end_change()
    {
        if (access_before_) leave(std::exchange(access_before_, nullptr));
    }
    /// Replaces a log: the lines that wait are still written, but no others.
    void leave(log_pointer log)
    {
        log->progress = now();
        if (!log->is_on) {
            drop_loss(*log);
        } else {
            replaced_.push_back(std::move(log));
        }
    }

    csp::forking writers_;
    csp::shared_out<log_report> reports_;
    steward_line steward_;
    log_form form_;
    std::chrono::milliseconds reader_patience_;
    std::size_t most_waiting_;
    log_number begun_ = 0;
    log_pointer access_;
    log_pointer error_;
    log_pointer said_;  // messages to standard error, which may block like any other log
    bool all_reopened_ = true;
    std::vector<log_pointer> untold_;  // removed logs with unreported losses, at most one of each name

    // While a change is under way:
    log_turn turn_ = 0;
    std::size_t unaware_ = 0;  // back ends that have not confirmed the change
    log_pointer access_before_;
    std::vector<log_pointer> replaced_;
    std::optional<csp::bridge_out<log_turn>> complete_;
    std::optional<csp::bridge_out<log_turn>> completed_;

    // At the end:
    bool lines_over_ = false;
    std::optional<log_order> ending_;
    csp::time_point end_by_ = csp::time_point::max();
    bool losses_told_ = false;
    bool has_abandoned_ = false;  // a writer was given up while a write hung
};

}  // namespace

csp::process log(log_files files, csp::in<log_lines> lines, csp::in<log_order> orders, csp::in<log_change> changes,
                 csp::out<log_end> to_end)
{
    csp::chan<log_report> written;
    csp::in<log_report> reports = written.rx();
    log_keeper all(std::move(files), written.shared_tx());
    bool may_order = true;
    while (!all.has_ended()) {
        co_await all.output_work();
        const csp::timeout look = csp::at(all.next_look());
        const auto chosen =
            co_await csp::pri_alt(csp::when(may_order, orders), csp::while_open(changes), reports,
                                  csp::when(!all.lines_over(), lines), csp::when(look.at() != io::no_deadline, look));
        if (chosen == orders) {
            const auto order = co_await orders.input();
            may_order = order.has_value();
            if (order == log_order::reopen) all.reopen();
            if (order != log_order::reopen) all.finish(order.value_or(log_order::finish));
        } else if (chosen == changes) {
            auto change = co_await changes.input();
            all.begin_change(std::move(*change));
        } else if (chosen == reports) {
            all.take_report(*co_await reports.input());
        } else if (chosen == lines) {
            auto more = co_await lines.input();
            if (more) {
                all.take(std::move(*more));
            } else {
                all.lines_are_over();
            }
        }
        all.check_replaced();
        if (auto complete = all.take_completed()) co_await complete->output(all.turn());
    }
    all.let_go();
    {
        const auto closed = std::move(orders);
    }
    co_await to_end.output(all.how_it_ended());
}

}  // namespace server
