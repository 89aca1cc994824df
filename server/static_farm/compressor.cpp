// SPDX-License-Identifier: MIT
#include "server/static_farm/compressor.hpp"

#include <exception>
#include <string_view>
#include <utility>

#include "csp/alt.hpp"
#include "csp/check.hpp"
#include "csp/forking.hpp"
#include "server/static_farm/compression.hpp"

namespace server {
namespace {

/// The text in this coding; empty if it is not at least a twentieth smaller, or if compression fails.
std::string smaller(http::coding c, std::string_view text)
{
    auto coded = compress(c, text);
    if (!coded || coded->size() > text.size() - text.size() / 20) return {};
    coded->shrink_to_fit();  // it was allocated for the worst case, and the cache will keep it
    return std::move(*coded);
}

std::string& text_in(compressed& c, http::coding which)
{
    switch (which) {
        case http::coding::gzip:
            return c.gzip;
        case http::coding::brotli:
            return c.brotli;
        case http::coding::zstd:
            return c.zstd;
        case http::coding::identity:
            break;
    }
    CSP_CHECK(false, "identity is not a compression");
}

/// Returns false if the asker no longer waits for the answer.
csp::step<bool> compress_one(compression_job& job, compressed& into)
{
    if (!co_await job.answer.has_reader()) co_return false;
    if (auto coded = compress(*job.only, job.text)) text_in(into, *job.only) = std::move(*coded);
    co_return true;
}

/// Returns false if the asker no longer waits for the answer.
csp::step<bool> compress_all(compression_job& job, compressed& into)
{
    // The fastest coding first: if the asker leaves meanwhile, the expensive ones are not made.
    if (!co_await job.answer.has_reader()) co_return false;
    into.gzip = smaller(http::coding::gzip, job.text);
    if (!co_await job.answer.has_reader()) co_return false;
    into.zstd = smaller(http::coding::zstd, job.text);
    if (!co_await job.answer.has_reader()) co_return false;
    into.brotli = smaller(http::coding::brotli, job.text);
    co_return true;
}

/// The memory that a waiting job takes, even if its text is empty.
std::size_t bytes_of(const compression_job& job) { return sizeof(compression_job) + job.path.size() + job.text.size(); }

csp::process carry(compression_job job, csp::bridge_out<compression_job> to_compressor,
                   csp::shared_out<std::size_t> taken)
{
    const std::size_t bytes = bytes_of(job);
    co_await to_compressor.output(std::move(job));
    co_await taken.output(bytes);
}

csp::process turn_down(compression_job job)
{
    job.text = {};
    co_await job.answer.output({.path = std::move(job.path),
                                .of = job.of,
                                .gzip = {},
                                .brotli = {},
                                .zstd = {},
                                .site = job.site,
                                .turned_down = true});
}

}  // namespace

csp::process compressor(csp::in<compression_job> jobs)
{
    while (auto job = co_await jobs.input()) {
        compressed result{
            .path = std::move(job->path), .of = job->of, .gzip = {}, .brotli = {}, .zstd = {}, .site = job->site};
        try {
            const bool awaited = job->only ? co_await compress_one(*job, result) : co_await compress_all(*job, result);
            if (!awaited) continue;
        } catch (...) {
            // Out of memory, for example. The codings made so far are a valid answer.
            csp::report_fault();
        }
        co_await job->answer.output(std::move(result));
    }
}

csp::process compression_desk(std::size_t most_bytes, csp::in<compression_job> jobs,
                              csp::bridge_out<compression_job> to_compressor)
{
    csp::chan<std::size_t> reports;
    csp::in<std::size_t> taken = reports.rx();
    const csp::shared_out<std::size_t> report = reports.shared_tx();
    csp::forking couriers;
    std::size_t waiting = 0;
    for (;;) {
        const auto chosen = co_await csp::pri_alt(taken, jobs);

        if (chosen == taken) {
            waiting -= *co_await taken.input();
        } else {
            auto job = co_await jobs.input();
            if (!job) co_return;
            const std::size_t bytes = bytes_of(*job);
            if (bytes > most_bytes - waiting) {
                csp::attempt([&] { couriers.start(turn_down(std::move(*job))); });
            } else if (csp::attempt([&] { couriers.start(carry(std::move(*job), to_compressor, report)); })) {
                waiting += bytes;
            }
        }
    }
}

}  // namespace server
