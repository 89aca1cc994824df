// SPDX-License-Identifier: MIT
#include "server/acceptor/acceptor.hpp"

#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "csp/par.hpp"
#include "csp/timer.hpp"
#include "io/test_engines.hpp"
#include "server/messages/stop.hpp"

namespace server {
namespace {

using io::test::reserved_port;
using io::test::soon;

listening listening_at(const reserved_port& port)
{
    return {port.where().to_string(), io::listen(port.where()).value()};
}

/// Yields when nobody listens there any more.
csp::step<void> until_left(io::address where)
{
    while (!io::listen(where)) co_await csp::sleep(std::chrono::milliseconds(5));
}

/// Stands for config, the supervisor, a client, and for parking that has no room for some time.
csp::process story(std::string first, csp::out<listening_change> changes, csp::out<stop> stops, csp::in<conn> arrivals,
                   csp::in<stop> no_more)
{
    const io::address old_one = *io::address::parse(first);
    auto client = co_await io::connect(old_one, soon());
    co_await csp::sleep(std::chrono::milliseconds(50));  // its acceptor has it in its hands, and nobody takes it

    const reserved_port port;
    listening second = listening_at(port);
    const io::address new_one = *io::address::parse(second.address);
    listening_change change;
    change.opened.push_back(std::move(second));
    change.closed.push_back(first);
    EXPECT_TRUE(co_await changes.output(std::move(change))) << "nothing is waited for";

    auto another = co_await io::connect(new_one, soon());
    for (int i = 0; i < 2; ++i) {
        auto arrived = co_await arrivals.input();
        EXPECT_TRUE(arrived.has_value()) << "neither is lost";
    }
    co_await until_left(old_one);
    EXPECT_FALSE(io::listen(new_one)) << "the new one is held";

    EXPECT_TRUE(co_await stops.output({stop::manner::gently}));
    EXPECT_FALSE((co_await arrivals.input()).has_value());
    EXPECT_EQ((co_await no_more.input())->how, stop::manner::gently);
    co_await until_left(new_one);
    EXPECT_TRUE(co_await stops.output({stop::manner::now}));
    EXPECT_EQ((co_await no_more.input())->how, stop::manner::now);
}

csp::process nothing_to_log(csp::in<log_lines> lines)
{
    while (const auto line = co_await lines.input()) ADD_FAILURE() << line->text;
}

csp::process addresses_come_and_go()
{
    csp::chan<listening_change> changes;
    csp::chan<stop> stops, no_more;
    csp::chan<conn> arrivals;
    csp::chan<log_lines> lines;
    std::vector<listening> first;
    const reserved_port port;
    first.push_back(listening_at(port));
    std::string where = first.front().address;
    co_await csp::par(acceptors(std::move(first), descriptors::plentiful, changes.rx(), stops.rx(),
                                arrivals.shared_tx(), no_more.tx(), lines.shared_tx()),
                      story(std::move(where), changes.tx(), stops.tx(), arrivals.rx(), no_more.rx()),
                      nothing_to_log(lines.rx()));
}

class Acceptors : public io::test::on_engine {};

TEST_P(Acceptors, ChangeTheirAddressesWhileParkingHasNoRoom) { run(addresses_come_and_go()); }

ON_BOTH_ENGINES(Acceptors);

}  // namespace
}  // namespace server
