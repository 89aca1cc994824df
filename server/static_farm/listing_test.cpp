// SPDX-License-Identifier: MIT
#include "server/static_farm/listing.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include "server/testing/test_support.hpp"

namespace server {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

io::directory_entry file(std::string name, std::uint64_t size = 12)
{
    return {.name = std::move(name), .is_directory = false, .size = size, .modified = seconds(1'795'000'000)};
}
io::directory_entry directory(std::string name)
{
    return {.name = std::move(name), .is_directory = true, .size = 4096, .modified = seconds(1'795'000'000)};
}

/// The texts between each `before` and the next `after`.
std::vector<std::string> all_between(std::string_view text, std::string_view before, std::string_view after)
{
    std::vector<std::string> found;
    for (std::size_t at = 0; (at = text.find(before, at)) != std::string_view::npos;) {
        at += before.size();
        found.emplace_back(text.substr(at, text.find(after, at) - at));
    }
    return found;
}

std::vector<std::string> links(std::string_view html) { return all_between(html, "<a href=\"", "\""); }
std::vector<std::string> rows(std::string_view html) { return all_between(html, "href=\"./", "\""); }

const http::canonical_path here = test::path("/here/");

TEST(ListingHtml, HasDirectoriesFirstAndThenGoesByName)
{
    const auto html = listing_html(here, {file("b"), file("B2"), directory("z"), file("\xC3\xA9"), file("A"), file("a"),
                                          directory("Y"), file("ab")});
    EXPECT_THAT(rows(html), ElementsAre("Y/", "z/", "A", "a", "ab", "b", "B2", "%C3%A9"));
}

TEST(ListingHtml, LeavesOutWhatCannotBeAskedFor)
{
    const auto html = listing_html(here, {file(".htpasswd"), directory(".git"), directory(".well-known"), file("a\nb"),
                                          file("a\\b"), file("\xFF"), file("x")});
    EXPECT_THAT(rows(html), ElementsAre("x"));
    EXPECT_THAT(html, HasSubstr("0 directories, 1 file, 12 B in total"));
}

TEST(ListingHtml, EscapesNamesAndEncodesLinks)
{
    const auto html = listing_html(test::path("/%3Cb%3E&/"), {file("<i>\"&'.txt"), file("a b?#%.txt"), file("x:y")});
    EXPECT_THAT(html, Not(HasSubstr("<b>")));
    EXPECT_THAT(html, Not(HasSubstr("<i>\"")));
    EXPECT_THAT(html, HasSubstr("<title>Index of /&lt;b&gt;&amp;/</title>"));
    EXPECT_THAT(html, HasSubstr("<bdi>&lt;i&gt;&quot;&amp;&#39;.txt</bdi>"));
    EXPECT_THAT(rows(html), testing::Contains("a%20b%3F%23%25.txt"));
    EXPECT_THAT(links(html), testing::Contains(testing::StartsWith("./x"))) << "not of the scheme x";
    for (const std::string& link : links(html)) {
        EXPECT_EQ(link.find_first_of("<>'& "), std::string::npos) << link;
        if (link.starts_with("./")) EXPECT_TRUE(http::canonicalize(link.substr(1)).has_value()) << link;
    }
}

TEST(ListingHtml, LeadsUp)
{
    EXPECT_THAT(links(listing_html(test::path("/"), {})), IsEmpty());
    EXPECT_THAT(links(listing_html(test::path("/a/"), {})), ElementsAre("../", "../"));
    EXPECT_THAT(links(listing_html(test::path("/a/b/c/"), {})), ElementsAre("../../../", "../../", "../", "../"));
}

TEST(ListingHtml, TellsSizesForPeople)
{
    const auto size = [](std::uint64_t n) {
        return all_between(listing_html(test::path("/"), {file("a", n)}), "<td>", "</td>").front();
    };
    EXPECT_EQ(size(0), "0 B");
    EXPECT_EQ(size(1023), "1023 B");
    EXPECT_EQ(size(1024), "1.0 KiB");
    EXPECT_EQ(size(10188), "9.9 KiB");
    EXPECT_EQ(size(10189), "10 KiB");
    EXPECT_EQ(size(1024 * 1024 - 1), "1.0 MiB");
    EXPECT_EQ(size(1500 * 1024), "1.5 MiB");
    EXPECT_EQ(size(~std::uint64_t{0}), "16 EiB");
}

TEST(ListingHtml, TellsTimesInUtc)
{
    const auto html = listing_html(here, {file("a")});
    EXPECT_THAT(html, HasSubstr("<time datetime=\"2026-11-18T11:06:40Z\">2026-11-18 11:06</time>"));
    io::directory_entry odd = file("odd");
    odd.modified = nanoseconds::max();
    EXPECT_THAT(listing_html(here, {odd}), HasSubstr("2262-04-11 23:47"));
    odd.modified = nanoseconds::min();
    EXPECT_THAT(listing_html(here, {odd}), HasSubstr("1677-09-21 00:12"));
}

TEST(ListingHtml, SaysWhatItHas)
{
    EXPECT_THAT(listing_html(here, {}), HasSubstr("no entries to show"));
    EXPECT_THAT(listing_html(here, {directory("d"), file("a", 1000), file("b", 1048)}),
                HasSubstr("1 directory, 2 files, 2.0 KiB in total"));
    EXPECT_THAT(listing_html(here, {file("a")}), Not(HasSubstr("page</a>")));
}

TEST(ListingHtml, LeadsToItsOtherParts)
{
    const auto html = listing_html(here, {file("a")}, {.first = "./", .next = "?after=a"});
    EXPECT_THAT(html, HasSubstr("1 file, 12 B in total, on this page"));
    EXPECT_THAT(html, HasSubstr("<a href=\"./\">first page</a>"));
    EXPECT_THAT(html, HasSubstr("<a rel=\"next\" href=\"?after=a\">next page</a>"));
}

TEST(ListingStart, IsTheEntryThatTheQueryNames)
{
    EXPECT_FALSE(listing_start("").has_value());
    EXPECT_FALSE(listing_start("before=a&xafter=b&after").has_value());
    for (const std::string& name :
         {std::string("a"), std::string("a b&c=d+e%41/\xFF\"<>?#"), std::string("\xC3\xA9")}) {
        for (const io::directory_entry& e : {file(name), directory(name)}) {
            const std::string query = listing_after(e);
            EXPECT_EQ(query.find_first_of(" \"<>#'+"), std::string::npos) << "safe in a header and in an attribute";
            const auto start = listing_start("x=1&" + query.substr(1) + "&y=2");
            ASSERT_TRUE(start.has_value());
            EXPECT_EQ(start->name, name);
            EXPECT_EQ(start->is_directory, e.is_directory);
        }
    }
    EXPECT_EQ(listing_start("after=a+b")->name, "a b");
    EXPECT_EQ(listing_start("after=100%")->name, "100%");
    EXPECT_EQ(listing_start("after=%4")->name, "%4");
    EXPECT_EQ(listing_start("after=%41%zz")->name, "A%zz");
}

TEST(ListingHtml, NeedsNothingElse)
{
    const auto html = listing_html(here, {file("a"), directory("b")});
    EXPECT_THAT(html, Not(HasSubstr("<script")));
    EXPECT_THAT(html, HasSubstr("<link rel=\"icon\" href=\"data:,\">")) << "or browsers ask for /favicon.ico";
    EXPECT_THAT(html, Not(HasSubstr(" style="))) << "only the style sheet is allowed by the page's policy";
    EXPECT_THAT(html, Not(HasSubstr("url(")));
    EXPECT_THAT(html, Not(HasSubstr("src=")));
}

TEST(ListingJson, IsAnArray)
{
    EXPECT_EQ(listing_json({}), "[]\n");
    EXPECT_EQ(listing_json({file("b\"", 7), file(".hidden"), directory("d")}),
              "[\n{\"name\":\"d\",\"type\":\"directory\",\"size\":null,\"modified\":\"2026-11-18T11:06:40Z\"},\n"
              "{\"name\":\"b\\\"\",\"type\":\"file\",\"size\":7,\"modified\":\"2026-11-18T11:06:40Z\"}\n]\n");
}

}  // namespace
}  // namespace server
