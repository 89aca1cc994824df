// SPDX-License-Identifier: MIT
//
// The runner's parser of requests, which an attacker in the server could send, the checks of what they name, and the
// server's parser of answers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ranges>
#include <span>
#include <string_view>

#include "server/messages/runner_messages.hpp"

namespace {

void require(bool holds)
{
    if (!holds) std::abort();
}

/// What the loader and shells obey.
bool is_dangerous(std::string_view variable)
{
    const std::string_view name = variable.substr(0, variable.find('='));
    return name.starts_with("LD_") || name == "HTTP_PROXY" || name == "BASH_ENV" || name == "ENV" || name == "IFS" ||
           name.starts_with("PERL") || name.starts_with("PYTHON") || name == "PHPRC" ||
           (name == "PATH" && variable.substr(5) != server::usual_path_of_programs);
}

bool leads_up(std::string_view path)
{
    return std::ranges::any_of(std::views::split(path, '/'),
                               [](const auto& part) { return std::string_view(part.begin(), part.end()) == ".."; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = std::as_bytes(std::span(data, size));
    if (const auto order = server::parse_runner_request(bytes)) {
        require(std::ranges::equal(server::packet_of(*order), bytes));  // a valid request has one form only
        require(!order->script.contains('\0'));
        if (server::is_name_of_program(order->script))
            require(!order->script.starts_with('/') && !leads_up(order->script));
        if (server::is_path_of_file(order->script)) require(order->script.starts_with('/') && !leads_up(order->script));
        for (const std::string& v : order->environment) {
            require(!v.contains('\0'));
            if (server::may_have({}, v)) require(v.contains('=') && !is_dangerous(v));
        }
    }
    (void)server::parse_runner_answer(bytes);
    return 0;
}
