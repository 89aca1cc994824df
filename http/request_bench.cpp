// SPDX-License-Identifier: MIT
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <benchmark/benchmark.h>

#include "http/request.hpp"
#include "http/response.hpp"
#include "http/target.hpp"

namespace {

// The head that a browser sends for a page: 561 bytes, 13 fields.
constexpr std::string_view browser_head =
    "GET /docs/guide/getting-started.html?lang=en HTTP/1.1\r\n"
    "Host: www.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: https://www.example.org/docs/\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef; theme=dark\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "If-None-Match: \"5f3a-18c9\"\r\n\r\n";

constexpr std::string_view small_head = "GET /index.html HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";

void scan_head(benchmark::State& state, std::string_view text)
{
    for (auto _ : state) {
        http::head_scan scan;
        benchmark::DoNotOptimize(scan.feed(text, {}));
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void parse_head(benchmark::State& state, std::string_view text)
{
    http::request_head head;
    const http::limits limits;
    for (auto _ : state) {
        benchmark::DoNotOptimize(http::parse_head(text, limits, head));
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void parse_target(benchmark::State& state)
{
    http::request_head head;
    if (!http::parse_head(browser_head, {}, head)) return state.SkipWithError("the head is refused");
    for (auto _ : state) benchmark::DoNotOptimize(http::parse_target(head));
}

void write_head(benchmark::State& state)
{
    std::array<char, 512> buffer{};
    for (auto _ : state) {
        http::head_writer head(buffer);
        head.status_line(http::status::ok)
            .field("Content-Type", "text/html; charset=utf-8")
            .field("Content-Length", 8192)
            .field("ETag", "\"5f3a-18c9\"")
            .date(std::chrono::sys_seconds{});
        benchmark::DoNotOptimize(head.finish());
    }
}

}  // namespace

// Registered by hand, because the macros of benchmark 1.7 use __COUNTER__, about which newer compilers warn.
int main(int argc, char** argv)
{
    benchmark::RegisterBenchmark("scan_head/browser", scan_head, browser_head);
    benchmark::RegisterBenchmark("scan_head/small", scan_head, small_head);
    benchmark::RegisterBenchmark("parse_head/browser", parse_head, browser_head);
    benchmark::RegisterBenchmark("parse_head/small", parse_head, small_head);
    benchmark::RegisterBenchmark("parse_target/browser", parse_target);
    benchmark::RegisterBenchmark("write_head", write_head);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
