// SPDX-License-Identifier: MIT
#include "server/static_farm/compressor.hpp"

#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "csp/forking.hpp"
#include "csp/kernel.hpp"
#include "csp/par.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"
#include "server/static_farm/compression.hpp"

namespace server {
namespace {

using csp::for_seeds;
using csp::notebook;
using csp::test_kernel;
using testing::IsEmpty;

using answers = std::vector<compressed>;

const std::string long_text = [] {
    std::string t;
    while (t.size() < 8000) t += "<p>One paragraph is much like another, number " + std::to_string(t.size()) + "</p>\n";
    return t;
}();

file_identity version(std::uint64_t n) { return {.device = 1, .inode = n, .size = 2, .modified = {}, .changed = {}}; }

compression_job job(std::uint64_t n, std::string text, csp::bridge_out<compressed> answer)
{
    return {.path = "/" + std::to_string(n), .of = version(n), .text = std::move(text), .answer = std::move(answer)};
}

/// Uses the compressor as the cache does: sends all jobs, and takes the answers in any order.
csp::process asks_for(std::vector<std::string> texts, csp::out<compression_job> to_desk, notebook<answers> got)
{
    csp::bridge<compressed> results(csp::core::here());
    csp::in<compressed> finished = results.rx();
    auto answer = results.tx();
    for (std::uint64_t n = 0; n < texts.size(); ++n) co_await to_desk.output(job(n, texts[n], answer));
    for (std::size_t n = 0; n < texts.size(); ++n) got->push_back(*co_await finished.input());
}

TEST(Compressor, AnswersInEveryCodingThatIsWorthIt)
{
    for_seeds(10, [](std::uint64_t seed) {
        answers got;
        test_kernel k(seed);
        csp::chan<compression_job> jobs;
        csp::bridge<compression_job> to_compressor(k.on());
        k.start(compressor(to_compressor.rx()));
        k.start(compression_desk(1 << 20, jobs.rx(), to_compressor.tx()));
        k.start(asks_for({long_text, "", "short", std::string(100, 'a')}, jobs.tx(), notebook(got)));
        EXPECT_THAT(k.run(), IsEmpty());

        ASSERT_EQ(got.size(), 4U);
        for (const compressed& c : got) {
            const bool worth = c.path == "/0" || c.path == "/3";
            EXPECT_EQ("/" + std::to_string(c.of.inode), c.path);
            EXPECT_EQ(!c.gzip.empty(), worth) << c.path;
            EXPECT_EQ(!c.brotli.empty(), worth) << c.path;
            EXPECT_EQ(!c.zstd.empty(), worth) << c.path;
            if (c.path != "/0") continue;
            EXPECT_EQ(c.gzip, *compress(http::coding::gzip, long_text));
            EXPECT_EQ(c.brotli, *compress(http::coding::brotli, long_text));
            EXPECT_EQ(c.zstd, *compress(http::coding::zstd, long_text));
        }
    });
}

csp::process asks_for_gzip(std::string text, csp::out<compression_job> to_desk, notebook<answers> got)
{
    csp::bridge<compressed> results(csp::core::here());
    csp::in<compressed> finished = results.rx();
    compression_job one = job(0, std::move(text), results.tx());
    one.only = http::coding::gzip;
    co_await to_desk.output(std::move(one));
    got->push_back(*co_await finished.input());
}

TEST(Compressor, AnswersInOneCodingEvenIfItIsNotWorthIt)
{
    for (const std::string& text : {long_text, std::string("short"), std::string()}) {
        answers got;
        test_kernel k(1);
        csp::chan<compression_job> jobs;
        csp::bridge<compression_job> to_compressor(k.on());
        k.start(compressor(to_compressor.rx()));
        k.start(compression_desk(1 << 20, jobs.rx(), to_compressor.tx()));
        k.start(asks_for_gzip(text, jobs.tx(), notebook(got)));
        EXPECT_THAT(k.run(), IsEmpty());
        ASSERT_EQ(got.size(), 1U);
        EXPECT_EQ(got[0].gzip, *compress(http::coding::gzip, text)) << "as it is made for the cache";
        EXPECT_TRUE(got[0].brotli.empty() && got[0].zstd.empty());
    }
}

std::string list_of_numbers()
{
    std::string text;
    while (text.size() < std::size_t{128} * 1024) text += "<li>" + std::to_string(text.size() * 7919) + "</li>\n";
    return text;
}

csp::process asks_and_leaves(csp::out<compression_job> to_compressor)
{
    const std::string text = list_of_numbers();
    for (std::uint64_t n = 0; n < 100; ++n) {
        std::optional<csp::bridge<compressed>> results(csp::core::here());
        compression_job j = job(n, text, results->tx());
        results.reset();
        EXPECT_TRUE(co_await to_compressor.output(std::move(j)));
    }
}

TEST(Compressor, DoesNothingForNobody)
{
    const std::clock_t begun = std::clock();
    EXPECT_TRUE(compress(http::coding::brotli, list_of_numbers()));
    const std::clock_t one_in_earnest = std::clock() - begun;
    test_kernel k(1);
    csp::chan<compression_job> jobs;
    k.start(compressor(jobs.rx()));
    k.start(asks_and_leaves(jobs.tx()));
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_EQ(k.faulted(), 0U);
    EXPECT_LT(std::clock() - begun, 50 * one_in_earnest) << "there were 100 of them";
}

TEST(CompressionDesk, AnswersAtOnceWhatItHasNoRoomFor)
{
    for_seeds(100, [](std::uint64_t seed) {
        answers got;
        test_kernel k(seed);
        csp::chan<compression_job> jobs;
        csp::bridge<compression_job> to_compressor(k.on());
        const auto nobody_reads = to_compressor.rx();
        k.start(compression_desk(20'000, jobs.rx(), to_compressor.tx()));
        k.start(asks_for({long_text, long_text, long_text, long_text}, jobs.tx(), notebook(got)));
        k.run_until_quiescent();
        ASSERT_EQ(got.size(), 2U) << "two wait; the others have been turned down";
        for (const compressed& c : got) EXPECT_TRUE(c.path == "/2" || c.path == "/3") << c.path;
        for (const compressed& c : got) EXPECT_TRUE(c.gzip.empty() && c.brotli.empty() && c.zstd.empty());
        for (const compressed& c : got) EXPECT_TRUE(c.turned_down);
    });
}

csp::process asks_one_by_one(csp::out<compression_job> to_desk, notebook<answers> got)
{
    csp::bridge<compressed> results(csp::core::here());
    csp::in<compressed> finished = results.rx();
    auto answer = results.tx();
    for (std::uint64_t n = 0; n < 5; ++n) {
        co_await to_desk.output(job(n, long_text, answer));
        got->push_back(*co_await finished.input());
        co_await csp::sleep(std::chrono::seconds(1));  // the desk has been told that it was taken
    }
}

TEST(CompressionDesk, HasRoomAgainForWhatWasTaken)
{
    for_seeds(10, [](std::uint64_t seed) {
        answers got;
        test_kernel k(seed);
        csp::chan<compression_job> jobs;
        csp::bridge<compression_job> to_compressor(k.on());
        k.start(compressor(to_compressor.rx()));
        k.start(compression_desk(10'000, jobs.rx(), to_compressor.tx()));
        k.start(asks_one_by_one(jobs.tx(), notebook(got)));
        EXPECT_THAT(k.run(), IsEmpty());
        ASSERT_EQ(got.size(), 5U);
        for (const compressed& c : got) EXPECT_TRUE(!c.gzip.empty() && !c.turned_down) << c.path;
    });
}

csp::process core_that_asks(csp::bridge_out<compression_job> to_compressor, notebook<answers> got)
{
    csp::chan<compression_job> jobs;
    std::vector<std::string> texts(15, long_text);
    co_await csp::par(compression_desk(1 << 20, jobs.rx(), std::move(to_compressor)),
                      asks_for(std::move(texts), jobs.tx(), got));
}

csp::process two_cores_that_ask(notebook<csp::kernel> k, notebook<std::vector<answers>> got)
{
    csp::forking all;
    csp::bridge<compression_job> to_compressor(k->at(2));
    all.start_on(k->at(2), compressor(to_compressor.rx()));
    for (unsigned i = 0; i < 2; ++i) {
        all.start_on(k->at(i), core_that_asks(to_compressor.tx(), notebook(got->at(i))));
    }
    co_await all.join();
}

TEST(Compressor, ServesSeveralCores)
{
    std::vector<answers> got(2);
    csp::kernel k({.cores = 3});
    EXPECT_EQ(k.run(two_cores_that_ask(notebook(k), notebook(got))), csp::outcome::finished);
    for (const answers& a : got) {
        ASSERT_EQ(a.size(), 15U);
        for (std::size_t n = 0; n < a.size(); ++n) {
            EXPECT_EQ(a[n].path, "/" + std::to_string(n)) << "in the order of the questions";
            EXPECT_FALSE(a[n].brotli.empty());
        }
    }
}

csp::process asker_elsewhere(csp::bridge_out<compression_job> to_compressor)
{
    csp::bridge<compressed> results(csp::core::here());
    csp::in<compressed> finished = results.rx();
    auto answer = results.tx();
    co_await to_compressor.output(job(0, long_text, std::move(answer)));
    // and leaves, with the compressor somewhere between the codings
}

csp::process one_that_leaves(notebook<csp::kernel> k)
{
    csp::forking all;
    csp::bridge<compression_job> to_compressor(k->at(1));
    all.start_on(k->at(1), compressor(to_compressor.rx()));
    all.start(asker_elsewhere(to_compressor.tx()));
    co_await all.join();
}

TEST(Compressor, DoesNotMindThatAnAskerOfAnotherCoreLeaves)
{
    for (int i = 0; i < 20; ++i) {
        csp::kernel k({.cores = 2});
        EXPECT_EQ(k.run(one_that_leaves(notebook(k))), csp::outcome::finished);
    }
}

}  // namespace
}  // namespace server
