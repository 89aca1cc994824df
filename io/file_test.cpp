// SPDX-License-Identifier: MIT
#include "io/file.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "csp/par.hpp"
#include "io/socket.hpp"
#include "io/test_engines.hpp"

namespace io::test {
namespace {

namespace fs = std::filesystem;
using csp::par;
using csp::process;

/// A site in a temporary directory, and a secret beside it.
class site {
  public:
    site()
    {
        std::string name = fs::temp_directory_path() / "io-test-XXXXXX";
        base_ = mkdtemp(name.data());
        fs::create_directories(root() / "sub");
        std::ofstream(base_ / "secret") << "secret";
        std::ofstream(root() / "index.html") << "<p>hello";
        std::ofstream(root() / "sub/page") << "page";
        fs::create_symlink("sub/page", root() / "inside");
        fs::create_symlink("../secret", root() / "outside");
        fs::create_symlink("/etc/passwd", root() / "absolute");
        fs::create_symlink(root() / "index.html", root() / "absolute-inside");
        fs::create_symlink("..", root() / "sub/up");
        mkfifo((root() / "fifo").c_str(), 0600);
    }
    site(const site&) = delete;
    site& operator=(const site&) = delete;
    ~site() { fs::remove_all(base_); }
    [[nodiscard]] fs::path root() const { return base_ / "root"; }
    [[nodiscard]] fs::path base() const { return base_; }

