// SPDX-License-Identifier: MIT
#include "server/cgi_farm/send_answer.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "csp/timer.hpp"
#include "http/list.hpp"
#include "http/status.hpp"
#include "http/target.hpp"
#include "io/child.hpp"
#include "io/file.hpp"
#include "server/cgi_farm/program_output.hpp"
#include "server/cgi_farm/script_head.hpp"
#include "server/configuration/policy.hpp"
#include "server/respond/respond.hpp"
#include "server/respond/response_writer.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;
using http::status;

// Programs close their standard output when they end, a moment before they can be waited for. Only the exit status
// tells whether the program was killed in the middle of its output.
constexpr std::chrono::milliseconds for_its_status = 100ms;
constexpr std::chrono::milliseconds for_its_end = 3s;
constexpr unsigned most_redirects = 10;
constexpr std::size_t most_at_once = 1024 * 1024;  // bytes
constexpr std::size_t much = 16 * 1024;            // bytes

constexpr http::error redirect_loop{status::bad_gateway, "The programs of this site redirect in a circle."};
constexpr http::error no_such_file{status::bad_gateway, "The program named a file that cannot be sent."};

/// Whether the field lines have a field of this name.
bool has_field(std::string_view lines, std::string_view name)
{
    while (!lines.empty()) {
        const std::string_view line = lines.substr(0, lines.find("\r\n"));
        if (line.size() > name.size() && line[name.size()] == ':' &&
            http::equal_ignoring_case(line.substr(0, name.size()), name)) {
            return true;
        }
        lines.remove_prefix(std::min(line.size() + 2, lines.size()));
    }
    return false;
}

class program_answer {
  public:
    explicit program_answer(program_work& w) : w_(w), output_(w) {}

    csp::step<std::expected<outcome, refused>> send()
    {
        if (w_.found.writes_whole_response) co_return co_await pass_through();
        auto head = co_await read_head();
        if (!head) co_return std::unexpected(std::move(head.error()));
        if (head->what == script_head::kind::local_redirect) co_return redirect(*head);
        const bool names_file = !head->sendfile.empty() && !w_.rules.sendfile_root.empty();
        if (names_file && may_have_content(head->code)) co_return co_await send_file(*head);
        co_return co_await send_document(std::move(*head));
    }

  private:
    // ---- the head

    csp::step<std::expected<script_head, refused>> read_head()
    {
        script_head_parser parser;
        for (;;) {
            const auto more = co_await output_.read(begun_);
            if (!more) co_return std::unexpected(more.error());
            if (!*more) co_return std::unexpected(co_await no_head());
            auto head = parser.feed(begun_);
            if (!head) co_return std::unexpected(refused_output(std::move(head.error())));
            if (!*head) continue;
            begun_.erase(0, (*head)->bytes);
            co_return std::move(**head);
        }
    }
    csp::step<refused> no_head()
    {
        const auto how = co_await w_.program->ended(for_its_end);
        co_return refused_output(
            fmt::format("{} (it {})", script_head_parser::why_unfinished(begun_), how ? how->text() : "still runs"));
    }

    response response_with(script_head& head) const
    {
        response r(head.code, std::move(head.fields));
        add_site_headers(r);
        return r;
    }
    /// The headers of the site and its routes, except those that the program has set.
    void add_site_headers(response& r) const
    {
        const static_rules& rules = w_.x.of_site().pages.files;
        const bool is_error = http::number(r.code) >= 400;
        const auto more =
            is_error ? headers_of_error(rules, w_.x.asked.routes) : headers_of_other(rules, w_.x.asked.routes);
        const std::string own(r.fields.lines());
        for (const header& h : more) {
            if (!h.value.empty() && !has_field(own, h.name)) r.fields.add(h.name, h.value);
        }
    }

    // ---- the kinds of answers

    std::expected<outcome, refused> redirect(const script_head& head)
    {
        request& asked = w_.x.asked;
        if (asked.redirects >= most_redirects)
            return std::unexpected(refused{.why = redirect_loop, .cause = "more than 10 redirects"});
        const auto mark = std::min(head.location.find('?'), head.location.size());
        auto path = http::canonicalize(std::string_view(head.location).substr(0, mark));
        if (!path) {
            return std::unexpected(
                refused_output(fmt::format("it redirected to an invalid path: {}", path.error().text)));
        }
        asked.path = std::move(*path);
        asked.query = {};
        if (mark < head.location.size()) asked.query = asked.own_fields.emplace_front(head.location.substr(mark + 1));
        ++asked.redirects;
        return outcome::redirected;
    }

