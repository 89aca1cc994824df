// SPDX-License-Identifier: MIT
#include "server/static_farm/etags.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>
#include <xxhash.h>

#include "csp/alt.hpp"
#include "csp/check.hpp"
#include "csp/forking.hpp"
#include "csp/timer.hpp"
#include "server/messages/entity_tag.hpp"

namespace server {
namespace {

// ---- known tags

struct identity_hash {
    static_assert(std::has_unique_object_representations_v<file_identity>, "its bytes are hashed: no padding");
    std::size_t operator()(const file_identity& i) const { return XXH3_64bits(&i, sizeof i); }
};

/// The tags of the most recently requested files.
class known_tags {
  public:
    explicit known_tags(std::size_t most) : most_(most) {}

    /// Empty if it is not known.
    [[nodiscard]] std::string find(const file_identity& i)
    {
        const auto found = by_identity_.find(i);
        if (found == by_identity_.end()) return {};
        tags_.splice(tags_.begin(), tags_, found->second);
        return found->second->tag;
    }
    /// REQUIRES: it is not known yet.
    void note(const file_identity& i, std::string tag)
    {
        recency one;
        one.push_front({.of = i, .tag = std::move(tag)});
        by_identity_.emplace(i, one.begin());
        tags_.splice(tags_.begin(), one);
        if (tags_.size() <= most_) return;
        by_identity_.erase(tags_.back().of);
        tags_.pop_back();
    }

  private:
    struct entry {
        file_identity of;
        std::string tag;
    };
    using recency = std::list<entry>;  // the most recent first

    std::size_t most_;
    recency tags_;
    std::unordered_map<file_identity, recency::iterator, identity_hash> by_identity_;
};

// ---- hashing

/// A report of a hasher: `goes_on` after each piece, and at the end its result.
struct hash_report {
    enum class kind : std::uint8_t {
        goes_on,
        failed,
        passing,  // the file changed so recently that its identity may soon be that of other content: do not remember
        lasting
    };
    file_identity of;
    kind what = kind::goes_on;
    std::string tag;
};
using kind = hash_report::kind;

bool is_still(const file_identity& i, const io::file& f)
{
    const auto now = io::status(f);
    return now && i == identity_of(*now);
}

/// Whether a worker waits for the hash.
enum class urgency : std::uint8_t { awaited, background };

/// Limits hashing in the background to a quarter of the core's time.
class pacer {
  public:
    explicit pacer(urgency u) : urgency_(u) {}
    void begin() { begun_ = std::chrono::steady_clock::now(); }
    void end() { spent_ += std::chrono::steady_clock::now() - begun_; }
    csp::step<void> rest()
    {
        using std::chrono::milliseconds;
        if (urgency_ == urgency::awaited || spent_ < milliseconds(1)) co_return;
        const auto pause =
            std::min<csp::duration>(3 * spent_, milliseconds(20));  // waiting for a slow disk costs no processor time
        spent_ = {};
        co_await csp::sleep(pause);
    }

  private:
    urgency urgency_;
    std::chrono::steady_clock::time_point begun_;
    std::chrono::steady_clock::duration spent_{};
};

/// The hash of a file; nullopt if it could not be read to its end, or if the reports are no longer read.
csp::step<std::optional<std::string>> hash_content(const io::file& f, const file_identity& of, urgency how,
                                                   csp::shared_out<hash_report>& reports)
{
    constexpr std::size_t piece_bytes = std::size_t{128} * 1024;
    content_hash hash;
    pacer pace(how);
    std::vector<char> piece(std::min<std::uint64_t>(of.size, piece_bytes));
    for (std::uint64_t at = 0; at < of.size;) {
        pace.begin();
        const auto got = co_await io::read(f, piece, at);
        if (!got || *got == 0) co_return std::nullopt;
        hash.add(std::span(piece).first(*got));
        at += *got;
        pace.end();
        // Reading a file in memory never suspends; this output lets other processes run.
        if (!co_await reports.output({.of = of, .what = kind::goes_on, .tag = {}})) co_return std::nullopt;
        co_await pace.rest();
    }
    co_return hash.etag();
}

csp::process hasher(file_identity of, io::file f, urgency how, csp::shared_out<hash_report> reports)
{
    hash_report result{.of = of, .what = kind::failed, .tag = {}};
    try {
        const bool settled = is_settled(of, std::chrono::system_clock::now());
        auto tag = co_await hash_content(f, of, how, reports);
        if (tag && is_still(of, f)) {
            result.what = settled ? kind::lasting : kind::passing;
            result.tag = std::move(*tag);
        }
    } catch (...) {
        // The workers that wait for the result must get an answer.
        csp::report_fault();
    }
    f = {};
    co_await reports.output(std::move(result));
}

/// The files that are being hashed, with the questions that wait for them; none wait for large files.
class files_in_progress {
  public:
    explicit files_in_progress(etag_rules rules) : rules_(rules) {}