  private:
    fs::path base_;
};

class files : public on_engine {};
ON_BOTH_ENGINES(files);

csp::step<result<file>> open_beneath(const directory& root, std::string path)
{
    const auto e = co_await look_beneath(root, path);
    if (!e) co_return std::unexpected(e.error());
    co_return open_to_read(*e);
}

csp::step<std::string> content(const directory& root, std::string path)
{
    const auto f = co_await open_beneath(root, std::move(path));
    if (!f) co_return std::string(f.error().text);
    std::string into(100, '\0');
    const auto got = co_await read(*f, into, 0);
    into.resize(got.value_or(0));
    co_return into;
}

process opens_beneath()
{
    const site s;
    const auto root = open_directory(s.root());
    EXPECT_EQ(co_await content(*root, "index.html"), "<p>hello");
    EXPECT_EQ(co_await content(*root, "sub/page"), "page");
    EXPECT_EQ(co_await content(*root, "sub/../index.html"), "<p>hello");
    EXPECT_EQ(co_await content(*root, "sub/up/index.html"), "<p>hello");
    EXPECT_EQ(co_await content(*root, "inside"), "page");

    const std::string refused(error::of(EXDEV).text);
    EXPECT_EQ(co_await content(*root, "../secret"), refused);
    EXPECT_EQ(co_await content(*root, "sub/../../secret"), refused);
    EXPECT_EQ(co_await content(*root, "outside"), refused);
    EXPECT_EQ(co_await content(*root, "absolute"), refused);
    EXPECT_EQ(co_await content(*root, "absolute-inside"), "<p>hello") << "where it leads counts";
    EXPECT_EQ(co_await content(*root, "/etc/passwd"), refused);
    EXPECT_EQ(co_await content(*root, "sub/up/../secret"), refused);
    EXPECT_EQ(co_await content(*root, "absent"), error::of(ENOENT).text);
    EXPECT_EQ(co_await content(*root, "index.html/x"), error::of(ENOTDIR).text);
    EXPECT_EQ(co_await content(*root, ""), error::of(ENOENT).text);
    EXPECT_EQ(co_await content(*root, std::string("index.html\0.png", 15)), error::of(EINVAL).text);
    const auto self = open_directory("/proc");
    EXPECT_EQ(co_await content(*self, "self/fd/0"), error::of(ELOOP).text);
}
TEST_P(files, open_beneath_their_root_and_nowhere_else) { run(opens_beneath()); }

process looks_at_oddities()
{
    const site s;
    const auto root = open_directory(s.root());
    const auto fifo = co_await look_beneath(*root, "fifo", soon());
    EXPECT_TRUE(fifo && S_ISFIFO(fifo->status().mode));
    const int writer = ::open((s.root() / "fifo").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    EXPECT_TRUE(writer < 0 && errno == ENXIO) << "nobody has it open for reading";
    EXPECT_EQ(open_to_read(*fifo).error().number, ENXIO);

    const auto sub = open_directory(s.root() / "sub");
    EXPECT_TRUE(status(*sub)->is_directory());
    EXPECT_EQ(co_await content(*sub, "page"), "page");
    EXPECT_EQ(co_await content(*sub, "../index.html"), error::of(EXDEV).text);
    const auto d = co_await look_beneath(*root, "sub");
    EXPECT_TRUE(d && d->status().is_directory());
    EXPECT_NE(fcntl(d->number(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_FALSE(open_directory(s.root() / "absent"));
}
TEST_P(files, that_are_fifos_or_directories_are_looked_at_and_not_opened) { run(looks_at_oddities()); }

process opens_what_it_saw()
{
    const site s;
    const auto root = open_directory(s.root());
    const auto seen = co_await look_beneath(*root, "index.html");
    fs::rename(s.root() / "index.html", s.root() / "other");
    fs::rename(s.root() / "fifo", s.root() / "index.html");
    const auto f = open_to_read(*seen);
    std::string into(100, '\0');
    EXPECT_EQ(co_await read(*f, into, 0), 8U) << "what the name leads to by now is not opened";
}
TEST_P(files, are_opened_as_they_were_seen) { run(opens_what_it_saw()); }

process follows_links()
{
    const site s;
    fs::create_directories(s.base() / "shared/.git");
    fs::create_directories(s.base() / "shared-not");
    fs::create_directories(s.root() / ".git");
    fs::create_directories(s.root() / "..data");
    fs::create_directories(s.root() / ".well-known");
    for (const char* name : {"shared/a", "shared/.git/a", "shared-not/a", "root/.git/a", "root/..data/a",
                             "root/.well-known/a", "root/sub/.hidden"}) {
        std::ofstream(s.base() / name) << "a";
    }
    const auto link = [&](const char* name, const fs::path& to) { fs::create_symlink(to, s.root() / name); };
    link("shared", s.base() / "shared");
    link("climbing", "../shared");
    link("other", s.base() / "shared-not");
    link("git", ".git");
    link("hidden", "sub/.hidden");
    link("data", "..data");
    link("known", ".well-known/a");
    link("dangling", s.root() / "none");
    link("up-and-in", "../root/sub");
    auto root = open_directory(s.root());

    const std::string leads_out(error::of(EXDEV).text);
    const std::string absent(error::of(ENOENT).text);
    for (const char* name : {"shared/a", "climbing/a", "other/a", "shared", "shared/none", "shared/a/b"}) {
        EXPECT_EQ(co_await content(*root, name), leads_out) << name;
    }
    for (const char* name : {"git/a", "hidden", "dangling", "sub/up/none", "up-and-in/none"}) {
        EXPECT_EQ(co_await content(*root, name), absent) << name;
    }
    EXPECT_EQ(co_await content(*root, "data/a"), "a");
    EXPECT_EQ(co_await content(*root, "known"), "a");
    EXPECT_EQ(co_await content(*root, "up-and-in/page"), "page");

    root->allow_links_into(real_path(*open_directory(s.base() / "shared")).value());
    EXPECT_EQ(co_await content(*root, "shared/a"), "a");
    EXPECT_EQ(co_await content(*root, "climbing/a"), "a");
    EXPECT_EQ(co_await content(*root, "other/a"), leads_out) << "its name only begins alike";
    EXPECT_EQ(co_await content(*root, "shared/none"), absent);
    EXPECT_EQ(co_await content(*root, "shared/.git/a"), absent);
    root->allow_links_into(real_path(*open_directory(s.root() / ".git")).value());
    EXPECT_EQ(co_await content(*root, "git/a"), "a") << "a hidden directory may be named";
}
TEST_P(files, are_reached_by_links_that_stay_inside) { run(follows_links()); }

process looks_while_others_rename()
{
    const site s;
    fs::create_directories(s.base() / "elsewhere");
    std::ofstream(s.base() / "elsewhere/a") << "a";
    const std::jthread renamer([&s](const std::stop_token& over) {
        for (std::string from = "a", to = "b"; !over.stop_requested(); std::swap(from, to)) {
            ::rename((s.base() / "elsewhere" / from).c_str(), (s.base() / "elsewhere" / to).c_str());
        }
    });
    const auto root = open_directory(s.root());
    std::string back_and_forth;  // a way that takes some time
    for (int i = 0; i < 10; ++i) back_and_forth += "sub/../";
    for (int i = 0; i < 2000; ++i) {
        EXPECT_EQ(co_await content(*root, "sub/up/index.html"), "<p>hello");
        EXPECT_EQ(co_await content(*root, back_and_forth + "index.html"), "<p>hello");
    }
}
TEST_P(files, are_found_while_others_are_renamed) { run(looks_while_others_rename()); }

process tells_status()
{
    const site s;
    const auto root = open_directory(s.root());
    const auto f = co_await open_beneath(*root, "index.html");
    struct stat truth;
    EXPECT_EQ(::stat((s.root() / "index.html").c_str(), &truth), 0);
    const auto told = status(*f);
    EXPECT_TRUE(told->is_regular());
    EXPECT_EQ(told->size, 8U);
    EXPECT_EQ(told->inode, truth.st_ino);
    EXPECT_EQ(told->modified.count(), truth.st_mtim.tv_sec * 1'000'000'000 + truth.st_mtim.tv_nsec);
    EXPECT_EQ(told->changed.count(), truth.st_ctim.tv_sec * 1'000'000'000 + truth.st_ctim.tv_nsec);
}
TEST_P(files, tell_their_status) { run(tells_status()); }

/// File systems store times beyond the range of 64-bit nanoseconds since 1970; each has its own limits.
process tells_times_that_are_far_off()
{
    const site s;
    const auto root = open_directory(s.root());
    const auto f = co_await open_beneath(*root, "index.html");
    for (const time_t when : {time_t{10'000'000'000}, time_t{-10'000'000'000}}) {
        const timespec times[2] = {{.tv_sec = when, .tv_nsec = 5}, {.tv_sec = when, .tv_nsec = 5}};
        if (::utimensat(AT_FDCWD, (s.root() / "index.html").c_str(), times, 0) != 0) continue;
        const auto told = status(*f);
        const auto listed = co_await list(*root, ".", {}, 100);
        for (const directory_entry& e : listed->entries) {
            if (e.name == "index.html") EXPECT_EQ(e.modified, told->modified);
        }
        EXPECT_EQ(told->modified > std::chrono::seconds(0), when > 0);
        EXPECT_GE(told->modified, std::chrono::seconds(-4'000'000'000));
        EXPECT_LE(told->modified, std::chrono::seconds(9'000'000'000));
    }
}
TEST_P(files, tell_times_that_are_far_off) { run(tells_times_that_are_far_off()); }

process reads_cold()
{
    const site s;
    const std::string text(300'000, 'q');
    std::ofstream(s.root() / "big") << text;
    const auto root = open_directory(s.root());
    const auto f = co_await open_beneath(*root, "big");
    for (int i = 0; i < 20; ++i) {
        // Evict the file from the page cache, if the file system has one, so that the read must use the disk.
        fdatasync(f->number());
        posix_fadvise(f->number(), 0, 0, POSIX_FADV_DONTNEED);
        std::string all;
        std::string piece(70'000, '\0');
        for (;;) {
            const auto got = co_await read(*f, piece, all.size(), i % 2 == 0 ? no_deadline : soon());
            EXPECT_TRUE(got.has_value());
            if (!got || *got == 0) break;
            all.append(piece, 0, *got);
        }
        EXPECT_TRUE(all == text);
    }
    EXPECT_EQ(co_await read(*f, {}, 0), 0U);
    const directory d(descriptor(dup(f->number())));
    EXPECT_EQ((co_await look_beneath(d, "x")).error().number, ENOTDIR);
}
TEST_P(files, are_read_from_disk) { run(reads_cold()); }

process writes()
{
    const site s;
    const std::string path = s.base() / "log";
    const auto log = open_to_append(path);
    EXPECT_TRUE(log.has_value());
    EXPECT_EQ((co_await append_all(*log, std::string_view("one\n"))).bytes, 4U);
    EXPECT_EQ((co_await append_all(*log, std::string_view("two\n"), soon())).bytes, 4U);
    const file f(descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC)));
    EXPECT_TRUE(co_await write_all(f, std::string_view("O"), 0));
    const auto again = open_to_append(path);
    EXPECT_EQ((co_await append_all(*again, std::string_view("three\n"))).bytes, 6U);
    std::string into(100, '\0');
    EXPECT_EQ(co_await read(f, into, 0), 14U);
    EXPECT_EQ(into.substr(0, 14), "One\ntwo\nthree\n");
    const file full(descriptor(::open("/dev/full", O_WRONLY | O_CLOEXEC)));
    const auto nothing = co_await append_all(full, std::string_view("x"));
    EXPECT_EQ(nothing.bytes, 0U);
    EXPECT_EQ(nothing.problem, error::of(ENOSPC));
    EXPECT_EQ(open_to_append(s.base() / "none" / "log").error().number, ENOENT);
}
TEST_P(files, are_written) { run(writes()); }

process writes_to_a_pipe()
{
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const descriptor reads(ends[0]);
    const descriptor writes(ends[1]);
    file another = another_of_stream(writes.number());
    EXPECT_EQ(fcntl(writes.number(), F_GETFL) & O_NONBLOCK, 0) << "for others it still blocks";
    auto stream = stream_of(another);
    EXPECT_TRUE(stream && !another);
    const std::string much(100'000, 'x');
    EXPECT_TRUE((co_await send_all(*stream, much, in(std::chrono::milliseconds(50)))).error().timed_out());
    std::string into(much.size(), '\0');
    EXPECT_GT(::read(reads.number(), into.data(), into.size()), 0);
    EXPECT_TRUE(co_await send_all(*stream, std::string_view("y"), soon()));

    const site s;
    auto fifo = open_to_append(s.root() / "fifo");
    EXPECT_TRUE(fifo && stream_of(*fifo)) << "whether somebody reads it or not";
    auto plain = open_to_append(s.base() / "log");
    EXPECT_FALSE(stream_of(*plain));
    EXPECT_TRUE(*plain);
    auto null = open_to_append("/dev/null");
    EXPECT_FALSE(stream_of(*null));
    co_return;
}
TEST_P(files, are_streams_where_somebody_reads) { run(writes_to_a_pipe()); }

csp::step<std::string> names_in(const directory& root, std::string path)
{
    const auto all = co_await list(root, path, {}, 1000);
    if (!all) co_return std::string(all.error().text);
    EXPECT_FALSE(all->has_more);
    std::vector<std::string> names;
    for (const directory_entry& e : all->entries) {
        names.push_back(e.name + (e.is_directory ? "/ " : " ") + std::to_string(e.is_directory ? 0 : e.size));
    }
    std::string text;
    for (const std::string& n : names) text += n + '\n';
    co_return text;
}

process lists()
{
    const site s;
    fs::create_symlink("..", s.root() / "sub/parent");
    fs::create_symlink("../../secret", s.root() / "sub/leading-out");
    fs::create_symlink("none", s.root() / "sub/dangling");
    fs::create_directories(s.root() / ".git");
    fs::create_symlink("../.git", s.root() / "sub/hidden");
    fs::create_symlink(s.root() / "index.html", s.root() / "sub/absolute");
    const auto root = open_directory(s.root());
    EXPECT_EQ(co_await names_in(*root, "."), ".git/ 0\nsub/ 0\nabsolute-inside 8\nindex.html 8\ninside 4\n")
        << "no pipe, and no link that leads out";
    EXPECT_EQ(co_await names_in(*root, "sub"), "parent/ 0\nup/ 0\nabsolute 8\npage 4\n");
    EXPECT_EQ(co_await names_in(*root, "sub/up"), co_await names_in(*root, "."));
    EXPECT_EQ(co_await names_in(*root, ".."), error::of(EXDEV).text);
    EXPECT_EQ(co_await names_in(*root, "index.html"), error::of(ENOTDIR).text);
    EXPECT_EQ((co_await list(*root, ".", {}, 1))->entries.size(), 1U);
}
TEST_P(files, are_listed) { run(lists()); }

/// The names in a directory, read in parts of this size.
csp::step<std::vector<std::string>> names_by_parts(const directory& root, std::size_t most)
{
    std::vector<std::string> names;
    std::optional<directory_entry> after;
    for (;;) {
        auto part = co_await list(root, ".", after, most);
        EXPECT_TRUE(part && part->entries.size() <= most);
        for (const directory_entry& e : part->entries) names.push_back(e.name);
        if (!part->has_more) co_return names;
        EXPECT_EQ(part->entries.size(), most);
        after = part->entries.back();
    }
}

process lists_in_parts()
{
    const site s;
    fs::create_directories(s.base() / "many");
    std::vector<std::string> expected;
    for (const char* name : {"a", "B", "sub2", "Z"}) fs::create_directories(s.base() / "many" / name);
    fs::create_symlink("sub2", s.base() / "many/m");
    for (const char* name : {"a", "B", "m", "sub2", "Z"}) expected.emplace_back(name);
    for (int i = 100; i < 130; ++i) {
        expected.push_back((i % 2 == 0 ? "f" : "F") + std::to_string(i));
        std::ofstream(s.base() / "many" / expected.back()) << "x";
    }
    for (const char* name : {"G", "g", "\xC3\xA9"}) {
        std::ofstream(s.base() / "many" / name) << "x";
        expected.emplace_back(name);
    }
    mkfifo((s.base() / "many/pipe").c_str(), 0600);
    std::ranges::sort(expected.begin() + 5, expected.end(),
                      [](const auto& a, const auto& b) { return comes_before({.name = a}, {.name = b}); });
    const auto root = open_directory(s.base() / "many");
    for (const std::size_t most : {1U, 2U, 7U, 37U, 38U, 39U})
        EXPECT_EQ(co_await names_by_parts(*root, most), expected);

    const std::optional<directory_entry> gone(directory_entry{.name = "F115a"});
    EXPECT_EQ((co_await list(*root, ".", gone, 1))->entries.front().name, "f116") << "it goes on behind what is gone";
    const std::optional<directory_entry> end(directory_entry{.name = "\xFF"});
    EXPECT_TRUE((co_await list(*root, ".", end, 1))->entries.empty());
}
TEST_P(files, are_listed_in_parts) { run(lists_in_parts()); }

process many_cold_reads(std::size_t count)
{
    const site s;
    std::ofstream(s.root() / "big") << std::string(1'000'000, 'z');
    const auto root = open_directory(s.root());
    std::vector<csp::process> readers;
    struct reader {
        static process run(file f, std::uint64_t at)
        {
            posix_fadvise(f.number(), 0, 0, POSIX_FADV_DONTNEED);
            std::string into(1000, '\0');
            // Whether the read or the deadline comes first, there is one result, and no memory is used afterwards.
            const auto got = co_await read(f, into, at, in(csp::duration(1us) * (at % 300)));
            EXPECT_TRUE(got ? *got > 0 : got.error().timed_out());
        }
    };
    for (std::size_t i = 0; i < count; ++i) {
        auto f = co_await open_beneath(*root, "big");
        fdatasync(f->number());
        readers.push_back(reader::run(std::move(*f), i * 997));
    }
    EXPECT_EQ((co_await par(std::move(readers))).faulted, 0U);
}
TEST_P(files, race_with_their_deadlines) { run(many_cold_reads(500)); }

}  // namespace
}  // namespace io::test
