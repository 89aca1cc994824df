// SPDX-License-Identifier: MIT
#include "server/commands/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "io/address.hpp"
#include "server/commands/check.hpp"
#include "server/commands/control_client.hpp"
#include "server/commands/explain.hpp"
#include "server/configuration/configuration.hpp"
#include "server/configuration/log_target.hpp"
#include "server/configuration/written_path.hpp"

namespace server {
namespace {

constexpr int wrong_usage = 2;
constexpr const char* about = "A web server that is a network of communicating processes.";

/// The options as given. An option that is not given leaves the setting of the configuration file as it is.
struct options {
    std::string directory;
    std::string configuration;
    std::optional<std::uint16_t> port;
    std::vector<std::string> listen;
    std::optional<unsigned> workers;
    std::string engine;
    std::optional<std::string> access_log;
    std::optional<std::string> error_log;
    std::string log_format;
    std::string listing;
    std::optional<std::string> control;
    std::optional<std::string> user;
    std::optional<std::string> group;
    std::vector<std::string> cgi;
    std::optional<std::string> state;
    bool no_sandbox = false;
};

void describe(CLI::App& app, options& o)
{
    app.add_option("DIR", o.directory, "directory to serve")->type_name("");
    app.add_option("-p,--port", o.port, "serve on 127.0.0.1 at this port (default 8080); 0 chooses a free port")
        ->check(CLI::Range(0, 65'535));
    app.add_option(
           "-l,--listen", o.listen,
           "serve on this address: 127.0.0.1:80, [::1]:80, :80 for all addresses, or unix:/PATH; may be repeated")
        ->type_name("ADDRESS:PORT")
        ->allow_extra_args(false);
    app.add_option("-w,--workers", o.workers, "number of cores to use, one thread each (default: all available)")
        ->check(CLI::Range(1, 1024));
    app.add_option("--io", o.engine, "kernel interface for input and output: auto, uring or epoll")
        ->check(CLI::IsMember({"auto", "uring", "epoll"}));
    app.add_option("-c,--config", o.configuration, "configuration file; command-line options override the file")
        ->type_name("FILE");
    app.add_option("--access-log", o.access_log,
                   "access log, one line per request: a file, syslog or journal; - for standard output, '' for none")
        ->type_name("FILE");
    app.add_option("--error-log", o.error_log,
                   "error log: a file, syslog or journal; - for standard error, '' for none")
        ->type_name("FILE");
    app.add_option("--log-format", o.log_format, "format of both logs: combined or json")
        ->check(CLI::IsMember({"combined", "json"}));
    app.add_option("--listing", o.listing,
                   "whether a directory without an index page is answered with a list of its files: on or off")
        ->check(CLI::IsMember({"on", "off"}));
    app.add_option("--cgi", o.cgi,
                   "answer addresses that begin with this by the programs in DIR/PREFIX (CGI): /cgi-bin/ for the "
                   "programs in DIR/cgi-bin; may be repeated")
        ->type_name("PREFIX")
        ->allow_extra_args(false);
    app.add_option("--state", o.state,
                   "directory for temporary files, such as request bodies that a program waits for (default /tmp)")
        ->type_name("DIR");
    app.add_option("--control", o.control,
                   "control socket: the path of a unix socket for `occwserv status`, `reload` and the like")
        ->type_name("FILE");
    app.add_option("--user", o.user, "user to switch to after root has opened the listeners and logs")
        ->type_name("USER");
    app.add_option("--group", o.group, "group to switch to (default: the user's group)")->type_name("GROUP");
    app.add_flag("--no-sandbox", o.no_sandbox,
                 "leave files and system calls unrestricted: for debuggers and profilers, not for service");
    app.set_version_flag("-V,--version", "occwserv " OCCWSERV_VERSION, "print the version");
}

void set_listing(const options& o, settings& s)
{
    // `occwserv DIR` is for sharing files, so it lists directories by default. A configuration file is for web sites,
    // where a listing may reveal files that nothing links to.
    if (o.listing == "on" || (o.listing.empty() && o.configuration.empty())) s.files.directories = listing::on;
    if (o.listing == "off") s.files.directories = listing::off;
}

void set_engine(const options& o, settings& s)
{
    if (o.engine == "uring") s.engine = io::engine_choice::uring;
    if (o.engine == "epoll") s.engine = io::engine_choice::epoll;
    if (o.engine == "auto") s.engine = io::engine_choice::automatic;
}

// The following return what is wrong, if anything is.

std::optional<std::string> set_logs(const options& o, settings& s)
{
    if (o.access_log) s.log.access = *o.access_log;
    if (o.error_log) s.log.error = *o.error_log;
    if (o.log_format == "combined") s.log.form = log_form::combined;
    if (o.log_format == "json") s.log.form = log_form::json;
    for (const std::string& log : {s.log.access, s.log.error}) {
        if (const auto target = parse_log_target(log); !target) return target.error();
    }
    return std::nullopt;
}

std::optional<std::string> set_addresses(const options& o, settings& s)
{
    if (!o.listen.empty() || o.port) s.listen = o.listen;
    if (o.port) s.listen.push_back(fmt::format("127.0.0.1:{}", *o.port));
    if (s.listen.empty()) s.listen.emplace_back("127.0.0.1:8080");
    std::vector<std::string> before;
    for (const std::string& where : s.listen) {
        if (!io::address::parse(where)) {
            return fmt::format(
                "`{}` is not an address: expected ADDRESS:PORT with a numeric address, such as "
                "127.0.0.1:8080, [::1]:8080 or :8080, or unix:/PATH",
                where);
        }
        before.push_back(where);
        const address_overlap overlap = overlap_of_last(before);
        if (overlap.is == address_overlap::kind::included) return overlap.text;
        if (overlap.is == address_overlap::kind::duplicate && !o.listen.empty()) s.warnings.push_back(overlap.text);
    }
    return std::nullopt;
}

/// The places of routes before which `more` routes are put.
written_places moved(const written_places& places, std::size_t more)
{
    constexpr std::string_view prefix = "route.";
    written_places all;
    for (const auto& [key, place] : places.of) {
        std::size_t number = 0;
        const char* const digits = key.data() + std::min(prefix.size(), key.size());
        const char* const end = std::from_chars(digits, key.data() + key.size(), number).ptr;
        const bool is_route = key.starts_with(prefix) && end != digits;
        all.of[is_route ? fmt::format("{}{}{}", prefix, number + more, std::string_view(end)) : key] = place;
    }
    return all;
}

/// A route in front of the others for each `--cgi`.
std::optional<std::string> set_programs(const options& o, settings& s)
{
    std::vector<route> routes;
    for (const std::string& prefix : o.cgi) {
        auto path = read_route_path(fmt::format("{}{}*", prefix, prefix.ends_with('/') ? "" : "/"));
        if (!path || path->contains('\0')) {
            return fmt::format("--cgi {}: expected the beginning of a path, such as /cgi-bin/", prefix);
        }
        routes.push_back({.path = std::move(*path), .then = cgi_rules(), .headers = {}});
    }
    if (!routes.empty() && s.files.root.empty())
        return "--cgi needs a directory to serve: give it on the command line, or set `root` at the top of the "
               "configuration file";
    s.files.places = moved(s.files.places, routes.size());
    s.files.routes.insert(s.files.routes.begin(), std::make_move_iterator(routes.begin()),
                          std::make_move_iterator(routes.end()));
    settle_programs(s);
    return std::nullopt;
}

std::optional<std::string> check_sites(const settings& s)
{
    if (!s.files.root.empty() && std::ranges::any_of(s.sites, &site::is_default)) {
        return "there are two default sites, the directory on the command line and one in the configuration: remove "
               "one";
    }
    if (s.files.root.empty() && s.sites.empty())
        return "nothing to serve: give a directory, as in `occwserv site`, or set `root` or a [[site]] in the "
               "configuration file";
    return std::nullopt;
}

std::optional<std::string> apply(const options& o, settings& s)
{
    if (!o.directory.empty()) s.files.root = o.directory;
    if (o.workers) s.workers = *o.workers;
    if (o.control) s.control = *o.control;
    if (o.user) s.user = *o.user;
    if (o.group) s.group = *o.group;
    if (o.state) s.state = *o.state;
    if (o.no_sandbox) s.sandbox.files = s.sandbox.system_calls = false;
    set_engine(o, s);
    set_listing(o, s);
    if (auto wrong = set_logs(o, s)) return wrong;
    if (auto wrong = set_addresses(o, s)) return wrong;
    if (auto wrong = set_programs(o, s)) return wrong;
    return check_sites(s);
}

/// The settings of the configuration file, if one is named, overridden by the options.
std::expected<settings, std::vector<complaint>> settings_of(const options& o)
{
    settings s;
    if (!o.configuration.empty()) {
        auto configured = load_configuration(o.configuration, std::move(s));
        if (!configured) return configured;
        s = std::move(*configured);
        s.configuration_file = o.configuration;
    }
    if (const auto wrong = apply(o, s)) return std::unexpected(std::vector{fmt::format("occwserv: {}", *wrong)});
    return s;
}

/// The parser, with the variables that it fills in. Its table of options and commands is the only one: --help, the
/// manual page and the shell completions are made from it.
struct command_line {
    options given;
    std::string url;        // of `explain`
    control_request asked;  // of `status` and the other control commands
    CLI::App app{about, "occwserv"};
    CLI::App* checking = nullptr;
    CLI::App* explaining = nullptr;

    command_line()
    {
        app.set_help_flag("-h,--help", "print all options and commands");
        describe(app, given);
        checking = app.add_subcommand("check", "report every mistake in the configuration, without serving");
        checking->fallthrough();
        explaining = app.add_subcommand("explain", "explain how the server would answer a request for this address");
        explaining->fallthrough();
        explaining->add_option("URL", url, "address to explain: http://example.org/a, or /a for the default site")
            ->type_name("")
            ->required();
        describe_control_commands(app, asked);
        app.require_subcommand(0, 1);
    }
};

}  // namespace

std::expected<settings, early_exit> read_command_line(const std::vector<std::string>& words)
{
    command_line line;
    std::vector<const char*> all(words.size());
    std::ranges::transform(words, all.begin(), [](const std::string& w) { return w.c_str(); });
    const auto instead = [](int code) { return std::unexpected(early_exit{code, {}}); };
    try {
        line.app.parse(static_cast<int>(all.size()), all.data());
    } catch (const CLI::Success& wanted) {
        return instead(line.app.exit(wanted));
    } catch (const CLI::ParseError& wrong) {
        return std::unexpected(
            early_exit{wrong_usage, {fmt::format("occwserv: {}\nTry `occwserv --help`.", wrong.what())}});
    }
    if (line.asked.at.empty()) line.asked.at = line.given.control.value_or("");  // --control stood before the command
    if (const auto done = run_control_command(line.app, line.asked)) return instead(*done);

    auto wanted = settings_of(line.given);
    if (line.checking->parsed()) return instead(check(wanted));
    if (!wanted) return std::unexpected(early_exit{wrong_usage, std::move(wanted.error())});
    if (line.explaining->parsed()) return instead(explain(line.url, *wanted));
    return std::move(*wanted);
}

void show_command_line(const std::function<void(const CLI::App&)>& to)
{
    const command_line line;
    to(line.app);
}

}  // namespace server
