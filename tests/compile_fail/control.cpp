// SPDX-License-Identifier: MIT
//
// All that the other files here do, done as it should be. This one must compile, or their failing proves nothing.
#include <memory>
#include <string>
#include <utility>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/par.hpp"
#include "csp/process.hpp"

struct page {
    std::unique_ptr<std::string> body;
};

csp::process reader(csp::in<page> pages)
{
    while (auto p = co_await pages.input()) {
    }
}
csp::process writer(csp::out<page> to_reader, std::string text)
{
    co_await to_reader.output(page{std::make_unique<std::string>(std::move(text))});
}
csp::step<int> length_of(const page& p) { co_return static_cast<int>(p.body->size()); }

csp::process network(csp::bridge_out<page> to_other_core)
{
    csp::chan<page> pages;
    co_await csp::par(reader(pages.rx()), writer(pages.tx(), "text"));
    const page own{std::make_unique<std::string>("own")};
    const int length = co_await length_of(own);
    csp::forking workers;
    csp::chan<int> lengths;
    auto idle = lengths.rx();
    auto moved = std::move(idle);
    static_cast<void>(length);
    co_await workers.join();
}

void start_it(csp::forking& all, csp::bridge_out<page> to_other_core) { all.start(network(std::move(to_other_core))); }
