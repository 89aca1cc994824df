// SPDX-License-Identifier: MIT
#include "server/log/log_text.hpp"

#include <syslog.h>
#include <unistd.h>

#include <gmock/gmock.h>

namespace server {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

log_lines message(std::string_view what, std::string request = {})
{
    return {.which = log_kind::error,
            .text = std::string(what),
            .severity = "warning",
            .request = std::move(request),
            .when = std::chrono::sys_days{2026y / 11 / 24} + 9h + 5ms};
}

const log_target journal{.what = log_target::kind::journal};
const log_target mail{.what = log_target::kind::syslog, .path = {}, .facility = LOG_MAIL};

TEST(LogText, PlainErrors)
{
    EXPECT_EQ(error_text(message("what"), log_form::combined), "2026-11-24 09:00:00 warning: what\n");
    EXPECT_EQ(error_text(message("what", "a-1-2"), log_form::combined),
              "2026-11-24 09:00:00 warning: what [request a-1-2]\n");
}

TEST(LogText, ErrorsInJson)
{
    EXPECT_EQ(error_text(message("\"what\""), log_form::json),
              R"({"time":"2026-11-24T09:00:00.005Z","severity":"warning","message":"\"what\""})"
              "\n");
    EXPECT_EQ(error_text(message("what", "a-1-2"), log_form::json),
              R"({"time":"2026-11-24T09:00:00.005Z","severity":"warning","message":"what","request_id":"a-1-2"})"
              "\n");
}

TEST(LogText, NoErrorCanBeForgedNorRuleATerminal)
{
    const auto nasty = "a\n2026-11-24 error: b\r\x1b[2J \xC2\x9B[2J \0 caf\xC3\xA9 \xC2\xA0 \xC2"sv;
    EXPECT_THAT(error_text(message(nasty), log_form::combined),
                HasSubstr("a\\x0A2026-11-24 error: b\\x0D\\x1B[2J \\xC2\\x9B[2J \\x00 caf\xC3\xA9 \xC2\xA0 \xC2\n"));
    for (const std::string& datagram : datagrams_of(message(nasty), log_form::combined, mail)) {
        EXPECT_FALSE(datagram.contains('\n'));
    }
    EXPECT_THAT(datagrams_of(message(nasty), log_form::combined, journal).front(), HasSubstr("MESSAGE=a\\x0A2026-"));
}

TEST(LogText, Syslog)
{
    const std::string pid = std::to_string(getpid());
    const std::string time = "[A-Z][a-z][a-z] [ 1-3][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]";
    EXPECT_THAT(datagrams_of(message("what", "a-1-2"), log_form::combined, mail),
                ElementsAre(MatchesRegex("<20>" + time + " occwserv.{1,2}" + pid + ".: what .request a-1-2.")));
    EXPECT_THAT(datagrams_of(message("what"), log_form::json, mail), ElementsAre(HasSubstr(": {\"time\":\"2026-")));
    log_lines access{.text = "one\ntwo\n"};
    EXPECT_THAT(datagrams_of(access, log_form::combined, mail),
                ElementsAre(MatchesRegex("<22>.*: one"), MatchesRegex("<22>.*: two")));
}

TEST(LogText, Journal)
{
    EXPECT_THAT(datagrams_of(message("what", "a-1-2"), log_form::combined, journal),
                ElementsAre("MESSAGE=what [request a-1-2]\nPRIORITY=4\nSYSLOG_IDENTIFIER=occwserv\nOCCWSERV_LOG=error\n"
                            "OCCWSERV_REQUEST_ID=a-1-2\n"));
    log_lines access{.text = "one\ntwo\n"};
    EXPECT_THAT(datagrams_of(access, log_form::combined, journal),
                ElementsAre("MESSAGE=one\nPRIORITY=6\nSYSLOG_IDENTIFIER=occwserv\nOCCWSERV_LOG=access\n",
                            "MESSAGE=two\nPRIORITY=6\nSYSLOG_IDENTIFIER=occwserv\nOCCWSERV_LOG=access\n"));
}

}  // namespace
}  // namespace server