    [[nodiscard]] bool is_large(const file_identity& i) const { return i.size > rules_.hashed_first; }
    /// Whether to start hashing the file: it is not too large, and if it is large it no longer changes.
    [[nodiscard]] bool may_begin(const file_identity& i) const
    {
        return !contains(i) && i.size <= rules_.hashed_last && has_room_for(i) && (!is_large(i) || is_quiet(i));
    }
    /// The answer for a file that is not hashed.
    [[nodiscard]] std::string unhashed_tag(const file_identity& i) const
    {
        return i.size > rules_.hashed_last && is_quiet(i) ? etag_of_times(i) : std::string();
    }
    [[nodiscard]] std::size_t awaited() const { return files_.size() - large_; }
    [[nodiscard]] bool contains(const file_identity& i) const { return files_.contains(i); }
    void begin(const file_identity& i)
    {
        files_.try_emplace(i);
        if (is_large(i)) ++large_;
    }
    /// Whether workers wait for the hash of the file.
    [[nodiscard]] bool is_awaited(const file_identity& i) const { return contains(i) && !is_large(i); }
    /// REQUIRES: is_awaited().
    void await(etag_question&& q) { files_.find(q.of)->second.push_back(std::move(q)); }
    [[nodiscard]] std::vector<etag_question> end(const file_identity& i)
    {
        if (is_large(i)) --large_;
        return std::move(files_.extract(i).mapped());
    }

  private:
    [[nodiscard]] bool has_room_for(const file_identity& i) const
    {
        return is_large(i) ? large_ < rules_.in_background : awaited() < rules_.at_once;
    }
    [[nodiscard]] bool is_quiet(const file_identity& i) const
    {
        return is_settled(i, std::chrono::system_clock::now(), rules_.quiet);
    }

    etag_rules rules_;
    std::size_t large_ = 0;
    std::unordered_map<file_identity, std::vector<etag_question>, identity_hash> files_;
};

/// Starts to hash the file, if it may be hashed and there is a descriptor for it.
void try_to_hash(const etag_question& q, files_in_progress& in_progress, csp::forking& hashers,
                 const csp::shared_out<hash_report>& report)
{
    if (!in_progress.may_begin(q.of)) return;
    auto file = io::duplicate(q.file);
    if (!file) return;
    const auto how = in_progress.is_large(q.of) ? urgency::background : urgency::awaited;
    csp::process begun = hasher(q.of, std::move(*file), how, report);
    in_progress.begin(q.of);
    hashers.start(std::move(begun));
}

}  // namespace

csp::process etags(etag_rules rules, csp::in<etag_question> questions)
{
    known_tags known(rules.known);
    files_in_progress in_progress(rules);
    csp::forking hashers;
    csp::chan<hash_report> progress;
    csp::in<hash_report> reports = progress.rx();
    const csp::shared_out<hash_report> report = progress.shared_tx();

    for (bool open = true; open || in_progress.awaited() > 0;) {
        const auto chosen = co_await csp::fair_alt(reports, csp::when(open, questions));

        if (chosen == reports) {
            auto news = co_await reports.input();
            if (news->what == kind::goes_on) continue;
            if (news->what == kind::lasting) csp::attempt([&] { known.note(news->of, news->tag); });
            for (etag_question& waiting : in_progress.end(news->of)) {
                std::string tag;
                csp::attempt([&] { tag = news->tag; });
                co_await waiting.answer.output({.file = std::move(waiting.file), .tag = std::move(tag)});
            }
        } else {
            auto question = co_await questions.input();
            if (!question) {
                open = false;
                continue;
            }
            etag_question& q = *question;
            std::string tag;
            bool waits = false;
            csp::attempt([&] {
                tag = known.find(q.of);
                if (tag.empty()) tag = in_progress.unhashed_tag(q.of);
                if (!tag.empty()) return;
                try_to_hash(q, in_progress, hashers, report);
                if (!in_progress.is_awaited(q.of)) return;
                in_progress.await(std::move(q));
                waits = true;
            });
            if (!waits) co_await q.answer.output({.file = std::move(q.file), .tag = std::move(tag)});
        }
    }
}

}  // namespace server
