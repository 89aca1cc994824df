// SPDX-License-Identifier: MIT
//
// `occwserv_describe man|bash|zsh|fish` prints the manual page or a completion script. It is a separate program, which
// the build runs, so that the server does not contain this code.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "server/commands/command_line.hpp"
#include "server/commands/manual/completions.hpp"
#include "server/commands/manual/manual_page.hpp"

int main(int count, const char** words)
{
    const std::string_view form = count == 2 ? words[1] : "";
    int code = EXIT_SUCCESS;
    server::show_command_line([&](const CLI::App& app) {
        if (form == "man")
            fmt::print("{}", server::manual_page(app, OCCWSERV_VERSION));
        else if (form == "bash")
            fmt::print("{}", server::bash_completion(app));
        else if (form == "zsh")
            fmt::print("{}", server::zsh_completion(app));
        else if (form == "fish")
            fmt::print("{}", server::fish_completion(app));
        else
            code = EXIT_FAILURE;
    });
    if (code != EXIT_SUCCESS) fmt::print(stderr, "usage: occwserv_describe man|bash|zsh|fish\n");
    return code;
}
