// SPDX-License-Identifier: MIT
#include "server/cache/cache_process.hpp"

#include <fcntl.h>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "csp/test_support.hpp"
#include "csp/timer.hpp"
#include "io/file.hpp"
#include "server/static_farm/lookup.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using csp::for_seeds;
using csp::notebook;
using test::engine_kernel;
using testing::HasSubstr;

/// What a client receives for the page that is kept after `given`.
struct outcome {
    std::string sent;
    int jobs = 0;
    bool was_fresh = false;
};

csp::process gives(std::vector<cache_work> first, std::vector<cache_work> then, csp::out<cache_work> to_cache)
{
    for (cache_work& w : first) co_await to_cache.output(std::move(w));
    co_await csp::sleep(std::chrono::seconds(2));
    for (cache_work& w : then) co_await to_cache.output(std::move(w));
}
csp::process counts(csp::in<compression_job> jobs, notebook<outcome> seen)
{
    while (co_await jobs.input()) ++seen->jobs;
}
csp::process reads(csp::in<exchange> answered, notebook<outcome> seen, notebook<engine_kernel> kernel)
{
    while (auto x = co_await answered.input()) {
        seen->sent = kernel->sent_to(*(*x)->carrier.http1()->connection);
        seen->was_fresh = (*x)->is<sent_by_cache>() || ((*x)->cached() && (*x)->cached()->is_fresh);
    }
}

exchange request_of(engine_kernel& k)
{
    exchange x = test::request_for(k, "/a");
    x->asked.accepted = http::parse_accept_encoding("br");
    return x;
}

/// Some of it after two seconds.
outcome play(engine_kernel& k, std::vector<cache_work> given, std::vector<cache_work> later = {})
{
    outcome seen;
    csp::chan<cache_work> work;
    csp::chan<slot_number> hits;
    csp::chan<compression_job> jobs;
    csp::bridge<compressed> texts(k.on());
    csp::chan<exchange> pages, done;
    k.start(cache_process(0, std::chrono::seconds(1), work.rx(),
                          {hits.shared_tx(), jobs.shared_tx(), texts.tx(), pages.shared_tx(), done.shared_tx()}));
    k.start(test::sink(hits.rx()));
    k.start(counts(jobs.rx(), notebook(seen)));
    k.start(test::sink(texts.rx()));
    k.start(reads(pages.rx(), notebook(seen), notebook(k)));
    k.start(reads(done.rx(), notebook(seen), notebook(k)));
    k.start(gives(std::move(given), std::move(later), work.tx()));
    k.run();
    EXPECT_TRUE(k.all_ended()) << k.post_mortem();
    return seen;
}

cache_work page_made_from(engine_kernel& k, std::uint64_t version, std::string_view content, bool settled = true,
                          std::optional<std::chrono::sys_seconds> date = {})
{
    page p = *test::page_of(content, version);
    page_dates dates;
    dates.fill(date);
    p.set_dates(dates);
    p.compressible = true;
    p.settled = settled;
    return std::make_unique<assignment>("/a", frozen_page(std::move(p)), k.on().now());
}

cache_work text_made_from(std::uint64_t version)
{
    return std::make_unique<compressed>(compressed{"/a", {.inode = version}, "", "shorter", ""});
}

TEST(CacheProcess, KeepsTheCompressedTextWhenALookThatBeganBeforeFindsTheSamePage)
{
    for_seeds(20, [](std::uint64_t seed) {
        engine_kernel k(seed);
        std::vector<cache_work> given;
        given.push_back(page_made_from(k, 1, "content"));
        given.push_back(text_made_from(1));
        given.push_back(page_made_from(k, 1, "content"));
        given.emplace_back(request_of(k));
        EXPECT_THAT(play(k, std::move(given)).sent, HasSubstr("Content-Encoding: br"));
    });
}

