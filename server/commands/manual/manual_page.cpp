// SPDX-License-Identifier: MIT
#include "server/commands/manual/manual_page.hpp"

#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "server/commands/manual/option_table.hpp"

namespace server {
namespace {

/// Escapes every character that means something to the formatter.
std::string plain(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else if (c == '`')
            out += "\\(ga";
        else if (c == '\'')
            out += "\\(aq";
        else
            out += c;
    }
    return out;
}

std::string join(const std::vector<std::string>& words, std::string_view between)
{
    std::string all;
    for (const std::string& w : words) {
        if (!all.empty()) all += between;
        all += plain(w);
    }
    return all;
}

std::string option_text(const option_row& o)
{
    std::string head = o.names.empty() ? "" : fmt::format("\\fB{}\\fR", join(o.names, "\\fR, \\fB"));
    if (!o.value.empty()) {
        const std::string value = o.words.empty() ? fmt::format("\\fI{}\\fR", plain(o.value))
                                                  : fmt::format("\\fB{}\\fR", join(o.words, "\\fR|\\fB"));
        head += (head.empty() ? "" : " ") + value;
    }
    return fmt::format(".TP\n{}\n{}\n", head, plain(o.what));
}

std::string command_text(const command_row& c)
{
    std::string text = fmt::format(".SS \"{}\"\n{}.", plain(c.name), plain(c.what));
    if (c.takes_all) text += " Also accepts the options above.";
    text += "\n";
    for (const option_row& o : c.options) text += option_text(o);
    return text;
}

}  // namespace

std::string manual_page(const CLI::App& app, const std::string& version)
{
    std::string page = fmt::format(
        ".TH OCCWSERV 8 \"\" \"occwserv {}\" \"System administration\"\n"
        ".SH NAME\noccwserv \\- web server that is a network of communicating processes\n"
        ".SH SYNOPSIS\n"
        ".B occwserv\n[\\fIOPTION\\fR]... [\\fIDIR\\fR]\n"
        ".PP\n.B occwserv\n\\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
        ".SH DESCRIPTION\n\\fBoccwserv\\fR serves a directory, or the sites of a configuration file, over HTTP/1.1.\n"
        "With a command, it checks a configuration or controls a running server, and does not serve.\n"
        ".SH OPTIONS\n",
        plain(version));
    for (const option_row& o : options_of(app)) page += option_text(o);
    page += ".SH COMMANDS\n";
    for (const command_row& c : commands_of(app)) page += command_text(c);
    return page;
}

}  // namespace server
