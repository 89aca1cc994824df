// SPDX-License-Identifier: MIT
#include "server/service/listeners.hpp"

#include <filesystem>
#include <functional>
#include <utility>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "io/address.hpp"
#include "io/test_engines.hpp"
#include "server/testing/test_steward.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using io::test::reserved_port;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

settings listening_on(std::vector<std::string> where, unsigned workers = 2)
{
    settings s;
    s.listen = std::move(where);
    s.workers = workers;
    return s;
}

/// An address of this machine at which nobody listens.
std::string at(const reserved_port& port) { return port.where().to_string(); }

/// One at which somebody listens as long as the listener lives.
std::pair<io::listener, std::string> taken()
{
    auto l = io::listen(io::address::loopback(0)).value();
    std::string where = io::local(l)->to_string();
    return {std::move(l), std::move(where)};
}

bool can_be_taken(const std::string& where) { return io::listen(*io::address::parse(where)).has_value(); }

TEST(Addresses, OfTwoSpellingsOneIsWanted)
{
    EXPECT_THAT(wanted_addresses(listening_on({":80", "[::]:80", "127.0.0.1:80", "127.0.0.1:080", ":80"})),
                ElementsAre("[::]:80", "127.0.0.1:80"));
}

TEST(Addresses, Port0IsOnePortAndStays)
{
    settings wanted = listening_on({"127.0.0.1:0", "127.0.0.1:0"}, 3);
    auto move = move_addresses({}, wanted, {});
    ASSERT_TRUE(move);
    EXPECT_THAT(move->for_supervisor.opened, SizeIs(3));
    const std::string chosen = move->for_supervisor.opened.front().address;
    EXPECT_NE(io::address::parse(chosen)->port(), 0);
    for (const listening& l : move->for_supervisor.opened) {
        EXPECT_EQ(l.address, chosen);
        EXPECT_EQ(io::local(l.socket)->to_string(), chosen);
    }
    move->name_ports(wanted.listen);
    EXPECT_THAT(wanted.listen, ElementsAre(chosen, chosen));

    std::vector<std::string> again{"[::1]:0", "127.0.0.1:0", "unix:/a"};
    EXPECT_THAT(settle_addresses(again, {"unix:/a", chosen}), IsEmpty());
    EXPECT_THAT(again, ElementsAre("[::1]:0", chosen, "unix:/a"));
    std::vector<std::string> besides{"127.0.0.1:0", chosen};
    EXPECT_THAT(settle_addresses(besides, {chosen}), IsEmpty());
    EXPECT_THAT(besides, ElementsAre("127.0.0.1:0", chosen)) << "what is named itself is not taken for another";
}

class UnixAddress : public testing::Test {
  protected:
    /// Returns when the steward has done all that it was asked.
    void with_steward(const std::function<void(const steward_line&)>& act)
    {
        const test::test_steward steward(test::test_steward::for_command({"occwserv", d.path(), "--listen", where}));
        act(steward.line());
    }
    [[nodiscard]] bool is_there() const { return std::filesystem::exists(d.path() + "/s"); }

    const test::scratch_directory d;
    const std::string where = "unix:" + d.path() + "/s";
};

TEST_F(UnixAddress, IsRemovedWithItsListener)
{
    with_steward([this](const steward_line& steward) {
        const auto move = move_addresses({}, listening_on({where}), steward);
        ASSERT_TRUE(move) << move.error().front();
        EXPECT_TRUE(is_there());
        steward.remove_file_of(move->for_supervisor.opened.front());
    });
    EXPECT_FALSE(is_there());
}

TEST_F(UnixAddress, OfAnotherServerStays)
{
    with_steward([this](const steward_line& steward) {
        const auto move = move_addresses({}, listening_on({where}), steward);
        ASSERT_TRUE(move) << move.error().front();
        std::filesystem::rename(d.path() + "/s", d.path() + "/moved");
        const auto another = move_addresses({}, listening_on({where}), steward);
        ASSERT_TRUE(another) << another.error().front();
        steward.remove_file_of(move->for_supervisor.opened.front());
    });
    EXPECT_TRUE(is_there());
}

TEST(Addresses, OnlyWhatDiffersIsOpened)
{
    const reserved_port one, other;
    const std::string stays = at(one);
    const std::string comes = at(other);
    auto move = move_addresses({stays, "127.0.0.1:1"}, listening_on({stays, comes}, 3), {});
    ASSERT_TRUE(move);
    EXPECT_THAT(move->for_cores, SizeIs(3));
    for (const listening_change& c : move->for_cores) {
        ASSERT_THAT(c.opened, SizeIs(1));
        EXPECT_EQ(c.opened.front().address, comes);
        EXPECT_EQ(io::local(c.opened.front().socket)->to_string(), comes);
        EXPECT_THAT(c.closed, ElementsAre("127.0.0.1:1"));
        EXPECT_TRUE(c.closes("127.0.0.1:1"));
        EXPECT_FALSE(c.closes(stays));
    }
    EXPECT_THAT(move->for_supervisor.opened, SizeIs(3)) << "another of each";
    EXPECT_TRUE(can_be_taken(stays)) << "it was there already, as far as this knows";
    move = move_addresses({stays}, listening_on({stays}), {});
    ASSERT_TRUE(move);
    EXPECT_TRUE(move->changes_nothing());
}

TEST(Addresses, OneThatCannotBeOpenedKeepsAllClosed)
{
    const auto [somebody, where] = taken();
    const auto [another, too] = taken();
    const reserved_port port;
    const std::string free = at(port);
    const auto move = move_addresses({}, listening_on({free, where, too}), {});
    ASSERT_FALSE(move);
    EXPECT_THAT(move.error(), ElementsAre(HasSubstr(where + " is in use by "), HasSubstr(too + " is in use by ")));
    EXPECT_TRUE(can_be_taken(free));
}

TEST(Addresses, APortOfOursIsShared)
{
    const reserved_port port;
    const auto present = move_addresses({}, listening_on({at(port)}), {});
    ASSERT_TRUE(present);
    const std::string ours = present->for_supervisor.opened.front().address;
    const std::string all = fmt::format("[::]:{}", io::address::parse(ours)->port());
    const auto wider = move_addresses({ours}, listening_on({all}), {});
    ASSERT_TRUE(wider) << wider.error().front();
    EXPECT_THAT(wider->for_supervisor.closed, ElementsAre(ours));
    EXPECT_FALSE(move_addresses({}, listening_on({all}), {})) << "somebody else's is not";
}

}  // namespace
}  // namespace server
