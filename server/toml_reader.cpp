// SPDX-License-Identifier: MIT
#include "server/toml_reader.hpp"

#include <algorithm>
#include <numeric>

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

}  // namespace

void toml_reader::read(const toml::table& table, std::string_view table_name, const std::vector<key>& keys)
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

void toml_reader::unknown(const toml::key& name, std::string_view table_name, const std::vector<key>& keys)
{
    const auto nearest = std::ranges::min_element(keys, {}, [&](const key& k) { return distance(k.name, name.str()); });
    std::string what = table_name.empty() ? fmt::format("`{}` is not known", name.str())
                                          : fmt::format("`{}` is not known in [{}]", name.str(), table_name);
    if (nearest != keys.end() && distance(nearest->name, name.str()) <= 2) {
        what += fmt::format("; did you mean `{}`?", nearest->name);
    } else {
        std::string names;
        for (const key& k : keys) names += fmt::format("{}{}", names.empty() ? "" : ", ", k.name);
        what += fmt::format("; expected one of {}", names);
    }
    complain(name.source(), what);
}

std::string toml_reader::line(const toml::source_region& at, std::string_view what) const
{
    return fmt::format("{}:{}:{}: {}", file_, at.begin.line, at.begin.column, what);
}

void toml_reader::complain(const toml::source_region& at, std::string_view what)
{
    complaints_.push_back(line(at, what));
}

void toml_reader::warn(const toml::source_region& at, std::string_view what) { warnings_.push_back(line(at, what)); }

toml_reader::value_reader toml_reader::yes_or_no(bool& into)
{
    return [this, &into](const toml::node& node) {
        if (const auto value = node.value_exact<bool>()) {
            into = *value;
        } else {
            complain(node.source(), "expected true or false");
        }
    };
}

toml_reader::value_reader toml_reader::seconds(std::chrono::milliseconds& into)
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

toml_reader::value_reader toml_reader::text(std::string& into)
{
    return [this, &into](const toml::node& node) {
        if (const auto value = node.value_exact<std::string>()) {
            into = *value;
        } else {
            complain(node.source(), "expected a string");
        }
    };
}

toml_reader::value_reader toml_reader::texts(std::vector<std::string>& into)
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

toml_reader::value_reader toml_reader::table(std::string_view name, std::vector<key> keys)
{
    return [this, name, keys = std::move(keys)](const toml::node& node) {
        if (const auto* t = node.as_table()) {
            read(*t, name, keys);
        } else {
            complain(node.source(), fmt::format("expected the table [{}]", name));
        }
    };
}

toml_reader::value_reader toml_reader::pairs(
    std::string_view name, std::function<void(const toml::key& name, const std::string& value, const toml::node&)> read)
{
    return [this, name, read = std::move(read)](const toml::node& node) {
        const auto* t = node.as_table();
        if (t == nullptr) {
            complain(node.source(), fmt::format("expected the table [{}], of names with a string each", name));
            return;
        }
        for (const auto& [key, value] : *t) {
            if (const auto string = value.value_exact<std::string>()) {
                read(key, *string, value);
            } else {
                complain(value.source(), "expected a string");
            }
        }
    };
}

toml_reader::value_reader toml_reader::tables(std::string_view name, std::function<void(const toml::table&)> read)
{
    return [this, name, read = std::move(read)](const toml::node& node) {
        const auto* all = node.as_array();
        if (all == nullptr) {
            complain(node.source(), fmt::format("expected tables, each headed [[{}]]", name));
            return;
        }
        for (const toml::node& each : *all) {
            if (const auto* t = each.as_table()) {
                read(*t);
            } else {
                complain(each.source(), fmt::format("expected a table, headed [[{}]]", name));
            }
        }
    };
}

}  // namespace server
