// SPDX-License-Identifier: MIT
#include "server/service/prospects_of_programs.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>

#include <gmock/gmock.h>

#include "server/service/prospects.hpp"

namespace server {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A directory of programs, in which these tests put files, and a configuration that runs them.
class ProspectsOfPrograms : public testing::Test {
  protected:
    ProspectsOfPrograms()
    {
        std::string name = (fs::temp_directory_path() / "occwserv-programs-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory for the test");
        place_ = fs::canonical(name);
        fs::create_directories(place_ / "cgi-bin");
        s.files.root = place_.string();
        s.files.routes.push_back({.path = "/cgi-bin/*", .then = cgi_rules(), .headers = {}});
        s.files.places.of["route.0.cgi"] = "c.toml:1:1: ";
        rules().path = in("cgi-bin");
        rules().user = "root";  // so that who owns the files does not matter to a test that root runs
    }
    ~ProspectsOfPrograms() override { fs::remove_all(place_); }

    [[nodiscard]] std::string in(std::string_view name) const { return (place_ / name).string(); }
    cgi_rules& rules() { return std::get<cgi_rules>(s.files.routes[0].then); }

    std::string put(std::string_view name, std::string_view text, bool is_executable = true) const
    {
        std::ofstream(in(name)) << text;
        fs::permissions(in(name), is_executable ? fs::perms::owner_all : fs::perms::owner_read);
        return in(name);
    }
    void run_one(cgi_rules::kind what, std::string path)
    {
        rules().what = what;
        rules().path = std::move(path);
    }

    settings s;

  private:
    fs::path place_;
};

TEST_F(ProspectsOfPrograms, ProgramsThatCanBeRun)
{
    put("cgi-bin/a", "#!/bin/sh\n");
    put("cgi-bin/b", "#! /bin/sh -e\n");
    put("cgi-bin/c",
        "\x7F"
        "ELF");
    put("cgi-bin/.hidden", "", false);
    EXPECT_THAT(unusable_programs(s), IsEmpty());
}

TEST_F(ProspectsOfPrograms, FilesOfADirectoryThatCannotBeRun)
{
    EXPECT_THAT(unusable_programs(s), ElementsAre(AllOf(HasSubstr("c.toml:1:1: there is no executable file in"))));
    put("cgi-bin/a", "#!/bin/sh\n");
    put("cgi-bin/data", "", false);
    EXPECT_THAT(unusable_programs(s), ElementsAre(HasSubstr("data in " + in("cgi-bin") + " cannot be run: not exec")));
    put("cgi-bin/more", "", false);
    EXPECT_THAT(unusable_programs(s), ElementsAre(HasSubstr("and 1 other file in")));
}

TEST_F(ProspectsOfPrograms, LinksThatLeadOutOfTheDirectory)
{
    put("outside", "#!/bin/sh\n");
    put("cgi-bin/a", "#!/bin/sh\n");
    fs::create_symlink("a", in("cgi-bin/b"));
    EXPECT_THAT(unusable_programs(s), IsEmpty());
    fs::create_symlink(in("outside"), in("cgi-bin/c"));
    EXPECT_THAT(unusable_programs(s), ElementsAre(AllOf(HasSubstr("c in "), HasSubstr("leads out of the directory"))));
}

TEST_F(ProspectsOfPrograms, ScriptsWithoutTheirInterpreter)
{
    put("cgi-bin/a", "#!/no/such/sh -e\n");
    EXPECT_THAT(unusable_programs(s), Contains(HasSubstr("names /no/such/sh, which does not exist")));
    run_one(cgi_rules::kind::program, put("b", "#!/no/such/sh"));
    EXPECT_THAT(unusable_programs(s), ElementsAre(HasSubstr(in("b") + " cannot be run: its first line names")));
    run_one(cgi_rules::kind::program, put("c", "#!"));
    EXPECT_THAT(unusable_programs(s), IsEmpty());
}

TEST_F(ProspectsOfPrograms, OneProgram)
{
    for (const auto what : {cgi_rules::kind::program, cgi_rules::kind::interpreter}) {
        run_one(what, in("absent"));
        EXPECT_THAT(unusable_programs(s), ElementsAre("c.toml:1:1: " + in("absent") + " does not exist"));
        run_one(what, in("cgi-bin"));
        EXPECT_THAT(unusable_programs(s), ElementsAre(HasSubstr("is not a file")));
        run_one(what, put("data", "", false));
        EXPECT_THAT(unusable_programs(s), ElementsAre(HasSubstr("is not executable")));
        fs::remove(in("data"));
    }
}

TEST_F(ProspectsOfPrograms, RootRunsOnlyWhatNobodyElseCanChange)
{
    run_one(cgi_rules::kind::program, put("a", "#!/bin/sh\n"));
    fs::permissions(in("a"), fs::perms::others_write, fs::perm_options::add);
    rules().user = "";
    const auto changed_by_others = HasSubstr("cannot be run as root, because another user could change it: set `user`");
    EXPECT_EQ(unusable_programs(s).size(), ::geteuid() == 0 ? 1U : 0U);
    if (::geteuid() == 0) EXPECT_THAT(unusable_programs(s), ElementsAre(changed_by_others));
    s.user = "nobody";
    EXPECT_THAT(unusable_programs(s), Not(Contains(changed_by_others)));
}

TEST_F(ProspectsOfPrograms, TheWorkingDirectory)
{
    put("cgi-bin/a", "#!/bin/sh\n");
    rules().working_directory = in("cgi-bin");
    EXPECT_THAT(unusable_programs(s), IsEmpty());
    rules().working_directory = in("absent");
    EXPECT_THAT(unusable_programs(s), ElementsAre(HasSubstr("`working_directory` is " + in("absent"))));
}

TEST_F(ProspectsOfPrograms, TheStateDirectory)
{
    s.state = in("absent");
    EXPECT_THAT(missing_on_this_machine(s), ElementsAre(HasSubstr("`state` is " + in("absent"))));
    s.files.routes.clear();
    EXPECT_THAT(missing_on_this_machine(s), IsEmpty());
}

TEST_F(ProspectsOfPrograms, Accounts)
{
    EXPECT_THAT(missing_on_this_machine(s), IsEmpty());
    EXPECT_EQ(missing_rights(s).size(), ::geteuid() == 0 ? 0U : 1U);
    rules().user = "no-such-user";
    EXPECT_THAT(missing_on_this_machine(s), ElementsAre(AllOf(HasSubstr("c.toml:1:1: "), HasSubstr("no-such-user"))));
    EXPECT_THAT(missing_on_this_machine(s, user_is::known), IsEmpty());
}

TEST_F(ProspectsOfPrograms, TheDirectoriesThatMayBeRead)
{
    fs::create_directories(in("www"));
    s.files.root = in("www");
    s.sandbox.read = {in("www")};
    EXPECT_THAT(closed_to_reading(s), ElementsAre(AllOf(HasSubstr("c.toml:1:1: `cgi` names"), HasSubstr("outside"))));
    s.sandbox.read.push_back(in("cgi-bin"));
    EXPECT_THAT(closed_to_reading(s), IsEmpty());
    fs::create_directories(in("files"));
    rules().sendfile_root = in("files");
    EXPECT_THAT(closed_to_reading(s), ElementsAre(HasSubstr("`sendfile_root` names")));
    run_one(cgi_rules::kind::program, "/bin/sh");  // which the server itself does not read
    rules().sendfile_root = "";
    EXPECT_THAT(closed_to_reading(s), IsEmpty());
}

}  // namespace
}  // namespace server
