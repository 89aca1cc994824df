// SPDX-License-Identifier: MIT
//
// Opens what the network needs, reports plainly what cannot be opened, and runs the network.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "csp/kernel.hpp"
#include "io/engine.hpp"
#include "io/signals.hpp"
#include "server/commands/command_line.hpp"
#include "server/lifecycle/config.hpp"
#include "server/lifecycle/startup.hpp"
#include "server/network.hpp"
#include "server/service/descriptors.hpp"
#include "server/service/processors.hpp"
#include "server/service/prospects.hpp"

namespace {

using namespace server;

/// Also to the predecessor, if there is one, which tells the operator.
int fail(const problem& what, const predecessor& before_us = {})
{
    fmt::print(stderr, "occwserv: {}\n", what);
    before_us.tell(what);
    return EXIT_FAILURE;
}
int fail(const early_exit& why, const predecessor& before_us)
{
    for (const complaint& c : why.mistakes) fmt::print(stderr, "{}\n", c);
    if (!why.mistakes.empty()) before_us.tell(fmt::format("{}", fmt::join(why.mistakes, "; ")));
    return why.exit_code;
}

void tell_what_is_served(const settings& s, opened& o)
{
    std::istringstream lines(what_is_served(s));
    for (std::string line; std::getline(lines, line);) o.first_lines.push_back(error_line("notice", line));
    o.first_lines.push_back(error_line("notice", o.engine));
}

}  // namespace

int main(int count, const char** words)
{
    if (!occupy_standard_streams()) return fail("a standard stream is closed, and /dev/null cannot be opened for it");
    auto given = inherit();
    if (!given) return fail(given.error());
    auto configured = read_command_line({words, words + count});
    if (!configured) return fail(configured.error(), given->before_us);
    settings s = std::move(*configured);
    if (s.workers == 0) s.workers = usable_processors();
    if (given->addresses == who_chooses_addresses::manager) s.listen = addresses_of(given->sockets);

    const auto engine = io::probe(s.engine);
    if (!engine) return fail(engine.error(), given->before_us);
    allow_many_descriptors();
    const auto fitted = fit_to_descriptors(s);
    if (!fitted) return fail(fitted.error(), given->before_us);
    // From here on a signal is answered by the running server: none ends it with files left behind.
    io::block_signals({SIGTERM, SIGINT, SIGHUP, SIGUSR1});
    auto o = open_all(s, *given);
    if (!o) return fail(o.error(), given->before_us);
    given->others.clear();
    o->command = how_we_were_started(count, words, given->addresses);
    o->manager = service_manager::of_environment();
    o->watchdog = watchdog_of_environment();
    for (const std::string& w : missing_pages(o->policies.front())) s.warnings.push_back(w);
    for (const std::string& w : s.warnings) o->first_lines.push_back(error_line("warning", w));
    o->engine = engine->why;
    tell_what_is_served(s, *o);
    if (*fitted) o->first_lines.push_back(error_line("notice", **fitted));

    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a log that may not grow any more is a full disk
    // One core is the workshop. A fault that not even the fault watch hears of ends the program.
    csp::kernel kernel({.cores = s.workers + 1, .ends_by_fault = true}, io::engines(engine->runs));
    if (const auto ready = kernel.prepare(); !ready) {
        leave_nothing_behind(*o, *given);
        return fail(ready.error(), given->before_us);
    }
    o->before_us = std::move(given->before_us);
    kernel.print_post_mortem_on(SIGQUIT);
    const csp::outcome end = kernel.run(web_server(std::move(s), std::move(*o)));
    return end == csp::outcome::finished ? EXIT_SUCCESS : EXIT_FAILURE;
}
