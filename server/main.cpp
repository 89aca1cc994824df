// SPDX-License-Identifier: MIT
//
// Opens what the network needs, saying plainly what cannot be had, and runs it.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/resource.h>
#include <utility>

#include <fmt/core.h>

#include "csp/kernel.hpp"
#include "io/engine.hpp"
#include "io/signals.hpp"
#include "server/command_line.hpp"
#include "server/network.hpp"
#include "server/who_listens.hpp"

namespace {

using namespace server;

/// What cannot be opened, told as one sentence.
using problem = std::string;

unsigned usable_processors()
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&allowed)));
}

/// As many connections as the system allows us: the soft limit on descriptors is for programs that use select().
void allow_many_descriptors()
{
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

problem cannot_listen(const std::string& where, const io::address& address, const io::error& e)
{
    if (e.number == EADDRINUSE) {
        const auto who = who_listens(address.port());
        return fmt::format("{} is in use by {}; choose another with --port or --listen", where,
                           who.value_or("another program"));
    }
    if (e.number == EACCES) return fmt::format("{}: ports below 1024 need root or CAP_NET_BIND_SERVICE", where);
    return fmt::format("cannot listen on {}: {}", where, e.text);
}

/// A listener for each core, which share the port among them and with nobody else.
std::expected<std::vector<io::listener>, problem> listen_on(const std::string& where, unsigned cores)
{
    constexpr int backlog = 4096;
    auto address = io::address::parse(where);
    if (!address) return std::unexpected(fmt::format("`{}` is not an address", where));
    {
        // Sharing a port lets in every program of this user: whether somebody has it already must be asked without.
        auto probe = io::listen(*address, backlog, io::port_sharing::exclusive);
        if (!probe) return std::unexpected(cannot_listen(where, *address, probe.error()));
    }
    std::vector<io::listener> listeners;
    for (unsigned i = 0; i < cores; ++i) {
        auto l = io::listen(*address, backlog, io::port_sharing::among_cores);
        if (!l) return std::unexpected(cannot_listen(where, *address, l.error()));
        listeners.push_back(std::move(*l));
    }
    return listeners;
}

std::expected<opened, problem> open_all(const settings& s)
{
    opened o;
    for (unsigned i = 0; i < s.workers; ++i) {
        auto p = make_policy(s);
        if (!p) return std::unexpected(p.error().front());
        o.policies.push_back(std::move(*p));
    }
    o.listeners.resize(s.workers);
    for (const std::string& where : s.listen) {
        auto listeners = listen_on(where, s.workers);
        if (!listeners) return std::unexpected(listeners.error());
        for (unsigned i = 0; i < s.workers; ++i) o.listeners[i].push_back(std::move((*listeners)[i]));
    }
    auto access = open_log(s.log.access, STDOUT_FILENO);
    if (!access) return std::unexpected(access.error());
    auto error = open_log(s.log.error, STDERR_FILENO);
    if (!error) return std::unexpected(error.error());
    o.logs = {.access = std::move(*access), .error = std::move(*error), .form = s.log.form};
    return o;
}

std::string what_is_served(const settings& s)
{
    const auto sites = all_sites(s);
    return sites.size() == 1 ? sites.front().files.root : fmt::format("{} sites", sites.size());
}

int fail(const problem& what)
{
    fmt::print(stderr, "occwserv: {}\n", what);
    return EXIT_FAILURE;
}

}  // namespace

int main(int count, const char** words)
{
    auto configured = read_command_line(count, words);
    if (!configured) return configured.error();
    settings s = std::move(*configured);
    if (s.workers == 0) s.workers = usable_processors();

    const auto engine = io::probe(s.engine);
    if (!engine) return fail(engine.error());
    allow_many_descriptors();
    auto o = open_all(s);
    if (!o) return fail(o.error());

    o->words.assign(words, words + count);
    for (const std::string& w : s.warnings) o->first_lines.push_back(error_line("warning", w));
    for (const std::string& where : s.listen) {
        o->first_lines.push_back(
            error_line("notice", fmt::format("serving {} on http://{} with {} worker{}", what_is_served(s), where,
                                             s.workers, s.workers == 1 ? "" : "s")));
    }
    o->first_lines.push_back(error_line("notice", engine->why));

    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a log that may not grow any more is a full disk
    io::block_signals({SIGTERM, SIGINT, SIGHUP, SIGUSR1});
    csp::kernel kernel({.cores = s.workers + 1}, io::engines(engine->runs));  // one is the workshop
    kernel.print_post_mortem_on(SIGQUIT);
    const csp::outcome end = kernel.run(web_server(std::move(s), std::move(*o)));
    return end == csp::outcome::finished ? EXIT_SUCCESS : EXIT_FAILURE;
}
