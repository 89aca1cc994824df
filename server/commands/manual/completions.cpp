// SPDX-License-Identifier: MIT
#include "server/commands/manual/completions.hpp"

#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "server/commands/manual/option_table.hpp"

namespace server {
namespace {

std::string join(const std::vector<std::string>& words, std::string_view between)
{
    std::string all;
    for (const std::string& w : words) all += (all.empty() ? "" : std::string(between)) + w;
    return all;
}

std::string replace_all(std::string text, std::string_view what, std::string_view by)
{
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
    return text;
}

std::string in_quotes(std::string_view text) { return "'" + replace_all(std::string(text), "'", "'\\''") + "'"; }

std::string names_of(const std::vector<option_row>& options)
{
    std::vector<std::string> all;
    for (const option_row& o : options) all.insert(all.end(), o.names.begin(), o.names.end());
    return join(all, " ");
}

std::string names_of(const std::vector<command_row>& commands)
{
    std::string all;
    for (const command_row& c : commands) all += (all.empty() ? "" : " ") + c.name;
    return all;
}

// --- bash -----------------------------------------------------------------------------------------------------------

/// The command by which bash completes the value of an option; "" if any value is possible.
std::string bash_values(const option_row& o)
{
    if (!o.words.empty())
        return fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$word\")", join(o.words, " "));
    if (o.value == "FILE") return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$word\")";
    if (o.value == "DIR") return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$word\")";
    if (o.value == "USER") return "mapfile -t COMPREPLY < <(compgen -u -- \"$word\")";
    if (o.value == "GROUP") return "mapfile -t COMPREPLY < <(compgen -g -- \"$word\")";
    return "";
}

std::string bash_cases(const std::vector<option_row>& options)
{
    std::string text;
    for (const option_row& o : options) {
        if (o.names.empty() || o.value.empty()) continue;
        const std::string values = bash_values(o);
        text += fmt::format("        {}) {}{}return ;;\n", join(o.names, "|"), values, values.empty() ? "" : "; ");
    }
    return text;
}

// --- zsh ------------------------------------------------------------------------------------------------------------

std::string zsh_values(const option_row& o)
{
    if (!o.words.empty()) return fmt::format("({})", join(o.words, " "));
    if (o.value == "FILE") return "_files";
    if (o.value == "DIR") return "_files -/";
    if (o.value == "USER") return "_users";
    if (o.value == "GROUP") return "_groups";
    return "";
}

/// An argument of zsh's _arguments: names, description and value.
std::string zsh_argument(const option_row& o)
{
    std::string what = o.what;
    for (const std::string_view special : {"\\", "[", "]", ":"}) {
        what = replace_all(what, special, "\\" + std::string(special));
    }
    const std::string value =
        o.value.empty() ? "" : fmt::format(":{}:{}", replace_all(o.value, ":", "\\:"), zsh_values(o));
    if (o.names.empty()) return in_quotes(value);
    const std::string rest = fmt::format("[{}]{}", what, value);
    if (o.names.size() == 1) return in_quotes(o.names.front() + rest);
    // The star allows an option more than once. Only --listen needs it, and for the others it is harmless.
    return fmt::format("'*'{{{}}}{}", join(o.names, ","), in_quotes(rest));
}

std::string zsh_arguments(const std::vector<option_row>& options)
{
    std::string text;
    for (const option_row& o : options) text += fmt::format(" \\\n            {}", zsh_argument(o));
    return text;
}

// --- fish -----------------------------------------------------------------------------------------------------------

std::string fish_line(const option_row& o, std::string_view condition)
{
    std::string line = fmt::format("complete -c occwserv -n {}", in_quotes(condition));
    for (const std::string& name : o.names) {
        line += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
    }
    if (!o.words.empty()) {
        line += fmt::format(" -x -a {}", in_quotes(join(o.words, " ")));
    } else if (o.value == "FILE") {
        line += " -r -F";
    } else if (o.value == "DIR") {
        line += " -x -a '(__fish_complete_directories)'";
    } else if (o.value == "USER") {
        line += " -x -a '(__fish_complete_users)'";
    } else if (o.value == "GROUP") {
        line += " -x -a '(__fish_complete_groups)'";
    } else if (!o.value.empty()) {
        line += " -x";
    }
    return line + fmt::format(" -d {}\n", in_quotes(o.what));
}

}  // namespace

