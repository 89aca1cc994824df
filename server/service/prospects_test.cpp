// SPDX-License-Identifier: MIT
#include "server/service/prospects.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>

namespace server {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

settings serving(const fs::path& root)
{
    settings s;
    s.files.root = root.string();
    return s;
}

class Reading : public testing::Test {
  protected:
    Reading()
    {
        std::string name = (fs::temp_directory_path() / "occwserv-sandbox-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory for the test");
        place_ = name;
        fs::create_directories(place_ / "sites" / "one");
        fs::create_directories(place_ / "sites-of-others");
        fs::create_directory_symlink(place_ / "sites-of-others", place_ / "sites" / "link");
    }
    ~Reading() override { fs::remove_all(place_); }
    [[nodiscard]] const fs::path& place() const { return place_; }

  private:
    fs::path place_;
};

TEST_F(Reading, IsOpenByDefault) { EXPECT_THAT(closed_to_reading(serving(place())), IsEmpty()); }

TEST_F(Reading, OfARootNeedsADirectoryThatContainsIt)
{
    settings s = serving(place() / "sites" / "one");
    s.sandbox.read = {(place() / "sites").string()};
    EXPECT_THAT(closed_to_reading(s), IsEmpty());
    s.files.root = (place() / "sites").string();
    EXPECT_THAT(closed_to_reading(s), IsEmpty());
    s.files.root = (place() / "sites-of-others").string();
    EXPECT_THAT(closed_to_reading(s), ElementsAre(HasSubstr("outside the directories that [sandbox] `read` permits")));
    s.files.root = (place() / "sites" / "link").string();  // it counts where the link leads
    EXPECT_THAT(closed_to_reading(s), ElementsAre(HasSubstr("`root` names")));
    s.sandbox.files = false;
    EXPECT_THAT(closed_to_reading(s), IsEmpty());
}

TEST_F(Reading, OfLinksNeedsTheirDirectories)
{
    settings s = serving(place() / "sites" / "one");
    s.sandbox.read = {(place() / "sites").string()};
    s.files.links_into = {(place() / "sites-of-others").string()};
    EXPECT_THAT(closed_to_reading(s), ElementsAre(HasSubstr("`links_into` names")));
    s.sandbox.read.push_back((place() / "sites-of-others").string());
    EXPECT_THAT(closed_to_reading(s), IsEmpty());
}

TEST_F(Reading, NeedsDirectoriesThatExist)
{
    settings s = serving(place());
    s.sandbox.read = {"/no/such/directory"};
    EXPECT_THAT(closed_to_reading(s), ElementsAre(HasSubstr("names /no/such/directory, which does not exist")));
}

}  // namespace
}  // namespace server