TEST(CacheProcess, TakesTheDateOfALookThatFindsTheSamePage)
{
    engine_kernel k(1);
    std::vector<cache_work> given;
    given.push_back(page_made_from(k, 1, "content"));
    given.push_back(text_made_from(1));
    given.push_back(page_made_from(k, 1, "content", true, std::chrono::sys_seconds(std::chrono::seconds(784'111'777))));
    given.emplace_back(request_of(k));
    const outcome seen = play(k, std::move(given));
    EXPECT_THAT(seen.sent, HasSubstr("Content-Encoding: br"));
    EXPECT_THAT(seen.sent, HasSubstr("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"));
}

TEST(CacheProcess, ForgetsTheCompressedTextWithItsPage)
{
    engine_kernel k(1);
    std::vector<cache_work> given;
    given.push_back(page_made_from(k, 1, "content"));
    given.push_back(text_made_from(1));
    given.push_back(page_made_from(k, 2, "another"));
    given.push_back(text_made_from(1));
    given.emplace_back(request_of(k));
    const outcome seen = play(k, std::move(given));
    EXPECT_THAT(seen.sent, HasSubstr("another"));
    EXPECT_EQ(seen.jobs, 1);
}

cache_work turned_down_for(std::uint64_t version)
{
    return std::make_unique<compressed>(
        compressed{.path = "/a", .of = {.inode = version}, .gzip = {}, .brotli = {}, .zstd = {}, .turned_down = true});
}

TEST(CacheProcess, AsksAgainForATextThatWasTurnedDown)
{
    engine_kernel k(1);
    std::vector<cache_work> first, then;
    first.push_back(page_made_from(k, 1, "content"));
    first.emplace_back(request_of(k));
    first.push_back(turned_down_for(1));
    for (int i = 0; i < 5; ++i) first.emplace_back(request_of(k));
    EXPECT_EQ(play(k, std::move(first), {}).jobs, 1) << "not at once: there would be no room yet";

    engine_kernel later(1);
    first.clear();
    first.push_back(page_made_from(later, 1, "content"));
    first.emplace_back(request_of(later));
    first.push_back(turned_down_for(1));
    for (int i = 0; i < 5; ++i) then.emplace_back(request_of(later));
    EXPECT_EQ(play(later, std::move(first), std::move(then)).jobs, 2);
}

TEST(CacheProcess, TakesNoPageForTheSameWhoseTimesMayHideAChange)
{
    engine_kernel k(1);
    std::vector<cache_work> given;
    given.push_back(page_made_from(k, 1, "content", false));
    given.emplace_back(request_of(k));
    given.push_back(page_made_from(k, 1, "another", false));
    given.emplace_back(request_of(k));
    const outcome seen = play(k, std::move(given));
    EXPECT_THAT(seen.sent, HasSubstr("another"));
    EXPECT_EQ(seen.jobs, 0) << "nor is its text compressed: it may be the other's";
}

TEST(CacheProcess, LooksAtAnOpenFileBeforeItIsUsed)
{
    const test::scratch_directory here;
    const std::string name = here.path() + "/file";
    std::ofstream(name) << "content";
    const auto fresh_after = [&](std::string_view more) {
        engine_kernel k(1);
        page p = *test::page_of_open_file();
        p.file = csp::frozen<io::file>(io::file(io::descriptor(open(name.c_str(), O_RDONLY | O_CLOEXEC))));
        p.made_from.front() = identity_of(*io::status(*p.file));
        std::ofstream(name, std::ios::app) << more;
        std::vector<cache_work> given;
        given.emplace_back(std::make_unique<assignment>("/a", frozen_page(std::move(p)), k.on().now()));
        given.emplace_back(request_of(k));
        return play(k, std::move(given)).was_fresh;
    };
    EXPECT_TRUE(fresh_after(""));
    EXPECT_FALSE(fresh_after("more")) << "its tag would be sent with other bytes";
}

}  // namespace
}  // namespace server