std::string bash_completion(const CLI::App& app)
{
    const auto options = options_of(app);
    const auto commands = commands_of(app);
    std::string of_commands;
    std::string cases = bash_cases(options);
    for (const command_row& c : commands) {
        std::string names = c.takes_all ? names_of(options) : "-h --help";
        for (const option_row& o : c.options) names += " " + join(o.names, " ");
        of_commands += fmt::format("            {}) names='{}' ;;\n", c.name, names);
        for (const option_row& o : c.options) {
            // An option that the program has too is in `cases` already, with the same values.
            if (!o.names.empty() && cases.find(o.names.back() + ")") == std::string::npos) cases += bash_cases({o});
        }
    }
    return fmt::format(R"(# bash completion of occwserv(8), made from its table of options
_occwserv() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} each command=
    case $before in
{0}    esac
    local names='{1}'
    for each in "${{COMP_WORDS[@]:1:COMP_CWORD - 1}}"; do
        case $each in
{2}            *) continue ;;
        esac
        command=$each
        break
    done
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$names" -- "$word")
    elif [[ -z $command ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -W '{3}' -- "$word"; compgen -d -- "$word")
    fi
}}
complete -F _occwserv occwserv
)",
                       cases, names_of(options), of_commands, names_of(commands));
}

std::string zsh_completion(const CLI::App& app)
{
    const auto options = options_of(app);
    const auto commands = commands_of(app);
    std::string described;
    std::string cases;
    for (const command_row& c : commands) {
        described += fmt::format("        {}\n", in_quotes(c.name + ":" + c.what));
        cases += fmt::format("        {})\n            _arguments -s -S{}{}\n            ;;\n", c.name,
                             zsh_arguments(c.options), c.takes_all ? " \\\n            \"${program[@]}\"" : "");
    }
    std::string program;
    for (const option_row& o : options) {
        if (!o.names.empty()) program += fmt::format("        {}\n", zsh_argument(o));
    }
    return fmt::format(R"(#compdef occwserv
# zsh completion of occwserv(8), made from its table of options
_occwserv() {{
    local -a commands program
    local curcontext=$curcontext state
    local -A opt_args
    commands=(
{0}    )
    program=(
{1}    )
    _arguments -C -s -S "${{program[@]}}" '(-): :->first' '(-)*:: :->rest' && return
    case $state in
    first)
        _describe -t commands command commands
        _files -/
        ;;
    rest)
        case $words[1] in
{2}        *) _arguments -s -S "${{program[@]}}" ;;
        esac
        ;;
    esac
}}
_occwserv "$@"
)",
                       described, program, cases);
}

std::string fish_completion(const CLI::App& app)
{
    const auto commands = commands_of(app);
    const std::string none = fmt::format("not __fish_seen_subcommand_from {}", names_of(commands));
    std::string text = "# fish completion of occwserv(8), made from its table of options\n";
    text += fmt::format("complete -c occwserv -f\ncomplete -c occwserv -n {} -a '(__fish_complete_directories)'\n",
                        in_quotes(none));
    std::string takes_all;
    for (const command_row& c : commands) {
        text += fmt::format("complete -c occwserv -n {} -a {} -d {}\n", in_quotes(none), c.name, in_quotes(c.what));
        if (c.takes_all) takes_all += " " + c.name;
    }
    const std::string or_such = fmt::format("{}; or __fish_seen_subcommand_from{}", none, takes_all);
    for (const option_row& o : options_of(app)) {
        if (!o.names.empty()) text += fish_line(o, or_such);
    }
    for (const command_row& c : commands) {
        const std::string of_command = fmt::format("__fish_seen_subcommand_from {}", c.name);
        for (const option_row& o : c.options) {
            if (!o.names.empty()) text += fish_line(o, of_command);
        }
    }
    return text;
}

}  // namespace server
