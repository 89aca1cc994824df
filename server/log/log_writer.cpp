// SPDX-License-Identifier: MIT
#include "server/log/log_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "csp/timer.hpp"
#include "io/socket.hpp"
#include "server/log/log_text.hpp"

namespace server {

std::uint64_t lines_in(const log_lines& lines)
{
    return lines.which == log_kind::error ? 1 : static_cast<std::uint64_t>(std::ranges::count(lines.text, '\n'));
}

namespace {

std::uint64_t lines_in(std::string_view text) { return static_cast<std::uint64_t>(std::ranges::count(text, '\n')); }

constexpr std::chrono::milliseconds pause_between_connects{100};

/// The number of lines that were not written, and why.
struct loss {
    std::uint64_t lines = 0;
    io::error why = {};
};

/// The target of one log, and the state after the last write.
class outlet {
  public:
    outlet(log_number me, log_destination to, std::chrono::milliseconds reader_patience, steward_line steward,
           csp::shared_out<log_report> to_log)
        : me_(me),
          to_(std::move(to)),
          reader_patience_(reader_patience),
          steward_(std::move(steward)),
          to_log_(std::move(to_log))
    {
    }

    csp::step<loss> put(log_work work)
    {
        const bool is_error = work.lines.which == log_kind::error;
        const loss l = to_.target.takes_datagrams()
                           ? co_await send(datagrams_of(work.lines, work.form, to_.target))
                           : co_await append(is_error ? error_text(work.lines, work.form) : std::move(work.lines.text));
        failing_ = l.lines > 0;
        co_return l;
    }

    /// Returns a sentence if the file could not be reopened, otherwise an empty text.
    csp::step<std::string> reopen()
    {
        if (to_.target.what != log_target::kind::file) co_return "";
        auto f = co_await steward_.open_log(to_.target.text);
        if (!f) co_return std::move(f.error());
        to_.file = std::move(*f);
        socket_ = {};
        torn_ = false;
        co_return "";
    }

  private:
    /// Writes to a stream as much as its reader takes in time.
    csp::step<io::appended> append_to_stream(std::string_view text)
    {
        constexpr std::chrono::milliseconds at_once{1};
        io::appended so_far;
        bool may_wait = !failing_;  // after a timeout, wait again only when the reader has read something
        while (so_far.bytes < text.size()) {
            const auto until = csp::core::here().now() + (may_wait ? reader_patience_ : at_once);
            const auto sent = co_await io::send(socket_, text.substr(so_far.bytes), until);
            if (!sent) {
                so_far.problem = sent.error();
                break;
            }
            so_far.bytes += *sent;
            may_wait = true;
            if (so_far.bytes < text.size()) {
                co_await to_log_.output(
                    {.from = me_, .what = log_report::kind::progress, .lines = lines_in(text.substr(0, so_far.bytes))});
            }
        }
        co_return so_far;
    }

    csp::step<loss> append(std::string text)
    {
        if (text.empty()) co_return loss{};
        const bool repairs_line = torn_;
        if (repairs_line) text.insert(text.begin(), '\n');
        if (!socket_) {
            if (auto stream = io::stream_of(to_.file)) socket_ = std::move(*stream);
        }
        torn_ = true;  // until the write succeeds: memory may run out in the middle of a line
        const auto got = socket_ ? co_await append_to_stream(text) : co_await io::append_all(to_.file, text);
        torn_ = got.bytes > 0 ? text[got.bytes - 1] != '\n' : repairs_line;
        if (!got.problem) co_return loss{};
        const auto rest = std::string_view(text).substr(std::max<std::size_t>(got.bytes, repairs_line ? 1 : 0));
        co_return loss{lines_in(rest), *got.problem};
    }

    /// Sends to the present reader; if it is gone, connects again.
    csp::step<io::result<std::size_t>> send_datagram(std::string_view text, io::deadline until)
    {
        for (;;) {
            const bool is_new = !socket_;
            if (is_new) {
                co_await csp::sleep_until(next_connect_);
                auto connected = co_await steward_.connect_log(to_.target.text);
                next_connect_ = csp::core::here().now() + pause_between_connects;
                if (!connected) co_return std::unexpected(connected.error());
                socket_ = std::move(*connected);
            }
            const auto sent = co_await io::send_all(socket_, text, until);
            if (sent || sent.error().timed_out()) co_return sent;
            socket_ = {};
            if (is_new) co_return sent;
        }
    }

    csp::step<loss> send(std::vector<std::string> datagrams)
    {
        constexpr std::size_t at_once = 32;  // then let other processes of this core run
        bool may_wait = !failing_;
        for (std::size_t i = 0; i < datagrams.size(); ++i) {
            const auto until = csp::core::here().now() + (may_wait ? reader_patience_ : std::chrono::milliseconds(0));
            const auto sent = co_await send_datagram(datagrams[i], until);
            if (!sent) co_return loss{datagrams.size() - i, sent.error()};
            may_wait = true;
            if (i % at_once == at_once - 1) {
                co_await to_log_.output({.from = me_, .what = log_report::kind::progress, .lines = i + 1});
                co_await csp::yield();
            }
        }
        co_return loss{};
    }

    log_number me_;
    log_destination to_;
    std::chrono::milliseconds reader_patience_;
    steward_line steward_;
    csp::shared_out<log_report> to_log_;
    csp::time_point next_connect_ = csp::time_point::min();  // each needs a job of the steward
    io::socket socket_;     // to the reader of datagrams or of a stream; opened with the first line
    bool torn_ = false;     // the file ends in the middle of a line
    bool failing_ = false;  // the last write was not complete
};

csp::step<log_report> work_on(outlet& to, log_work work)
{
    log_report r;
    if (work.what == log_work::kind::reopen) {
        r.not_reopened = co_await to.reopen();
    } else {
        const loss l = co_await to.put(std::move(work));
        r.lines = l.lines;
        r.why = l.why;
    }
    co_return r;
}

/// The report when memory runs out: the lines are lost, or the old file is still used.
log_report without_memory(const log_work& work)
{
    const bool is_reopen = work.what == log_work::kind::reopen;
    return {.lines = is_reopen ? 0 : lines_in(work.lines),
            .why = io::error::of(ENOMEM),
            .not_reopened = is_reopen ? "out of memory" : ""};
}

}  // namespace

csp::process log_writer(log_number me, log_destination to, std::chrono::milliseconds reader_patience,
                        steward_line steward, csp::in<log_work> work, csp::shared_out<log_report> to_log)
{
    {
        outlet out(me, std::move(to), reader_patience, std::move(steward), to_log);
        while (auto next = co_await work.input()) {
            log_report r = without_memory(*next);  // before it runs out
            try {
                r = co_await work_on(out, std::move(*next));
            } catch (...) {
                csp::report_fault();
            }
            r.from = me;
            co_await to_log.output(std::move(r));
        }
    }
    co_await to_log.output({.from = me, .what = log_report::kind::closed});
}

}  // namespace server
