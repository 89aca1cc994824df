// SPDX-License-Identifier: MIT
//
// How tables of TOML are read: each known key by a reader of its own, and what is wrong told with its place.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

namespace server {

/// Thrown where the parser of toml++ would end the process.
struct toml_confusion {};
[[noreturn]] inline void toml_is_confused() { throw toml_confusion(); }

}  // namespace server

// Up to version 3.4.0 that parser takes for granted that a name follows "[", by an assertion or, in release builds, by
// an assumption that makes anything of it: https://github.com/marzer/tomlplusplus/pull/301. Away with this when Debian
// has that.
#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? void() : ::server::toml_is_confused())
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

namespace server {

/// Reads one file. Complaints and warnings are whole lines: "occwserv.toml:7:1: what".
class toml_reader {
  public:
    using value_reader = std::function<void(const toml::node&)>;
    struct key {
        std::string_view name;
        value_reader read;
    };

    explicit toml_reader(std::string_view file) : file_(file) {}

    /// Nothing if it is no TOML, of which is complained.
    [[nodiscard]] std::optional<toml::table> parse(std::string_view written);
    [[nodiscard]] static std::optional<std::string> string_in(const toml::node& node);
    /// Hands each key of the table to its reader, and complains of every other.
    void read(const toml::table& table, std::string_view table_name, const std::vector<key>& keys);

    /// How a line about this place begins: "occwserv.toml:7:1: ".
    [[nodiscard]] std::string place(const toml::source_region& at) const;
    /// Whether one name may be written for another by a slip.
    [[nodiscard]] static bool is_near(std::string_view name, std::string_view written);
    void complain(const toml::source_region& at, std::string_view what);
    void warn(const toml::source_region& at, std::string_view what);
    /// A line each, in the order of the places that they are about.
    [[nodiscard]] std::vector<std::string> complaints() { return lines(complaints_); }
    [[nodiscard]] std::vector<std::string> warnings() { return lines(warnings_); }

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

    template <class Value>
    value_reader choice(Value& into, std::vector<std::pair<std::string_view, Value>> among)
    {
        return [this, &into, among = std::move(among)](const toml::node& node) {
            const auto name = string_in(node);
            std::string names;
            for (const auto& [known, value] : among) {
                if (name && *name == known) {
                    into = value;
                    return;
                }
                names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", known);
            }
            complain(node.source(), fmt::format("expected one of {}", names));
        };
    }

    value_reader yes_or_no(bool& into);
    value_reader seconds(std::chrono::milliseconds& into);
    value_reader text(std::string& into);
    value_reader texts(std::vector<std::string>& into);
    /// A string, or each of an array of them, with its place.
    value_reader each_text(std::function<void(const std::string& value, const toml::node&)> read);
    value_reader table(std::string_view name, std::vector<key> keys);
    /// A table of names that are not known beforehand, each with a string.
    value_reader pairs(std::string_view name,
                       std::function<void(const toml::key& name, const std::string& value, const toml::node&)> read);
    /// Each table of an array of tables: [[name]].
    value_reader tables(std::string_view name, std::function<void(const toml::table&)> read);

  private:
    void unknown(const toml::key& name, std::string_view table_name, const std::vector<key>& keys);

    struct remark {
        toml::source_position at;
        std::string what;
    };
    [[nodiscard]] std::vector<std::string> lines(std::vector<remark>& all) const;

    std::string_view file_;
    std::vector<remark> complaints_;
    std::vector<remark> warnings_;
};

}  // namespace server
