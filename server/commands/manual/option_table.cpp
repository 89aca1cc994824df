// SPDX-License-Identifier: MIT
#include "server/commands/manual/option_table.hpp"

#include <functional>
#include <utility>

#include <CLI/CLI.hpp>

namespace server {
namespace {

/// CLI11 names the type of an option "TEXT:{on,off}" if only certain words are valid, and "UINT:INT in [1 - 9]" for a
/// number.
std::vector<std::string> words_of(const std::string& type)
{
    const auto begin = type.find('{');
    if (begin == std::string::npos) return {};
    return CLI::detail::split(type.substr(begin + 1, type.find('}') - begin - 1), ',');
}

std::string value_of(const CLI::Option& o)
{
    if (o.get_items_expected_max() == 0) return "";
    if (!o.nonpositional()) return o.get_name(true);
    const std::string type = o.get_type_name();
    if (type.starts_with("UINT")) return "NUMBER";
    return type.starts_with("TEXT:") ? "WORD" : type;
}

option_row row_of(const CLI::Option& o)
{
    option_row row{
        .names = {}, .value = value_of(o), .words = words_of(o.get_type_name()), .what = o.get_description()};
    for (const std::string& name : o.get_snames()) row.names.push_back("-" + name);
    for (const std::string& name : o.get_lnames()) row.names.push_back("--" + name);
    return row;
}

}  // namespace

std::vector<option_row> options_of(const CLI::App& app)
{
    std::vector<option_row> all;
    for (const CLI::Option* o : app.get_options()) all.push_back(row_of(*o));
    return all;
}

std::vector<command_row> commands_of(const CLI::App& app)
{
    std::vector<command_row> all;
    for (const CLI::App* command : app.get_subcommands(std::function<bool(const CLI::App*)>())) {
        command_row row{command->get_name(), command->get_description(), command->get_fallthrough(), {}};
        for (const CLI::Option* o : command->get_options()) {
            if (o != command->get_help_ptr()) row.options.push_back(row_of(*o));
        }
        all.push_back(std::move(row));
    }
    return all;
}

}  // namespace server
