// SPDX-License-Identifier: MIT
#include "http/media_type.hpp"

#include <string>

#include <gtest/gtest.h>

namespace {

using http::media_type_of;

TEST(MediaType, ByExtension)
{
    EXPECT_EQ(media_type_of("index.html").text, "text/html; charset=utf-8");
    EXPECT_EQ(media_type_of("/a/b/style.CSS").text, "text/css; charset=utf-8");
    EXPECT_EQ(media_type_of("app.mjs").text, "text/javascript; charset=utf-8");  // RFC 9239
    EXPECT_EQ(media_type_of("data.json").text, "application/json");              // RFC 8259: no charset
    EXPECT_EQ(media_type_of("logo.svg").text, "image/svg+xml; charset=utf-8");
    EXPECT_EQ(media_type_of("photo.JPeG").text, "image/jpeg");
    EXPECT_EQ(media_type_of("code.wasm").text, "application/wasm");
    EXPECT_EQ(media_type_of("font.woff2").text, "font/woff2");
    EXPECT_EQ(media_type_of("a.3gp").text, "video/3gpp");        // the first row
    EXPECT_EQ(media_type_of("a.zst").text, "application/zstd");  // the last one
    EXPECT_EQ(media_type_of("site.webmanifest").text, "application/manifest+json");
    EXPECT_EQ(media_type_of("a.tar.gz").text, "application/gzip");
}

// What a site of today consists of.
TEST(MediaType, AModernSite)
{
    struct row {
        std::string_view name, type;
        bool compressible;
    };
    for (const auto& [name, type, compressible] : {row{"a.html", "text/html; charset=utf-8", true},
                                                   row{"a.css", "text/css; charset=utf-8", true},
                                                   row{"a.js", "text/javascript; charset=utf-8", true},
                                                   row{"a.mjs", "text/javascript; charset=utf-8", true},
                                                   row{"a.js.map", "application/json", true},
                                                   row{"a.wasm", "application/wasm", true},
                                                   row{"a.webmanifest", "application/manifest+json", true},
                                                   row{"a.geojson", "application/geo+json", true},
                                                   row{"a.md", "text/markdown; charset=utf-8", true},
                                                   row{"robots.txt", "text/plain; charset=utf-8", true},
                                                   row{"sitemap.xml", "application/xml", true},
                                                   row{"a.svg", "image/svg+xml; charset=utf-8", true},
                                                   row{"a.ttf", "font/ttf", true},
                                                   row{"a.otf", "font/otf", true},
                                                   row{"a.woff", "font/woff", false},
                                                   row{"a.woff2", "font/woff2", false},
                                                   row{"a.avif", "image/avif", false},
                                                   row{"a.webp", "image/webp", false},
                                                   row{"a.jxl", "image/jxl", false},
                                                   row{"a.gif", "image/gif", false},
                                                   row{"a.mp4", "video/mp4", false},
                                                   row{"a.webm", "video/webm", false},
                                                   row{"a.mp3", "audio/mpeg", false},
                                                   row{"a.opus", "audio/ogg", false},
                                                   row{"a.pdf", "application/pdf", false},
                                                   row{"a.br", "application/x-brotli", false}}) {
        EXPECT_EQ(media_type_of(name).text, type) << name;
        EXPECT_EQ(media_type_of(name).compressible(), compressible) << name;
    }
}

TEST(MediaType, OtherwiseBytes)
{
    for (std::string_view name :
         {"", "Makefile", "a.", ".", "a.unknown", "a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a.html/b", "a.htmlx"})
        EXPECT_EQ(media_type_of(name).text, "application/octet-stream") << name;
}

TEST(MediaType, WhatIsWorthCompressing)
{
    for (std::string_view name : {"a.html", "a.js", "a.json", "a.svg", "a.txt", "a.xml", "a.wasm", "a.ttf", "a.ico"})
        EXPECT_TRUE(media_type_of(name).compressible()) << name;
    for (std::string_view name : {"a.png", "a.zip", "a.gz", "a.woff2", "a.mp4", "a"})
        EXPECT_FALSE(media_type_of(name).compressible()) << name;
    for (std::string_view name : {"a", "a.bin", "a.data", "a.onnx", "a.pbf", "a.pdf", "a.exe"})
        EXPECT_EQ(media_type_of(name).by_coding, http::compression::may_help) << name;
    for (std::string_view name : {"a.png", "a.zip", "a.gz", "a.woff2", "a.mp4", "a.svgz"})
        EXPECT_EQ(media_type_of(name).by_coding, http::compression::useless) << name;
}

TEST(MediaType, WhatIsStoredCompressed)
{
    EXPECT_EQ(media_type_of("a.SVGZ").text, media_type_of("a.svg").text);
    EXPECT_EQ(media_type_of("a.svgz").stored, http::coding::gzip);
    EXPECT_EQ(media_type_of("a.svg").stored, http::coding::identity);
    EXPECT_EQ(media_type_of("a.gz").stored, http::coding::identity);
}

}  // namespace
