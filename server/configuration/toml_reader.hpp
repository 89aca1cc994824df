// SPDX-License-Identifier: MIT
//
// Reads tables of TOML by a table of known keys, and collects messages with line and column.
//
// A caller lists the keys of a table, each with a value_reader: a function that stores the value in a variable or
// complains of it. The reader never stops at a mistake, so one run finds them all. Variables whose value is wrong keep
// the value they had.
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

/// Thrown in place of a failed assertion of toml++, which would end the process.
struct toml_assertion_failed {};
[[noreturn]] inline void throw_toml_assertion() { throw toml_assertion_failed(); }

}  // namespace server

// Versions up to 3.4.0 assert that a name follows "[". In release builds the assertion is an assumption, so that a file
// with "[=]" is undefined behaviour: https://github.com/marzer/tomlplusplus/pull/301. Delete this when Debian has a
// version with that change.
#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? void() : ::server::throw_toml_assertion())
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

namespace server {

/// Reads one file. Complaints and warnings are whole lines: "occwserv.toml:7:1: what". The readers that it returns
/// refer to it and to the variables they store into, so they must not outlive these.
class toml_reader {
  public:
    using value_reader = std::function<void(const toml::node&)>;
    struct key {
        std::string_view name;
        value_reader read;
    };

    explicit toml_reader(std::string_view file) : file_(file) {}

    /// Empty, with a complaint, if the text is not TOML.
    [[nodiscard]] std::optional<toml::table> parse(std::string_view written);
    /// The value of a string; empty if the node is not one. Call this rather than node.value(): see in_plane_16().
    [[nodiscard]] static std::optional<std::string> string_in(const toml::node& node);
    /// Calls the reader of each key in the table, and complains of keys that are not in `keys`.
    void read(const toml::table& table, std::string_view table_name, const std::vector<key>& keys);

    /// The beginning of a message about this place: "occwserv.toml:7:1: ".
    [[nodiscard]] std::string place(const toml::source_region& at) const;
    /// Whether `written` is probably a misspelling of `name`: at most two letters differ.
    [[nodiscard]] static bool is_near(std::string_view name, std::string_view written);
    void complain(const toml::source_region& at, std::string_view what);
    void warn(const toml::source_region& at, std::string_view what);
    /// The messages, in the order of their places in the file.
    [[nodiscard]] std::vector<std::string> complaints() { return lines(complaints_); }
    [[nodiscard]] std::vector<std::string> warnings() { return lines(warnings_); }

    /// A whole number from `least` to `most`.
    template <std::unsigned_integral Number>
    value_reader integer(Number& into, std::uint64_t least, std::uint64_t most)
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

    /// One of these strings, stored as the value beside it.
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

    value_reader boolean(bool& into);
    /// A number of seconds above 0, with or without a fraction, up to a day.
    value_reader seconds(std::chrono::milliseconds& into);
    value_reader string(std::string& into);
    /// A string, or an array of strings.
    value_reader strings(std::vector<std::string>& into);
    /// The same, but calls `read` for each string.
    value_reader each_string(std::function<void(const std::string& value, const toml::node&)> read);
    value_reader table(std::string_view name, std::vector<key> keys);
    /// A table with any names, whose values are strings.
    value_reader pairs(std::string_view name,
                       std::function<void(const toml::key& name, const std::string& value, const toml::node&)> read);
    /// An array of tables, [[name]]: calls `read` for each.
    value_reader tables(std::string_view name, std::function<void(const toml::table&)> read);

  private:
    void unknown(const toml::key& name, std::string_view table_name, const std::vector<key>& keys);

    struct message {
        toml::source_position at;
        std::string what;
    };
    [[nodiscard]] std::vector<std::string> lines(std::vector<message>& all) const;

    std::string_view file_;
    std::vector<message> complaints_;
    std::vector<message> warnings_;
};

}  // namespace server
