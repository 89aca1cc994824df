// SPDX-License-Identifier: MIT
#include "server/static_farm/etags.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "csp/ask.hpp"
#include "csp/forking.hpp"
#include "csp/par.hpp"
#include "csp/timer.hpp"
#include "io/test_engines.hpp"
#include "server/messages/entity_tag.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using csp::notebook;
using std::chrono::milliseconds;

// ---- tags

TEST(ContentEtag, IsTheHashInQuotes)
{
    // The published value of XXH3-128 for no bytes: 99aa06d3014798d86001c324468d497f.
    EXPECT_EQ(content_etag(""), "\"maoG0wFHmNhgAcMkRo1Jfw\"");
    EXPECT_EQ(content_etag("a").size(), 24U);
    std::set<std::string> tags;
    for (int i = 0; i < 1000; ++i) tags.insert(content_etag(std::to_string(i)));
    EXPECT_EQ(tags.size(), 1000U);
}

TEST(ContentEtag, HasOnlyWhatATagMayHave)
{
    for (int i = 0; i < 1000; ++i) {
        const std::string tag = content_etag(std::to_string(i), http::coding::gzip);
        EXPECT_THAT(tag, testing::MatchesRegex("\"[A-Za-z0-9_-]+-gzip\""));
    }
}

TEST(ContentEtag, IsAnotherForEachCoding)
{
    EXPECT_EQ(content_etag("", http::coding::gzip), "\"maoG0wFHmNhgAcMkRo1Jfw-gzip\"");
    EXPECT_EQ(content_etag("", http::coding::brotli), "\"maoG0wFHmNhgAcMkRo1Jfw-br\"");
    EXPECT_EQ(content_etag("", http::coding::zstd), "\"maoG0wFHmNhgAcMkRo1Jfw-zstd\"");
    EXPECT_EQ(coded_etag(content_etag("a"), http::coding::brotli), content_etag("a", http::coding::brotli));
    EXPECT_EQ(coded_etag(content_etag("a"), http::coding::identity), content_etag("a"));
}

// ---- the process

constexpr std::uint64_t large = 1'000'000;

etag_rules small_rules()
{
    return {.known = 2,
            .hashed_first = large,
            .at_once = 1,
            .in_background = 1,
            .hashed_last = 8 * large,
            .quiet = milliseconds(20)};
}

struct opened {
    file_identity of;
    io::file file;
};

opened open(const std::string& path)
{
    opened o{.of = {}, .file = io::file(io::descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)))};
    const auto s = io::status(o.file);
    EXPECT_TRUE(s.has_value());
    o.of = {.device = s->device, .inode = s->inode, .size = s->size, .modified = s->modified, .changed = s->changed};
    return o;
}

std::string text_of(std::size_t size, char first)
{
    std::string text(size, first);
    for (std::size_t i = 1; i < size; i += 7) text[i] = static_cast<char>(i % 251);
    return text;
}

/// Waits until a change of the files written so far would change their times. Uses the clock of file times: the core's
/// clock is read once a round, and a round may take long on a busy machine.
csp::step<void> let_files_settle()
{
    const auto written = std::chrono::system_clock::now();
    while (std::chrono::system_clock::now() - written < milliseconds(100)) co_await csp::sleep(milliseconds(10));
}

csp::step<etag_answer> ask(csp::shared_out<etag_question>& to_etags, opened file)
{
    auto answer = co_await csp::ask(to_etags, etag_question{.of = file.of, .file = std::move(file.file)});
    EXPECT_TRUE(answer.has_value());
    co_return std::move(*answer);
}

/// The tag if it is already known: the question has no file to hash.
csp::step<std::string> recall(csp::shared_out<etag_question>& to_etags, const std::string& path)
{
    opened file = open(path);
    file.file = {};
    co_return (co_await ask(to_etags, std::move(file))).tag;
}

using scratch = notebook<test::scratch_directory>;
using questions_end = csp::shared_out<etag_question>;
using asking = csp::process (*)(questions_end, scratch);

class Etags : public io::test::on_engine {
  protected:
    void run_with(asking asker, etag_rules rules = small_rules())
    {
        test::scratch_directory d;
        run(network(rules, {asker}, scratch(d)));
    }

  private:
    struct chosen {
        asking make;
    };
    static csp::process network(etag_rules rules, chosen asker, scratch d)
    {
        csp::chan<etag_question> questions;
        co_await csp::par(etags(rules, questions.rx()), asker.make(questions.shared_tx(), d));
    }
};
ON_BOTH_ENGINES(Etags);

