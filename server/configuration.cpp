// SPDX-License-Identifier: MIT
#include "server/configuration.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <concepts>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <numeric>
#include <sstream>
#include <utility>

#include <fmt/core.h>
#include <toml++/toml.h>

#include "io/address.hpp"

namespace server {
namespace {

/// The least number of insertions, deletions and replacements that make one word of the other.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = std::exchange(row[j + 1], std::min({replaced, row[j] + 1, row[j + 1] + 1}));
        }
    }
    return row.back();
}

/// Reads one table: hands each known key to its reader, and complains of every other.
class table_reader {
  public:
    using value_reader = std::function<void(const toml::node&)>;
    struct key {
        std::string_view name;
        value_reader read;
    };

    table_reader(std::string_view file, std::vector<complaint>& complaints) : file_(file), complaints_(complaints) {}

    void read(const toml::table& table, std::string_view table_name, const std::vector<key>& keys)
    {
        for (const auto& [name, node] : table) {
            const auto known = std::ranges::find(keys, name.str(), &key::name);
            if (known != keys.end()) {
                known->read(node);
            } else {
                unknown(name, table_name, keys);
            }
        }
    }

    void complain(const toml::source_region& at, std::string_view what)
    {
        complaints_.push_back(fmt::format("{}:{}:{}: {}", file_, at.begin.line, at.begin.column, what));
    }

    template <std::unsigned_integral Number>
    value_reader whole(Number& into, std::uint64_t least, std::uint64_t most)
    {
        return [this, &into, least, most](const toml::node& node) {
            const auto value = node.value_exact<std::int64_t>();
            if (value && *value >= 0 && std::in_range<Number>(*value) && std::cmp_greater_equal(*value, least) &&
                std::cmp_less_equal(*value, most)) {
                into = static_cast<Number>(*value);
            } else {
                complain(node.source(), fmt::format("expected a whole number from {} to {}", least, most));
            }
        };
    }

    value_reader seconds(std::chrono::milliseconds& into)
    {
        return [this, &into](const toml::node& node) {
            const auto value = node.value<double>();
            if (value && *value > 0 && *value <= 86'400) {
                into = std::chrono::milliseconds(std::max<std::int64_t>(1, static_cast<std::int64_t>(*value * 1000)));
            } else {
                complain(node.source(), "expected a number of seconds, above 0 and at most 86400");
            }
        };
    }

    value_reader text(std::string& into)
    {
        return [this, &into](const toml::node& node) {
            if (const auto value = node.value_exact<std::string>()) {
                into = *value;
            } else {
                complain(node.source(), "expected a string");
            }
        };
    }

    value_reader texts(std::vector<std::string>& into)
    {
        return [this, &into](const toml::node& node) {
            into.clear();
            if (const auto one = node.value_exact<std::string>()) {
                into.push_back(*one);
            } else if (const auto* many = node.as_array()) {
                for (const toml::node& element : *many) {
                    std::string value;
                    text(value)(element);
                    into.push_back(std::move(value));
                }
            } else {
                complain(node.source(), "expected a string or an array of strings");
            }
        };
    }

    template <class Value>
    value_reader choice(Value& into, std::vector<std::pair<std::string_view, Value>> among)
    {
        return [this, &into, among = std::move(among)](const toml::node& node) {
            const auto name = node.value_exact<std::string>();
            const auto chosen = std::ranges::find(among, name.value_or(""), &std::pair<std::string_view, Value>::first);
            if (name && chosen != among.end()) {
                into = chosen->second;
                return;
            }
            std::string names;
            for (const auto& [known, value] : among) names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", known);
            complain(node.source(), fmt::format("expected one of {}", names));
        };
    }

    value_reader table(std::string_view name, std::vector<key> keys)
    {
        return [this, name, keys = std::move(keys)](const toml::node& node) {
            if (const auto* t = node.as_table()) {
                read(*t, name, keys);
            } else {
                complain(node.source(), fmt::format("expected the table [{}]", name));
            }
        };
    }

  private:
    void unknown(const toml::key& name, std::string_view table_name, const std::vector<key>& keys)
    {
        const auto nearest =
            std::ranges::min_element(keys, {}, [&](const key& k) { return distance(k.name, name.str()); });
        std::string what = table_name.empty() ? fmt::format("`{}` is not known", name.str())
                                              : fmt::format("`{}` is not known in [{}]", name.str(), table_name);
        if (nearest != keys.end() && distance(nearest->name, name.str()) <= 2) {
            what += fmt::format("; did you mean `{}`?", nearest->name);
        }
        complain(name.source(), what);
    }

