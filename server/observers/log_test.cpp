// SPDX-License-Identifier: MIT
#include "server/observers/log.hpp"

#include <fcntl.h>
#include <string>
#include <utility>

#include <gmock/gmock.h>

#include "csp/channel.hpp"
#include "csp/kernel.hpp"
#include "csp/par.hpp"
#include "io/engine.hpp"
#include "server/test_support.hpp"

namespace server {
namespace {

csp::process say(csp::out<log_lines> to_log, std::vector<log_lines> all)
{
    for (log_lines& lines : all) co_await to_log.output(std::move(lines));
}

csp::process write_logs(log_files files, std::vector<log_lines> all)
{
    csp::chan<log_lines> lines;
    co_await csp::par(log(std::move(files), lines.rx()), say(lines.tx(), std::move(all)));
}

csp::outcome run(log_files files, std::vector<log_lines> all)
{
    csp::kernel kernel({}, io::engines(io::engine_choice::epoll));
    return kernel.run(write_logs(std::move(files), std::move(all)));
}

TEST(Log, WritesEachKindToItsFile)
{
    const test::scratch_directory d;
    log_files files{.access = *io::open_to_append(d.path() + "/access"),
                    .error = *io::open_to_append(d.path() + "/error")};
    EXPECT_EQ(
        run(std::move(files), {{log_kind::access, "a\nb\n"}, {log_kind::error, "e\n"}, {log_kind::access, "c\n"}}),
        csp::outcome::finished);
    EXPECT_EQ(d.read("access"), "a\nb\nc\n");
    EXPECT_EQ(d.read("error"), "e\n");
}

TEST(Log, NoFileIsNoLog)
{
    const test::scratch_directory d;
    log_files files{.access = {}, .error = *io::open_to_append(d.path() + "/error")};
    EXPECT_EQ(run(std::move(files), {{log_kind::access, "a\n"}, {log_kind::error, "e\n"}}), csp::outcome::finished);
    EXPECT_EQ(d.read("error"), "e\n");
}

TEST(Log, AFullDiskIsToldOnceAndCounted)
{
    const test::scratch_directory d;
    log_files files{.access = *io::open_to_append("/dev/full"), .error = *io::open_to_append(d.path() + "/error")};
    testing::internal::CaptureStderr();
    EXPECT_EQ(
        run(std::move(files), {{log_kind::access, "a\nb\n"}, {log_kind::error, "e\n"}, {log_kind::access, "c\n"}}),
        csp::outcome::finished);
    const std::string told = testing::internal::GetCapturedStderr();
    EXPECT_EQ(told.find("cannot be written"), told.rfind("cannot be written")) << told;
    EXPECT_THAT(told, testing::HasSubstr("cannot be written"));
    EXPECT_THAT(d.read("error"), testing::HasSubstr("e\n"));
    EXPECT_THAT(d.read("error"), testing::HasSubstr("warning: 3 lines of the access log were lost"));
}

TEST(Log, AnErrorLineHasTheTimeAndTheSeverity)
{
    const log_lines line = error_line("notice", "what");
    EXPECT_EQ(line.which, log_kind::error);
    EXPECT_THAT(line.text, testing::MatchesRegex("....-..-.. ..:..:.. notice: what\n"));
}

}  // namespace
}  // namespace server
