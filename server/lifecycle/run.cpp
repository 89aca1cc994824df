// SPDX-License-Identifier: MIT
#include "server/lifecycle/run.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "io/engine.hpp"
#include "io/signals.hpp"
#include "server/commands/command_line.hpp"
#include "server/lifecycle/config.hpp"
#include "server/lifecycle/startup.hpp"
#include "server/sandbox/sandbox.hpp"
#include "server/service/descriptors.hpp"
#include "server/service/processors.hpp"
#include "server/service/prospects.hpp"
#include "server/service/prospects_of_programs.hpp"

namespace server {
namespace {

/// Reports the failure of the start, also to the old server in an upgrade, which passes it on to the operator.
int fail(const problem& what, const predecessor& old_server = {})
{
    fmt::print(stderr, "occwserv: {}\n", what);
    old_server.tell(what);
    return EXIT_FAILURE;
}
int fail(const early_exit& why, const predecessor& old_server)
{
    for (const complaint& c : why.mistakes) fmt::print(stderr, "{}\n", c);
    if (!why.mistakes.empty()) old_server.tell(fmt::format("{}", fmt::join(why.mistakes, "; ")));
    return why.exit_code;
}

/// The first lines of the error log: warnings, what is served, by which engine, with how many connections.
std::vector<log_lines> first_lines_of(const settings& s, const opened& o, const std::optional<std::string>& fitted)
{
    std::vector<log_lines> all;
    all.reserve(s.warnings.size() + 2);
    for (const std::string& w : s.warnings) all.push_back(error_line("warning", w));
    for (const std::string& w : missing_pages(o.policies.front())) all.push_back(error_line("warning", w));
    for (const std::string& w : unusable_programs(s)) all.push_back(error_line("warning", w));
    std::istringstream lines(what_is_served(s));
    for (std::string line; std::getline(lines, line);) all.push_back(error_line("notice", line));
    all.push_back(error_line("notice", o.engine));
    if (fitted) all.push_back(error_line("notice", *fitted));
    return all;
}

/// Runs the network until it ends.
int serve(settings s, opened o, inheritance given, io::engine_choice engine, const program& runs)
{
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // writing to a log of the greatest allowed size fails as on a full disk
    const auto give_up = [&](const problem& what) {
        leave_nothing_behind(o, given);
        return fail(what, given.old_server);
    };
    // Threads inherit the restriction of files. That of system calls follows when they and their rings are there.
    const auto files = close_files(s, o.manager);
    if (!files) return give_up(files.error());
    // One core more, for work that takes long. A fault that does not reach fault_watch ends the program.
    csp::kernel kernel({.cores = s.workers + 1, .ends_by_fault = true}, runs.engines(engine));
    if (const auto ready = kernel.prepare(); !ready) return give_up(ready.error());
    const auto system_calls = close_system_calls(s.sandbox, engine);
    if (!system_calls) return give_up(system_calls.error());
    o.sandbox = sandbox_line(*files, *system_calls, engine);
    o.first_lines.push_back(error_line("notice", o.sandbox));
    o.old_server = std::move(given.old_server);
    kernel.print_post_mortem_on(SIGQUIT);
    const pid_t steward = o.steward.process;
    const csp::outcome end = kernel.run(runs.network(std::move(s), std::move(o)));
    end_steward(steward);
    return end == csp::outcome::finished ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int run_server(int count, const char** words, const program& runs)
{
    if (!occupy_standard_streams()) return fail("a standard stream is closed, and /dev/null cannot be opened for it");
    auto given = inherit();
    if (!given) return fail(given.error());
    auto configured = read_command_line({words, words + count});
    if (!configured) return fail(configured.error(), given->old_server);
    settings s = std::move(*configured);
    if (s.workers == 0) s.workers = usable_processors();
    if (given->addresses == who_chooses_addresses::manager) s.listen = addresses_of(given->sockets);

    const auto engine = io::probe(s.engine);
    if (!engine) return fail(engine.error(), given->old_server);
    allow_many_descriptors();
    const auto fitted = fit_to_descriptors(s);
    if (!fitted) return fail(fitted.error(), given->old_server);
    // From here on the running server handles signals, so none ends the program with files left behind.
    io::block_signals({SIGTERM, SIGINT, SIGHUP, SIGUSR1});
    auto o = open_all(s, *given, how_we_were_started(count, words, given->addresses));
    if (!o) return fail(o.error(), given->old_server);
    given->others.clear();
    o->manager = service_manager::of_environment();
    o->watchdog = watchdog_of_environment();
    o->engine = engine->why;
    o->first_lines = first_lines_of(s, *o, *fitted);
    return serve(std::move(s), std::move(*o), std::move(*given), engine->runs, runs);
}

}  // namespace server