    std::string_view file_;
    std::vector<complaint>& complaints_;
};

constexpr std::uint64_t gigabyte = 1024 * 1024 * 1024;

}  // namespace

std::expected<settings, std::vector<complaint>> read_configuration(std::string_view text, std::string_view file_name,
                                                                   settings base)
{
    std::vector<complaint> complaints;
    toml::table document;
    try {
        document = toml::parse(text, file_name);
    } catch (const toml::parse_error& e) {
        complaints.push_back(
            fmt::format("{}:{}:{}: {}", file_name, e.source().begin.line, e.source().begin.column, e.description()));
        return std::unexpected(std::move(complaints));
    }

    settings s = std::move(base);
    table_reader r(file_name, complaints);
    const auto listen = [&](const toml::node& node) {
        r.texts(s.listen)(node);
        for (const std::string& where : s.listen) {
            if (!io::address::parse(where)) {
                r.complain(node.source(), fmt::format("`{}` is not an address: expected ADDRESS:PORT with a numeric "
                                                      "address, as 127.0.0.1:8080, [::1]:8080 or :8080",
                                                      where));
            }
        }
    };
    r.read(document, "",
           {{"root", r.text(s.files.root)},
            {"index", r.texts(s.files.index)},
            {"try", r.texts(s.files.tries)},
            {"cache_control", r.text(s.files.cache_control)},
            {"listen", listen},
            {"listing", r.choice(s.files.directories, {{"off", listing::off}, {"on", listing::on}})},
            {"workers", r.whole(s.workers, 1, 1024)},
            {"io", r.choice(s.engine, {{"auto", io::engine_choice::automatic},
                                       {"uring", io::engine_choice::uring},
                                       {"epoll", io::engine_choice::epoll}})},
            {"control", r.text(s.control)},
            {"user", r.text(s.user)},
            {"group", r.text(s.group)},
            {"spare_workers", r.whole(s.spare_workers, 1, 1024)},
            {"log", r.table("log", {{"access", r.text(s.log.access)}, {"error", r.text(s.log.error)}})},
            {"cache", r.table("cache", {{"pages", r.whole(s.cache.pages, 1, 1024 * 1024)},
                                        {"memory_bytes", r.whole(s.cache.memory, 0, 1024 * gigabyte)},
                                        {"largest_page_bytes", r.whole(s.cache.largest_page, 0, gigabyte)},
                                        {"largest_text_bytes", r.whole(s.cache.largest_text, 0, gigabyte)}})},
            {"patience", r.table("patience", {{"idle_seconds", r.seconds(s.patience.idle)},
                                              {"head_seconds", r.seconds(s.patience.head)},
                                              {"stall_seconds", r.seconds(s.patience.stall)},
                                              {"linger_seconds", r.seconds(s.patience.linger)},
                                              {"grace_seconds", r.seconds(s.patience.grace)},
                                              {"least_bytes_a_second", r.whole(s.patience.least_rate, 1, gigabyte)}})},
            {"limits",
             r.table("limits",
                     {{"connections", r.whole(s.connections, 1, 10'000'000)},
                      {"connections_per_address", r.whole(s.clients.connections_per_address, 0, 10'000'000)},
                      {"requests_per_second_per_address", r.whole(s.clients.requests_per_second, 0, 1'000'000'000)},
                      {"requests_burst_per_address", r.whole(s.clients.burst, 1, 1'000'000)},
                      {"target_bytes", r.whole(s.limits.target_bytes, 16, 64 * 1024)},
                      {"head_bytes", r.whole(s.limits.head_bytes, 256, 1024 * 1024)},
                      {"fields", r.whole(s.limits.fields, 1, http::max_fields)},
                      {"body_bytes", r.whole(s.limits.body_bytes, 0, 1024 * gigabyte)}})}});
    if (!complaints.empty()) return std::unexpected(std::move(complaints));
    return s;
}

std::expected<settings, std::vector<complaint>> load_configuration(const std::string& file_name, settings base)
{
    std::ifstream file(file_name);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) {
        return std::unexpected(std::vector{fmt::format("{}: cannot be read: {}", file_name, std::strerror(errno))});
    }
    return read_configuration(text.str(), file_name, std::move(base));
}

}  // namespace server