csp::process asks_for_a_small_file(questions_end to_etags, scratch d)
{
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{200'000}, std::size_t{large}}) {
        const std::string text = text_of(size, 'a');
        const std::string path = d->write("file", text);
        co_await let_files_settle();
        const auto first = co_await ask(to_etags, open(path));
        EXPECT_EQ(first.tag, content_etag(text));
        EXPECT_TRUE(io::status(first.file).has_value()) << "the file comes back, open";
        EXPECT_EQ(co_await recall(to_etags, path), first.tag);
    }
}
TEST_P(Etags, HashesASmallFileBeforeTheAnswer) { run_with(asks_for_a_small_file); }

csp::process one_of_many(questions_end to_etags, opened file, std::string expected, notebook<int> right)
{
    const auto answer = co_await ask(to_etags, std::move(file));
    if (answer.tag == expected && io::status(answer.file)) ++*right;
}
csp::process asks_many_times_at_once(questions_end to_etags, scratch d)
{
    const std::string path = d->write("file", text_of(900'000, 'a'));
    const std::string other = d->write("other", "other");
    const std::string tag = content_etag(text_of(900'000, 'a'));
    co_await let_files_settle();
    int right = 0;
    int refused = 0;
    {
        csp::forking all;
        for (int i = 0; i < 5; ++i) all.start(one_of_many(to_etags, open(path), tag, notebook(right)));
        all.start(one_of_many(to_etags, open(other), "", notebook(refused)));
        co_await all.join();
    }
    EXPECT_EQ(right, 5) << "there is room for one hashing only, and all of them share it";
    EXPECT_EQ(refused, 1) << "of another file no hashing is begun meanwhile";
    EXPECT_EQ((co_await ask(to_etags, open(other))).tag, content_etag("other"));
}
TEST_P(Etags, HashesOnceForAllWhoAskMeanwhile) { run_with(asks_many_times_at_once); }

csp::process asks_for_a_large_file(questions_end to_etags, scratch d)
{
    const std::string text = text_of(large + 1, 'a');
    const std::string path = d->write("file", text);
    co_await let_files_settle();
    const auto first = co_await ask(to_etags, open(path));
    EXPECT_EQ(first.tag, "") << "nobody waits for it";
    EXPECT_TRUE(io::status(first.file).has_value());
    std::string tag;
    for (int i = 0; i < 1000 && tag.empty(); ++i) {
        co_await csp::sleep(milliseconds(10));
        tag = co_await recall(to_etags, path);
    }
    EXPECT_EQ(tag, content_etag(text));
}
TEST_P(Etags, HashesALargeFileInTheBackground) { run_with(asks_for_a_large_file); }

csp::process asks_for_a_file_that_changes(questions_end to_etags, scratch d)
{
    for (const std::size_t size : {large + 1, 8 * large + 1}) {
        const std::string path = d->write("log", text_of(size, 'a'));
        EXPECT_EQ((co_await ask(to_etags, open(path))).tag, "") << size;
        co_await csp::sleep(milliseconds(50));
        EXPECT_EQ(co_await recall(to_etags, path), "") << "nor is it hashed afterwards: " << size;
    }
}
TEST_P(Etags, HasNoneForALargeFileThatChanges)
{
    etag_rules rules = small_rules();
    rules.quiet = std::chrono::hours(1);
    run_with(asks_for_a_file_that_changes, rules);
}

csp::process asks_for_huge_files(questions_end to_etags, scratch d)
{
    const std::string path = d->write("file", "");
    std::filesystem::resize_file(path, std::uintmax_t{1} << 40);  // no block of it is written
    co_await let_files_settle();
    const std::string tag = (co_await ask(to_etags, open(path))).tag;
    EXPECT_THAT(tag, testing::MatchesRegex("\"t-[A-Za-z0-9_-]+\""));
    EXPECT_EQ((co_await ask(to_etags, open(path))).tag, tag);
    EXPECT_EQ(tag, etag_of_times(open(path).of));
    std::filesystem::resize_file(path, (std::uintmax_t{1} << 40) + 1);
    co_await let_files_settle();
    const std::string longer = (co_await ask(to_etags, open(path))).tag;
    EXPECT_NE(longer, tag);
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    co_await let_files_settle();
    EXPECT_NE((co_await ask(to_etags, open(path))).tag, longer);
}
TEST_P(Etags, MakesThatOfAHugeFileFromItsTimes) { run_with(asks_for_huge_files); }

csp::process asks_for_three_files(questions_end to_etags, scratch d)
{
    std::vector<std::string> paths;
    for (const char* name : {"a", "b", "c"}) paths.push_back(d->write(name, name));
    co_await let_files_settle();
    co_await ask(to_etags, open(paths[0]));
    co_await ask(to_etags, open(paths[1]));
    EXPECT_NE(co_await recall(to_etags, paths[0]), "");
    co_await ask(to_etags, open(paths[2]));
    EXPECT_EQ(co_await recall(to_etags, paths[0]), content_etag("a"));
    EXPECT_EQ(co_await recall(to_etags, paths[1]), "") << "the one asked for least recently is forgotten";
    EXPECT_EQ(co_await recall(to_etags, paths[2]), content_etag("c"));
}
TEST_P(Etags, KnowsSoMany) { run_with(asks_for_three_files); }

csp::process asks_for_another_version(questions_end to_etags, scratch d)
{
    const std::string path = d->write("file", "version 1");
    co_await let_files_settle();
    opened before = open(path);
    d->write("file", "version 2");
    co_await let_files_settle();

    opened file = open(path);
    file.of = before.of;
    EXPECT_EQ((co_await ask(to_etags, std::move(file))).tag, "") << "changed since it was looked at";
    before.file = {};
    EXPECT_EQ((co_await ask(to_etags, std::move(before))).tag, "") << "and not noted";
    EXPECT_EQ((co_await ask(to_etags, open(path))).tag, content_etag("version 2"));

    file = open(path);
    file.of.size += 100;
    EXPECT_EQ((co_await ask(to_etags, std::move(file))).tag, "") << "it ends before it should";
}
TEST_P(Etags, NotesNoVersionButTheOneAskedFor) { run_with(asks_for_another_version); }

csp::process asks_for_a_new_file(questions_end to_etags, scratch d)
{
    // This succeeds unless the machine was busy between the two lines, so it is not required every time.
    bool not_kept = false;
    for (int i = 0; i < 50 && !not_kept; ++i) {
        const std::string path = d->write("file", std::to_string(i));
        EXPECT_EQ((co_await ask(to_etags, open(path))).tag, content_etag(std::to_string(i)));
        not_kept = (co_await recall(to_etags, path)).empty();
    }
    EXPECT_TRUE(not_kept);
}
TEST_P(Etags, DoesNotKeepTheTagOfAFileThatMayChangeUnseen) { run_with(asks_for_a_new_file); }

csp::process counts_turns(notebook<bool> over, notebook<int> turns)
{
    while (!*over) {
        ++*turns;
        co_await csp::yield();
    }
}
csp::process asks_in_company(questions_end to_etags, scratch d)
{
    const std::string path = d->write("file", text_of(8 << 20, 'a'));
    co_await let_files_settle();
    bool over = false;
    int turns = 0;
    csp::forking company;
    company.start(counts_turns(notebook(over), notebook(turns)));
    EXPECT_NE((co_await ask(to_etags, open(path))).tag, "");
    over = true;
    co_await company.join();
    EXPECT_GE(turns, 64) << "a turn for others after each 128 KiB";
}
TEST_P(Etags, LetsOthersRunBetweenPieces) { run_with(asks_in_company, {}); }

csp::process asks_and_leaves(questions_end to_etags, scratch d)
{
    const std::string path = d->write("file", text_of(900'000, 'a'));
    opened file = open(path);
    csp::chan<etag_answer> reply;
    {
        const csp::in<etag_answer> answers = reply.rx();
        co_await to_etags.output({.of = file.of, .file = std::move(file.file), .answer = reply.tx()});
    }
}
TEST_P(Etags, DoesWithoutAnAskerWhoLeaves) { run_with(asks_and_leaves); }

csp::process asks_for_what_takes_long(questions_end to_etags, scratch d)
{
    const std::string path = d->write("file", "");
    std::filesystem::resize_file(path, std::uintmax_t{1} << 40);  // no block of it is written
    co_await let_files_settle();
    EXPECT_EQ((co_await ask(to_etags, open(path))).tag, "");
    co_await csp::sleep(milliseconds(50));
}
TEST_P(Etags, GivesUpWhatNobodyWaitsForAtTheEnd)
{
    etag_rules rules = small_rules();
    rules.hashed_last = ~std::uint64_t{0};
    run_with(asks_for_what_takes_long, rules);  // and comes back: reading a terabyte would take minutes
}

}  // namespace
}  // namespace server
