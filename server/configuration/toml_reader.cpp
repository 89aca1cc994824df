// SPDX-License-Identifier: MIT
#include "server/configuration/toml_reader.hpp"

#include <algorithm>
#include <numeric>

namespace server {
namespace {

/// The Levenshtein distance of two words. `row` holds one row of the usual matrix.
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

// A workaround for undefined behaviour in toml++ up to version 3.4.0. Its is_non_ascii_horizontal_whitespace() has a
// switch whose default is marked unreachable, but which most letters from U+0080 to U+FFFF reach, in valid files too.
// Letters above U+FFFF do not get there. So before parsing, in_plane_16() moves each letter from U+0080 to U+FFFF to
// the same place in plane 16 (U+100000 and up), a private-use plane; in UTF-8 only the first byte or two change.
// from_plane_16() moves them back in each string that is read and in each message. Delete both when a version without
// this switch is the oldest that is supported.

bool continues(std::string_view text, std::size_t at)
{
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80;
}

std::string in_plane_16(std::string_view text)
{
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    const std::size_t begin = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
    std::string moved(text.substr(0, begin));
    moved.reserve(text.size());
    for (std::size_t at = begin; at < text.size(); ++at) {
        const auto first = static_cast<unsigned char>(text[at]);
        const auto second = continues(text, at + 1) ? static_cast<unsigned char>(text[at + 1]) : 0U;
        // Overlong forms and surrogates are not UTF-8 (RFC 3629 section 4). They stay as they are, so that the parser
        // complains of them.
        if (first >= 0xC2 && first <= 0xDF && second != 0) {
            moved += {'\xF4', '\x80', static_cast<char>(0x80U | (first & 0x1FU)), text[++at]};
        } else if (first >> 4 == 0xE && second >= (first == 0xE0 ? 0xA0U : 0x80U) &&
                   second <= (first == 0xED ? 0x9FU : 0xBFU) && continues(text, at + 2)) {
            moved += {'\xF4', static_cast<char>(0x80U | (first & 0xFU)), text[at + 1], text[at + 2]};
            at += 2;
        } else {
            moved += text[at];
        }
    }
    return moved;
}

std::string from_plane_16(std::string_view text)
{
    std::string back;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\xF4' || at + 3 >= text.size()) {
            back += text[at];
            continue;
        }
        const auto second = static_cast<unsigned char>(text[at + 1]);
        const auto third = static_cast<unsigned char>(text[at + 2]);
        if (second == 0x80 && third < 0xA0) {
            back += {static_cast<char>(0xC0U | (third & 0x1FU)), text[at + 3]};
        } else {
            back += {static_cast<char>(0xE0U | (second & 0xFU)), text[at + 2], text[at + 3]};
        }
        at += 3;
    }
    return back;
}

bool fails_an_assertion(std::string_view text)
{
    try {
        (void)toml::parse(text);
        return false;
    } catch (const toml::parse_error&) {
        return false;  // expected, since the text may end in the middle of a value
    } catch (const toml_assertion_failed&) {
        return true;
    }
}

/// The line at which the assertion fails, by binary search: the parser reads forwards, so the assertion fails for every
/// beginning of the text that includes this line, and for none that ends before it.
toml::source_index line_of_failed_assertion(std::string_view text)
{
    std::vector<std::size_t> ends;
    for (std::size_t end = 0; end < text.size();) {
        end = std::min(text.find('\n', end), text.size() - 1) + 1;
        ends.push_back(end);
    }
    const auto line =
        std::ranges::partition_point(ends, [&](auto end) { return !fails_an_assertion(text.substr(0, end)); });
    return static_cast<toml::source_index>(line - ends.begin() + 1);
}

}  // namespace

std::optional<std::string> toml_reader::string_in(const toml::node& node)
{
    auto value = node.value_exact<std::string>();
    if (value) value = from_plane_16(*value);
    return value;
}

