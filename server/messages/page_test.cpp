// SPDX-License-Identifier: MIT
#include "server/messages/page.hpp"

#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(ResponseFields, AreLinesInTheOrderAdded)
{
    response_fields f;
    EXPECT_EQ(f.lines(), "");
    f.add("Content-Type", "text/html").add("Content-Length", std::uint64_t{0}).add("Location", "/a%20b/");
    EXPECT_EQ(f.lines(), "Content-Type: text/html\r\nContent-Length: 0\r\nLocation: /a%20b/\r\n");
}

TEST(ResponseFields, HoldAnyNumber)
{
    response_fields f;
    f.add("X", std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(f.lines(), "X: 18446744073709551615\r\n");
}

TEST(ResponseFields, CannotBeSplit)
{
    response_fields f;
    EXPECT_DEATH(f.add("Location", "/\r\nSet-Cookie: x"), "split");
    EXPECT_DEATH(f.add("Location", "/\n"), "split");
    EXPECT_DEATH(f.add("Location", std::string_view("\0", 1)), "split");
}

TEST(ReadyResponse, IsOnePieceWithItsDate)
{
    response_fields f;
    f.add("Content-Length", std::uint64_t{5});
    ready_response r(http::status::ok, f, "hello");
    r.set_date(std::chrono::sys_seconds(std::chrono::seconds(784'111'777)));
    EXPECT_EQ(r.bytes(),
              "HTTP/1.1 200 OK\r\nServer: occwserv\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
              "Content-Length: 5\r\n\r\nhello");
    EXPECT_EQ(r.beginning(), "HTTP/1.1 200 OK\r\nServer: occwserv\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    EXPECT_EQ(r.fields(), f.lines());
    EXPECT_EQ(r.content(), "hello");
    r.set_date(std::chrono::sys_seconds(std::chrono::seconds(784'111'778)));
    EXPECT_EQ(r.beginning(), "HTTP/1.1 200 OK\r\nServer: occwserv\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
    EXPECT_EQ(r.content(), "hello");
}

page page_with(std::string_view text)
{
    page p;
    description about;
    about.media_type = "text/plain; charset=utf-8";
    about.etag = "\"tag\"";
    about.bytes = text.size();
    about.varies = true;
    p.in.front() = representation{about, ready_response(http::status::ok, full_fields(about), text)};
    return p;
}

TEST(Page, HasTheBestCodingThatIsThere)
{
    page p = page_with("some text");
    const auto everything = http::parse_accept_encoding("gzip, br, zstd");
    EXPECT_EQ(p.best(everything).about.coding, http::coding::identity);
    p.add(http::coding::gzip, "zipped");
    EXPECT_EQ(p.best(everything).about.coding, http::coding::gzip);
    p.add(http::coding::brotli, "shorter");
    EXPECT_EQ(p.best(everything).about.coding, http::coding::brotli);
    EXPECT_EQ(p.best(http::parse_accept_encoding("gzip")).about.coding, http::coding::gzip);
    EXPECT_EQ(p.best(http::parse_accept_encoding(std::nullopt)).about.coding, http::coding::identity);
}

TEST(Page, ACodingHasATagAndALengthOfItsOwn)
{
    page p = page_with("some text");
    p.add(http::coding::gzip, "zipped");
    p.add(http::coding::brotli, "");
    EXPECT_FALSE(p.in[static_cast<std::size_t>(http::coding::brotli)].has_value()) << "nothing was gained";
    const representation& r = p.as(http::coding::gzip);
    EXPECT_NE(r.about.etag, p.as(http::coding::identity).about.etag);
    EXPECT_EQ(r.about.bytes, 6U);
    EXPECT_NE(r.whole.fields().find("Content-Encoding: gzip\r\n"), std::string_view::npos);
    EXPECT_NE(r.whole.fields().find("Content-Length: 6\r\n"), std::string_view::npos);
    p.add(http::coding::gzip, "another");
    EXPECT_EQ(p.as(http::coding::gzip).whole.content(), "zipped") << "what stands beside the file goes first";
}

TEST(Page, ItsDateMayComeLater)
{
    const std::chrono::sys_seconds date(std::chrono::seconds(784'111'777));
    page p = page_with("some text");
    p.add(http::coding::gzip, "zipped");
    for (const auto c : {http::coding::identity, http::coding::gzip}) {
        EXPECT_EQ(p.as(c).whole.fields().find("Last-Modified"), std::string_view::npos);
    }
    page_dates all;
    all.fill(date);
    p.set_dates(all);
    EXPECT_EQ(p.dates(), all);
    for (const auto c : {http::coding::identity, http::coding::gzip}) {
        EXPECT_EQ(p.as(c).about.modified, date);
        EXPECT_NE(p.as(c).whole.fields().find("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
                  std::string_view::npos);
    }
    EXPECT_EQ(p.as(http::coding::identity).whole.content(), "some text");
    EXPECT_EQ(p.as(http::coding::gzip).whole.content(), "zipped");
    p.set_dates({});
    EXPECT_EQ(p.as(http::coding::gzip).whole.fields().find("Last-Modified"), std::string_view::npos);
}

TEST(Page, APrecompressedFileHasADateOfItsOwn)
{
    using std::chrono::seconds;
    using std::chrono::sys_seconds;
    const auto at = [](seconds s) { return std::chrono::system_clock::time_point(s); };
    page p = page_with("some text");
    p.made_from = {
        {.inode = 1, .modified = seconds(784'111'777)}, {.inode = 2, .modified = seconds(784'111'800)}, {}, {}};
    p.add(http::coding::gzip, "zipped");
    p.add(http::coding::brotli, "made by us");
    const sys_seconds plain(seconds(784'111'777));
    const sys_seconds beside(seconds(784'111'800));
    EXPECT_EQ(p.dates_at(at(seconds(784'111'900))), (page_dates{plain, beside, plain, plain}));
    EXPECT_EQ(p.dates_at(at(seconds(784'111'800))), (page_dates{plain, {}, plain, plain})) << "it is too young";
    EXPECT_EQ(p.dates_at(at(seconds(784'111'777))), page_dates());
    p.made_from[1].modified = seconds(784'111'000);
    EXPECT_EQ(p.dates_at(at(seconds(784'111'900))), (page_dates{plain, plain, plain, plain}));
}

TEST(Page, LacksACodingForWhoRefusesTheOthers)
{
    page p = page_with("some text");
    const auto missing = [&](std::string_view field) { return p.missing_for(http::parse_accept_encoding(field)); };
    EXPECT_EQ(missing("gzip"), std::nullopt) << "identity will do";
    EXPECT_EQ(missing("gzip, identity;q=0"), http::coding::gzip);
    EXPECT_EQ(missing("gzip;q=0.5, zstd, *;q=0"), http::coding::zstd);
    EXPECT_EQ(missing("*;q=0"), std::nullopt) << "nothing would do";
    EXPECT_EQ(missing("deflate, *;q=0"), std::nullopt);
    p.add(http::coding::gzip, "zipped");
    EXPECT_EQ(missing("gzip, identity;q=0"), std::nullopt);
    EXPECT_EQ(missing("gzip, br, identity;q=0"), std::nullopt) << "what is there goes first";
    EXPECT_EQ(missing("br, identity;q=0"), http::coding::brotli);
    p.as(http::coding::identity).about.varies = false;
    p.as(http::coding::gzip).about.varies = false;
    EXPECT_EQ(missing("br, identity;q=0"), std::nullopt) << "an image, say";
}

TEST(FileIdentity, IsToldByEveryPart)
{
    using std::chrono::nanoseconds;
    const file_identity one{.device = 1, .inode = 2, .size = 3, .modified = nanoseconds(4), .changed = nanoseconds(5)};
    EXPECT_EQ(one, one);
    for (int part = 0; part < 5; ++part) {
        file_identity other = one;
        if (part == 0) ++other.device;
        if (part == 1) ++other.inode;
        if (part == 2) ++other.size;
        if (part == 3) ++other.modified;
        if (part == 4) ++other.changed;
        EXPECT_NE(one, other) << part;
    }
}

TEST(FileIdentity, IsSettledWhenTheClockOfTheFileSystemHasMovedOn)
{
    using std::chrono::milliseconds;
    const std::chrono::system_clock::time_point now(std::chrono::hours(1'000));
    const auto changed = [&](milliseconds ago) { return file_identity{.changed = now.time_since_epoch() - ago}; };
    EXPECT_TRUE(is_settled(changed(milliseconds(21)), now));
    EXPECT_FALSE(is_settled(changed(milliseconds(10)), now));
    EXPECT_FALSE(is_settled(changed(milliseconds(0)), now));
    EXPECT_FALSE(is_settled(changed(milliseconds(-10)), now)) << "that clock may be a little ahead of ours";
    EXPECT_TRUE(is_settled(changed(milliseconds(-5'000)), now));
    EXPECT_TRUE(is_settled(file_identity(), now)) << "of a file that is not there";
}

TEST(ErrorForm, IsThatOfTheAccept)
{
    for (const std::string_view accept :
         {"", "*/*", "image/avif,image/webp,*/*;q=0.8", "text/html;q=0", "text/css,*/*;q=0.1"}) {
        EXPECT_EQ(preferred_form(accept), error_form::text) << accept;
    }
    for (const std::string_view accept :
         {"text/html", "text/*", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}) {
        EXPECT_EQ(preferred_form(accept), error_form::html) << accept;
    }
    EXPECT_EQ(preferred_form("application/json, */*"), error_form::json);
}

}  // namespace
}  // namespace server
