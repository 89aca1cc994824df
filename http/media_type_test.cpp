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
    EXPECT_EQ(media_type_of("a.7z").text, "application/x-7z-compressed");  // the first row
    EXPECT_EQ(media_type_of("a.zst").text, "application/zstd");            // the last one
    EXPECT_EQ(media_type_of("site.webmanifest").text, "application/manifest+json");
    EXPECT_EQ(media_type_of("a.tar.gz").text, "application/gzip");
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
        EXPECT_TRUE(media_type_of(name).compressible) << name;
    for (std::string_view name : {"a.png", "a.zip", "a.gz", "a.woff2", "a.mp4", "a"})
        EXPECT_FALSE(media_type_of(name).compressible) << name;
}

}  // namespace