std::optional<toml::table> toml_reader::parse(std::string_view written)
{
    const std::string text = in_plane_16(written);
    try {
        // Without the name of the file: for that, the parser needs memory where it may not throw (toml++ 3.3).
        return toml::parse(text);
    } catch (const toml::parse_error& e) {
        complain(e.source(), e.description());
    } catch (const toml_assertion_failed&) {
        const toml::source_position at{.line = line_of_failed_assertion(text), .column = 1};
        complain({.begin = at, .end = at, .path = {}}, "expected a table name after [");
    }
    return std::nullopt;
}

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
    std::string what = table_name.empty() ? fmt::format("unknown key `{}`", name.str())
                                          : fmt::format("unknown key `{}` in [{}]", name.str(), table_name);
    if (nearest != keys.end() && is_near(nearest->name, name.str())) {
        what += fmt::format("; did you mean `{}`?", nearest->name);
    } else {
        std::string names;
        for (const key& k : keys) names += fmt::format("{}{}", names.empty() ? "" : ", ", k.name);
        what += fmt::format("; expected one of {}", names);
    }
    complain(name.source(), what);
}

std::vector<std::string> toml_reader::lines(std::vector<message>& all) const
{
    // Messages were added in alphabetical order of the keys, in which toml++ yields them.
    std::ranges::sort(all,
                      [](const message& a, const message& b) { return a.at == b.at ? a.what < b.what : a.at < b.at; });
    std::vector<std::string> told;
    told.reserve(all.size());
    for (const message& r : all) {
        told.push_back(fmt::format("{}:{}:{}: {}", file_, r.at.line, r.at.column, from_plane_16(r.what)));
    }
    return told;
}

bool toml_reader::is_near(std::string_view name, std::string_view written) { return distance(name, written) <= 2; }

std::string toml_reader::place(const toml::source_region& at) const
{
    return fmt::format("{}:{}:{}: ", file_, at.begin.line, at.begin.column);
}

void toml_reader::complain(const toml::source_region& at, std::string_view what)
{
    complaints_.push_back({at.begin, std::string(what)});
}

void toml_reader::warn(const toml::source_region& at, std::string_view what)
{
    warnings_.push_back({at.begin, std::string(what)});
}

toml_reader::value_reader toml_reader::boolean(bool& into)
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

toml_reader::value_reader toml_reader::string(std::string& into)
{
    return [this, &into](const toml::node& node) {
        if (const auto value = string_in(node)) {
            into = *value;
        } else {
            complain(node.source(), "expected a string");
        }
    };
}

toml_reader::value_reader toml_reader::each_string(
    std::function<void(const std::string& value, const toml::node&)> read)
{
    return [this, read = std::move(read)](const toml::node& node) {
        const auto one = [&](const toml::node& element, std::string_view expected) {
            if (const auto value = string_in(element)) {
                read(*value, element);
            } else {
                complain(element.source(), expected);
            }
        };
        if (const auto* many = node.as_array()) {
            for (const toml::node& element : *many) one(element, "expected a string");
        } else {
            one(node, "expected a string or an array of strings");
        }
    };
}

toml_reader::value_reader toml_reader::strings(std::vector<std::string>& into)
{
    return [read = each_string([&into](const std::string& value, const toml::node&) { into.push_back(value); }),
            &into](const toml::node& node) {
        into.clear();
        read(node);
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
            complain(node.source(), fmt::format("expected the table [{}], in which every value is a string", name));
            return;
        }
        for (const auto& [key, value] : *t) {
            if (const auto string = string_in(value)) {
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
            complain(node.source(), fmt::format("expected an array of tables: write [[{}]]", name));
            return;
        }
        for (const toml::node& each : *all) {
            if (const auto* t = each.as_table()) {
                read(*t);
            } else {
                complain(each.source(), fmt::format("expected a table: write [[{}]]", name));
            }
        }
    };
}

}  // namespace server
