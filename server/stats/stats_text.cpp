// SPDX-License-Identifier: MIT
#include "server/stats/stats_text.hpp"

#include <chrono>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "server/respond/escape.hpp"
#include "server/stats/witness.hpp"

namespace server {
namespace {

template <class... Parts>
void add(std::string& to, fmt::format_string<Parts...> form, Parts&&... parts)
{
    fmt::format_to(std::back_inserter(to), form, std::forward<Parts>(parts)...);
}

/// Appends a JSON array: calls `write` for each element and separates the results with commas.
template <class Range, class Write>
void add_list(std::string& to, const Range& all, Write write)
{
    bool first = true;
    to += '[';
    for (const auto& each : all) {
        if (!std::exchange(first, false)) to += ',';
        write(each);
    }
    to += ']';
}

std::int64_t unix_milliseconds()
{
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// ---- JSON

void add_pages(std::string& to, const std::vector<ranked_page>& pages)
{
    add_list(to, pages, [&](const ranked_page& page) {
        add(to, R"({{"path":{},"count":{},"bytes":{}}})", json_quoted(printable(page.path)), page.count, page.bytes);
    });
}

void add_core(std::string& to, const core_view& c)
{
    add(to,
        R"({{"core":{},"connections":{{"accepted":{},"parked":{},"under_way":{},"most":{},"waits_for_room":{},"yielded":{}}},)",
        c.core, c.connections.accepted, c.connections.parked, c.connections.under_way, c.connections.most,
        c.connections.waits_for_room, c.connections.yielded);
    add(to, R"("cache":{{"kept":{},"competing":{},"bytes":{},"most_pages":{},"most_bytes":{},)", c.cache.kept,
        c.cache.competing, c.cache.bytes, c.cache.most_pages, c.cache.most_bytes);
    add(to, R"("open_files":{},"most_open_files":{},"absences":{},"most_absences":{},"first_kept":)",
        c.cache.open_files, c.cache.most_open_files, c.cache.absences, c.cache.most_absences);
    add_pages(to, c.cache.first_kept);
    to += R"(,"first_competing":)";
    add_pages(to, c.cache.first_competing);
    to += R"(},"processes":)";
    add_list(to, c.processes, [&](const csp::kind_of_process& kind) {
        add(to, R"({{"name":{},"count":{},"ready":{},"communicate":{},"kernel":{},"others":{},"for":{}}})",
            json_quoted(kind.name), kind.count, kind.ready, kind.communicate, kind.kernel, kind.others,
            json_quoted(kind.example));
    });
    to += '}';
}

void add_programs(std::string& to, const places_view& v)
{
    add(to, R"({{"route":{},"running":{},"most_running":{},"waiting":{},"most_waiting":{},)",
        json_quoted(printable(v.of)), v.running, v.most_running, v.waiting, v.most_waiting);
    add(to, R"("started":{},"failed":{},"timed_out":{},"left":{},"refused":{}}})", v.started, v.failed, v.timed_out,
        v.left, v.refused);
}

void add_latencies(std::string& to, const latencies& took)
{
    std::vector<std::size_t> all(latencies::buckets);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    add(to, R"({{"p50_us":{},"p90_us":{},"p99_us":{},"p999_us":{},"sum_us":{},"below_us":)", took.percentile_us(.5),
        took.percentile_us(.9), took.percentile_us(.99), took.percentile_us(.999), took.sum_us());
    add_list(to, all, [&](std::size_t i) { add(to, "{}", latencies::bound_us(i)); });
    to += R"(,"counts":)";
    add_list(to, all, [&](std::size_t i) { add(to, "{}", took.count_in(i)); });
    to += '}';
}

// ---- Prometheus

/// Appends the HELP and TYPE lines that precede the values of a metric.
void describe(std::string& to, std::string_view name, std::string_view type, std::string_view help)
{
    add(to, "# HELP occwserv_{} {}\n# TYPE occwserv_{} {}\n", name, help, name, type);
}

void add_counter(std::string& to, std::string_view name, std::string_view help, std::uint64_t value)
{
    describe(to, name, "counter", help);
    add(to, "occwserv_{} {}\n", name, value);
}

void add_requests(std::string& to, const tally& t)
{
    describe(to, "requests_total", "counter", "Requests answered, by the class of the status code.");
    for (std::size_t i = 0; i < t.by_class.size(); ++i) {
        add(to, "occwserv_requests_total{{class=\"{}xx\"}} {}\n", i + 1, t.by_class[i]);
    }
    add_counter(to, "content_sent_bytes_total", "Bytes of response content sent, without heads.", t.content_bytes);
    add_counter(to, "heads_received_bytes_total", "Bytes of request heads received.", t.head_bytes);
    add_counter(to, "responses_incomplete_total", "Responses that were not sent completely.", t.incomplete);
    describe(to, "cache_requests_total", "counter", "Requests for pages, by cache result.");
    add(to, "occwserv_cache_requests_total{{result=\"at_once\"}} {}\n", t.at_once);
    add(to, "occwserv_cache_requests_total{{result=\"kept\"}} {}\n", t.kept);
    add(to, "occwserv_cache_requests_total{{result=\"missed\"}} {}\n", t.missed);
}

void add_durations(std::string& to, const latencies& took)
{
    describe(to, "request_duration_seconds", "histogram",
             "Time from the head of a request to the end of its response.");
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < latencies::buckets; ++i) {
        below += took.count_in(i);
        const bool last = i + 1 == latencies::buckets;
        if (last) {
            add(to, "occwserv_request_duration_seconds_bucket{{le=\"+Inf\"}} {}\n", below);
        } else if (i % 4 == 3) {  // powers of two only; finer buckets would make too many series
            add(to, "occwserv_request_duration_seconds_bucket{{le=\"{}\"}} {}\n",
                static_cast<double>(latencies::bound_us(i)) / 1e6, below);
        }
    }
    add(to, "occwserv_request_duration_seconds_sum {}\n", static_cast<double>(took.sum_us()) / 1e6);
    add(to, "occwserv_request_duration_seconds_count {}\n", below);
}

/// The value of a label (Prometheus text format).
std::string label(std::string_view text)
{
    std::string quoted;
    for (const char c : printable(text)) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted;
}

void add_programs(std::string& to, const std::vector<places_view>& programs)
{
    const auto each = [&](std::string_view name, std::string_view more, auto places_view::* of) {
        for (const places_view& v : programs) {
            add(to, "occwserv_{}{{route=\"{}\"{}}} {}\n", name, label(v.of), more, v.*of);
        }
    };
    describe(to, "programs", "gauge", "Programs that run (CGI), and requests that wait for a place.");
    each("programs", ",state=\"running\"", &places_view::running);
    each("programs", ",state=\"waiting\"", &places_view::waiting);
    describe(to, "programs_started_total", "counter", "Programs started, by the route of the request.");
    each("programs_started_total", "", &places_view::started);
    describe(to, "programs_ended_badly_total", "counter",
             "Programs without a complete response, and requests refused.");
    each("programs_ended_badly_total", ",why=\"failed\"", &places_view::failed);
    each("programs_ended_badly_total", ",why=\"timed_out\"", &places_view::timed_out);
    each("programs_ended_badly_total", ",why=\"client_left\"", &places_view::left);
    each("programs_ended_badly_total", ",why=\"refused\"", &places_view::refused);
}

void add_moment(std::string& to, const picture& p)
{
    describe(to, "connections", "gauge", "Open connections.");
    for (const core_view& c : p.cores) {
        add(to, "occwserv_connections{{core=\"{}\",state=\"parked\"}} {}\n", c.core, c.connections.parked);
        add(to, "occwserv_connections{{core=\"{}\",state=\"under_way\"}} {}\n", c.core, c.connections.under_way);
    }
    describe(to, "cache_pages", "gauge", "Pages in the cache, and pages that compete for a place in it.");
    for (const core_view& c : p.cores) {
        add(to, "occwserv_cache_pages{{core=\"{}\",half=\"kept\"}} {}\n", c.core, c.cache.kept);
        add(to, "occwserv_cache_pages{{core=\"{}\",half=\"competing\"}} {}\n", c.core, c.cache.competing);
    }
    describe(to, "cache_bytes", "gauge", "Memory used by the cache.");
    for (const core_view& c : p.cores) add(to, "occwserv_cache_bytes{{core=\"{}\"}} {}\n", c.core, c.cache.bytes);
    describe(to, "cache_open_files", "gauge", "Large files that the cache keeps open.");
    for (const core_view& c : p.cores) {
        add(to, "occwserv_cache_open_files{{core=\"{}\"}} {}\n", c.core, c.cache.open_files);
    }
    describe(to, "cache_absences", "gauge", "Missing paths that the cache knows.");
    for (const core_view& c : p.cores) {
        add(to, "occwserv_cache_absences{{core=\"{}\"}} {}\n", c.core, c.cache.absences);
    }
    describe(to, "processes", "gauge", "Processes of the network.");
    for (const core_view& c : p.cores) {
        for (const auto& kind : c.processes) {
            add(to, "occwserv_processes{{core=\"{}\",name=\"{}\"}} {}\n", c.core, kind.name, kind.count);
        }
    }
}

// ---- the table of the page

void add_row(std::string& to, std::string_view name, std::string_view value)
{
    add(to, "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td></tr>\n", html_escaped(name),
        html_escaped(value));
}

std::string seconds_of(std::uint64_t us)
{
    return us < 10'000 ? fmt::format("{} µs", us) : fmt::format("{:.1f} ms", static_cast<double>(us) / 1000);
}

std::string table_of_figures(const picture& p)
{
    const tally& t = p.counted.sum;
    const parking_view connections = sum_of(p.cores, &core_view::connections);
    const cache_view cache = sum_of(p.cores, &core_view::cache);
    std::string to = "<table>\n<caption>At the time of this request</caption>\n<tbody>\n";
    add_row(to, "Requests answered", fmt::format("{}", t.exchanges));
    add_row(to, "Of these: 2xx, 3xx, 4xx, 5xx",
            fmt::format("{}, {}, {}, {}", t.by_class[1], t.by_class[2], t.by_class[3], t.by_class[4]));
    add_row(to, "Content sent, bytes", fmt::format("{}", t.content_bytes));
    add_row(to, "Responses not sent completely", fmt::format("{}", t.incomplete));
    add_row(to, "Response time, median", seconds_of(t.took.percentile_us(.5)));
    add_row(to, "Response time, 99th percentile", seconds_of(t.took.percentile_us(.99)));
    add_row(to, "Connections accepted", fmt::format("{}", connections.accepted));
    add_row(to, "Connections that wait for a request", fmt::format("{}", connections.parked));
    add_row(to, "Connections with a request in progress", fmt::format("{}", connections.under_way));
    add_row(to, "Limit reached: connections", fmt::format("{}", connections.waits_for_room));
    add_row(to, "Connections closed to make room for new ones", fmt::format("{}", connections.yielded));
    for (std::size_t i = 0; i < limit_names.size(); ++i) {
        add_row(to, fmt::format("Limit reached: {}", limit_names[i]), fmt::format("{}", t.limit_hits[i]));
    }
    add_row(to, "Requests answered by a cache process", fmt::format("{}", t.at_once));
    add_row(to, "Requests answered by a worker with a cached page", fmt::format("{}", t.kept));
    add_row(to, "Requests answered from disk", fmt::format("{}", t.missed));
    add_row(to, "Requests answered by programs", fmt::format("{}", t.by_programs));
    add_row(to, "Pages in the cache", fmt::format("{} of {}", cache.kept, cache.most_pages));
    add_row(to, "Pages that compete for a place in the cache", fmt::format("{}", cache.competing));
    add_row(to, "Files kept open", fmt::format("{} of {}", cache.open_files, cache.most_open_files));
    add_row(to, "Missing paths in the cache", fmt::format("{} of {}", cache.absences, cache.most_absences));
    to += "</tbody>\n</table>\n";
    return to;
}

std::string table_of_programs(const picture& p)
{
    if (p.programs.routes.empty()) return {};
    std::string to = "<table>\n<caption>Programs</caption>\n<thead><tr><th scope=\"col\">Site and route</th>";
    for (const std::string_view name :
         {"Running", "Waiting", "Started", "Failed", "Too slow", "Client left", "Refused"}) {
        add(to, "<th scope=\"col\" class=\"number\">{}</th>", name);
    }
    to += "</tr></thead>\n<tbody>\n";
    for (const places_view& v : p.programs.routes) {
        add(to, "<tr><th scope=\"row\">{}</th><td class=\"number\">{} of {}</td><td class=\"number\">{} of {}</td>",
            html_escaped(printable(v.of)), v.running, v.most_running, v.waiting, v.most_waiting);
        for (const std::uint64_t n : {v.started, v.failed, v.timed_out, v.left, v.refused}) {
            add(to, "<td class=\"number\">{}</td>", n);
        }
        to += "</tr>\n";
    }
    to += "</tbody>\n</table>\n";
    return to;
}

std::string table_of_processes(const picture& p)
{
    std::string to =
        "<table>\n<caption>Processes</caption>\n<thead><tr><th scope=\"col\">Process</th>"
        "<th scope=\"col\" class=\"number\">Core</th><th scope=\"col\" class=\"number\">Count</th>"
        "<th scope=\"col\">One of them waits for</th></tr></thead>\n<tbody>\n";
    for (const core_view& c : p.cores) {
        for (const auto& kind : c.processes) {
            add(to,
                "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td>"
                "<td>{}</td></tr>\n",
                html_escaped(kind.name), c.core, kind.count, html_escaped(kind.example));
        }
    }
    to += "</tbody>\n</table>\n";
    return to;
}

}  // namespace

std::string printable(std::string_view bytes)
{
    std::string text;
    for (const char c : bytes) {
        if (c >= 0x20 && c < 0x7F) {
            text += c;
        } else {
            add(text, "%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        }
    }
    return text;
}

std::string as_json(const picture& p)
{
    const tally& t = p.counted.sum;
    std::string to = fmt::format(R"({{"server":"occwserv {}","now_ms":{},"draining":{},"requests":{{"answered":{},)",
                                 OCCWSERV_VERSION, unix_milliseconds(),
                                 sum_of(p.cores, &core_view::connections).draining, t.exchanges);
    add(to, R"("by_class":{{"1xx":{},"2xx":{},"3xx":{},"4xx":{},"5xx":{}}},"incomplete":{},"about_itself":{},)",
        t.by_class[0], t.by_class[1], t.by_class[2], t.by_class[3], t.by_class[4], t.incomplete, t.about_itself);
    add(to, R"("kept_alive":{},"content_bytes":{},"head_bytes":{}}},)", t.kept_alive, t.content_bytes, t.head_bytes);
    add(to, R"("cache":{{"at_once":{},"kept":{},"missed":{}}},"by_programs":{},"took":)", t.at_once, t.kept, t.missed,
        t.by_programs);
    add_latencies(to, t.took);
    add(to, R"(,"limits":{{"connections":{})", sum_of(p.cores, &core_view::connections).waits_for_room);
    for (std::size_t i = 0; i < limit_names.size(); ++i) add(to, R"(,"{}":{})", limit_names[i], t.limit_hits[i]);
    to += R"(},"slow":)";
    add_list(to, p.counted.slow, [&](const slow_request& r) {
        add(to, R"({{"line":{},"status":{},"took_us":{},"when":{}}})", json_quoted(printable(r.line())), r.status,
            r.took.count(), r.when.time_since_epoch().count());
    });
    to += R"(,"programs":)";
    add_list(to, p.programs.routes, [&](const places_view& v) { add_programs(to, v); });
    to += R"(,"cores":)";
    add_list(to, p.cores, [&](const core_view& c) { add_core(to, c); });
    to += "}\n";
    return to;
}

std::string as_metrics(const picture& p)
{
    const parking_view connections = sum_of(p.cores, &core_view::connections);
    std::string to;
    add_requests(to, p.counted.sum);
    add_durations(to, p.counted.sum.took);
    add_counter(to, "connections_accepted_total", "Connections accepted.", connections.accepted);
    add_counter(to, "connections_yielded_total", "Connections closed to make room for new ones.", connections.yielded);
    describe(to, "limits_total", "counter",
             "Times that a limit was applied to a client, by the configuration key of the limit.");
    add(to, "occwserv_limits_total{{limit=\"connections\"}} {}\n", connections.waits_for_room);
    for (std::size_t i = 0; i < limit_names.size(); ++i) {
        add(to, "occwserv_limits_total{{limit=\"{}\"}} {}\n", limit_names[i], p.counted.sum.limit_hits[i]);
    }
    add_programs(to, p.programs.routes);
    add_moment(to, p);
    return to;
}

std::string as_page(const picture& p)
{
    constexpr std::string_view place = "<!-- the figures -->";
    std::string page(stats_page);
    if (const auto at = page.find(place); at != std::string::npos)
        page.replace(at, place.size(), table_of_figures(p) + table_of_programs(p) + table_of_processes(p));
    return page;
}

}  // namespace server
