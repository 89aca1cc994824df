// SPDX-License-Identifier: MIT
#include "server/cache/divided_contents.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "server/testing/test_support.hpp"

namespace server {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::IsEmpty;
using testing::Lt;

/// The contents, and which path each cache process was told to keep.
class followed {
  public:
    explicit followed(const cache_rules& rules) : contents_(rules) {}

    void finds(const std::string& path, frozen_page page)
    {
        looked_up look{.path = path, .path_hash = std::hash<std::string>()(path), .found = std::move(page), .when = {}};
        for (const change& c : contents_.decide(std::move(look))) {
            const assignment& to = *std::get<std::unique_ptr<assignment>>(c.to);
            if (to.page) {
                kept_[c.slot] = to.path;
                EXPECT_THAT(slots_of(to.path), ElementsAre(c.slot)) << to.path << " is kept twice";
            } else {
                EXPECT_EQ(kept_.erase(c.slot), 1U);
            }
        }
    }
    [[nodiscard]] std::vector<slot_number> slots_of(const std::string& path) const
    {
        std::vector<slot_number> slots;
        for (const auto& [slot, kept] : kept_) {
            if (kept == path) slots.push_back(slot);
        }
        return slots;
    }
    [[nodiscard]] std::size_t kept() const { return kept_.size(); }
    [[nodiscard]] cache_view view() const { return contents_.view(1); }

  private:
    divided_contents contents_;
    std::map<slot_number, std::string> kept_;
};

const cache_rules few{.pages = 4, .open_files = 3, .absences = 2};

TEST(DividedContents, EachKindHasItsOwnCacheProcesses)
{
    followed f(few);
    f.finds("/page", test::page_of("text"));
    f.finds("/file", test::page_of_open_file());
    f.finds("/nothing", test::page_of_absence());
    EXPECT_THAT(f.slots_of("/page"), ElementsAre(Lt(4U)));
    EXPECT_THAT(f.slots_of("/file"), ElementsAre(AllOf(Ge(4U), Lt(7U))));
    EXPECT_THAT(f.slots_of("/nothing"), ElementsAre(AllOf(Ge(7U), Lt(9U))));
}

TEST(DividedContents, EachKindIsCountedByItself)
{
    followed f(few);
    f.finds("/page", test::page_of("text"));
    for (const char* const path : {"/file", "/another"}) f.finds(path, test::page_of_open_file());
    f.finds("/nothing", test::page_of_absence());
    const cache_view view = f.view();
    EXPECT_EQ(view.kept, 1U);
    EXPECT_EQ(view.most_pages, 4U);
    EXPECT_EQ(view.open_files, 2U);
    EXPECT_EQ(view.most_open_files, 3U);
    EXPECT_EQ(view.absences, 1U);
    EXPECT_EQ(view.most_absences, 2U);
}

TEST(DividedContents, WhoeverAsksForRandomNamesPushesOutNoPage)
{
    followed f(few);
    for (const char* const path : {"/1", "/2", "/3", "/4"}) f.finds(path, test::page_of("text"));
    for (const char* const path : {"/5", "/6", "/7"}) f.finds(path, test::page_of_open_file());
    for (int i = 0; i < 10'000; ++i) {
        for (int times = 0; times < 3; ++times) f.finds("/random" + std::to_string(i), test::page_of_absence());
    }
    for (const char* const path : {"/1", "/2", "/3", "/4", "/5", "/6", "/7"}) EXPECT_EQ(f.slots_of(path).size(), 1U);
    EXPECT_EQ(f.kept(), 9U);
}

TEST(DividedContents, APathIsInOneDivisionAtATime)
{
    followed f(few);
    for (const frozen_page& now : {test::page_of("text"), test::page_of_absence(), test::page_of_open_file(),
                                   test::page_of("more"), test::page_of_open_file(), test::page_of_absence()}) {
        f.finds("/a", now);
        EXPECT_EQ(f.slots_of("/a").size(), 1U);
    }
    f.finds("/a", {});
    EXPECT_THAT(f.slots_of("/a"), IsEmpty());
}

}  // namespace
}  // namespace server