    /// X-Sendfile: sends a file beneath sendfile_root.
    csp::step<std::expected<outcome, refused>> send_file(script_head& head)
    {
        const auto at = w_.x.of_site().programs.at(*w_.x.asked.acting).sendfile;
        std::string_view name = head.sendfile;
        if (name.starts_with(w_.rules.sendfile_root)) name.remove_prefix(w_.rules.sendfile_root.size());
        name.remove_prefix(std::min(name.find_first_not_of('/'), name.size()));
        const auto here = co_await io::look_beneath(w_.x.by->roots[*at], std::string(name));
        auto file = here ? io::open_to_read(*here) : std::unexpected(here.error());
        if (!file) {
            co_return std::unexpected(refused{
                .why = no_such_file, .cause = fmt::format("X-Sendfile: {}: {}", head.sendfile, file.error().text)});
        }
        response r = response_with(head);
        r.fields.add("Content-Length", here->status().size);
        r.content.emplace_back(slice{0, here->status().size});
        r.file = csp::frozen<io::file>(std::move(*file));
        co_await respond(w_.x, std::move(r), w_.x.by->patience, w_.tools.heads);
        co_return w_.x.sent.complete ? outcome::answered : outcome::client_left;
    }

    csp::step<std::expected<outcome, refused>> send_document(script_head head)
    {
        response_writer writer(w_.x, w_.x.by->patience, w_.tools.heads);
        left_ = head.content_length;
        const bool began = co_await writer.begin(response_with(head), head.content_length, take_due(begun_));
        co_return co_await send_output(writer, began);
    }

    /// A program whose name begins with "nph-" writes the whole response (RFC 3875, section 5).
    csp::step<std::expected<outcome, refused>> pass_through()
    {
        while (!begun_.contains('\n') && begun_.size() < longest_script_head) {
            const auto more = co_await output_.read(begun_);
            if (!more) co_return std::unexpected(more.error());
            if (!*more) co_return std::unexpected(co_await no_head());
        }
        if (!status_of_nph(begun_)) co_return std::unexpected(refused_output("its first line is no status line"));
        response_writer writer(w_.x, w_.x.by->patience, w_.tools.heads);
        const bool began = co_await writer.raw(begun_);
        co_return co_await send_output(writer, began);
    }

    // ---- the content

    /// The part of the output that belongs to the response, if its length is known.
    std::string_view take_due(std::string_view text)
    {
        if (!left_) return text;
        text = text.substr(0, *left_);
        *left_ -= text.size();
        return text;
    }

    csp::step<std::expected<outcome, refused>> send_output(response_writer& writer, bool began)
    {
        if (!began) co_return outcome::client_left;
        while (left_ != 0U) {
            if (auto failed = co_await output_.wait()) co_return co_await stop_sending(std::move(*failed));
            if (output_.is_left_open()) break;
            const auto moved = co_await writer.splice(output_.pipe(), most_at_once);
            if (!moved) co_return outcome::client_left;
            if (moved->is_at_end) break;
            if (moved->bytes > 0) output_.note(moved->bytes);
            // The other processes of the core must run too while the program and the client are both fast.
            if (moved->bytes >= much) co_await csp::yield();
            if (left_) *left_ -= std::min<std::uint64_t>(*left_, moved->bytes);
            if (output_.exceeds_limit()) {
                co_await w_.log("error", "it wrote more than output_bytes, and its response was cut short");
                co_return outcome::cut_short;
            }
        }
        co_return co_await end_response(writer);
    }

    /// After the first bytes of a response no error can be sent; the response stays incomplete.
    csp::step<outcome> stop_sending(refused why)
    {
        if (!why.cause.empty()) co_await w_.log("error", why.cause + "; its response was cut short");
        switch (why.counts_as) {
            case program_end::client_left:
                co_return outcome::client_left;
            case program_end::timed_out:
                co_return outcome::timed_out;
            default:
                co_return outcome::cut_short;
        }
    }

    csp::step<outcome> end_response(response_writer& writer)
    {
        const auto how = co_await w_.program->ended(for_its_status);
        if (how && how->signal != 0 && left_.value_or(1) != 0) {
            co_await w_.log("error", fmt::format("it {}; its response was cut short", how->text()));
            co_return outcome::cut_short;
        }
        const bool is_whole = co_await writer.end();
        if (!is_whole && left_.value_or(0) > 0) {
            co_await w_.log("error", fmt::format("it ended {} bytes before the end of its Content-Length", *left_));
            co_return outcome::cut_short;
        }
        if (!how) co_await w_.program->ended(for_its_end);
        co_return is_whole ? outcome::answered : outcome::client_left;
    }

    program_work& w_;
    program_output output_;
    std::string begun_;                  // output that was read and not sent: the head, and what came with it
    std::optional<std::uint64_t> left_;  // bytes of the content still to send, if its length is known
};

}  // namespace

csp::step<std::expected<outcome, refused>> send_answer(program_work& w)
{
    program_answer answer(w);
    co_return co_await answer.send();
}

}  // namespace server
