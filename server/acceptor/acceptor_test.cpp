// SPDX-License-Identifier: MIT
#include "server/acceptor/acceptor.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "csp/par.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"
#include "io/test_engines.hpp"
#include "server/messages/stop.hpp"
#include "server/testing/test_support.hpp"

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

/// The acceptors of one address in virtual time, and clients that the kernel has accepted. Parking takes nobody until a
/// test has it take them.
class full_house {
  public:
    static constexpr unsigned clients = 3;

    explicit full_house(std::uint64_t seed) : kernel_(seed), stop_(stops_.shared_tx()), arrivals_(arrived_.rx())
    {
        std::vector<listening> at;
        at.push_back(listening_at(port_));
        csp::chan<listening_change> changes;
        kernel_.start(acceptors(std::move(at), descriptors::plentiful, changes.rx(), stops_.rx(), arrived_.shared_tx(),
                                no_more_.tx(), lines_.shared_tx()));
        kernel_.start(nothing_to_log(lines_.rx()));
        kernel_.start(heard_by_parking(no_more_.rx(), csp::notebook(heard_)));
        for (unsigned i = 0; i < clients; ++i) {
            all_.emplace_back(::socket(port_.where().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
            EXPECT_EQ(::connect(all_.back().number(), port_.where().data(), port_.where().size()), 0);
        }
        kernel_.settle_with_sockets();
    }

    void order(stop::manner how)
    {
        kernel_.start(orders({how}, stop_));
        kernel_.settle_with_sockets();
    }
    void wait(csp::duration d)
    {
        kernel_.run_for(d);
        kernel_.settle_with_sockets();
    }
    /// Parking has room now, for as long as any come.
    void take_all()
    {
        kernel_.start(takes_all(std::move(arrivals_), csp::notebook(taken_)));
        kernel_.settle_with_sockets();
    }
    [[nodiscard]] const std::vector<stop::manner>& heard() const { return heard_; }
    [[nodiscard]] unsigned taken() const { return taken_; }
    [[nodiscard]] std::string waiting() const { return kernel_.post_mortem(); }

  private:
    static csp::process orders(stop what, csp::shared_out<stop> to) { co_await to.output(what); }
    static csp::process heard_by_parking(csp::in<stop> orders, csp::notebook<std::vector<stop::manner>> heard)
    {
        while (const auto order = co_await orders.input()) heard->push_back(order->how);
    }
    static csp::process takes_all(csp::in<conn> arrivals, csp::notebook<unsigned> taken)
    {
        while (const auto arrived = co_await arrivals.input()) *taken += *arrived ? 1 : 0;
    }

    std::vector<stop::manner> heard_;
    unsigned taken_ = 0;
    const reserved_port port_;
    std::vector<io::descriptor> all_;
    test::engine_kernel kernel_;
    csp::chan<stop> stops_, no_more_;
    csp::chan<conn> arrived_;
    csp::chan<log_lines> lines_;
    csp::shared_out<stop> stop_;
    csp::in<conn> arrivals_;
};

using enum stop::manner;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(AcceptorsAtTheEnd, TellAParkingThatIsFullWithinASecond)
{
    csp::for_seeds(20, [](std::uint64_t seed) {
        full_house s(seed);
        s.order(gently);
        s.wait(std::chrono::milliseconds(999));
        EXPECT_THAT(s.heard(), IsEmpty()) << "the clients come first";
        s.wait(std::chrono::milliseconds(1));
        EXPECT_THAT(s.heard(), ElementsAre(gently)) << s.waiting();
        s.order(now);
        EXPECT_THAT(s.heard(), ElementsAre(gently, now)) << s.waiting();
        s.take_all();
        EXPECT_EQ(s.taken(), full_house::clients) << s.waiting();
    });
}

TEST(AcceptorsAtTheEnd, TellAParkingThatIsFullBothOrdersAtOnce)
{
    csp::for_seeds(20, [](std::uint64_t seed) {
        full_house s(seed);
        s.order(gently);
        s.order(now);
        EXPECT_THAT(s.heard(), ElementsAre(gently, now)) << s.waiting();
        s.take_all();
        EXPECT_EQ(s.taken(), full_house::clients);
    });
}

TEST(AcceptorsAtTheEnd, TellParkingWhenAllHaveComeIn)
{
    csp::for_seeds(20, [](std::uint64_t seed) {
        full_house s(seed);
        s.take_all();
        s.order(now);
        EXPECT_THAT(s.heard(), ElementsAre(now)) << s.waiting();
        EXPECT_EQ(s.taken(), full_house::clients);
    });
}

}  // namespace
}  // namespace server
