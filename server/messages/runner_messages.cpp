// SPDX-License-Identifier: MIT
#include "server/messages/runner_messages.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <ranges>

#include "http/characters.hpp"

namespace server {
namespace {

constexpr std::size_t head_of_answer = offsetof(runner_answer, text);

void append(std::vector<std::byte>& to, std::string_view text)
{
    const auto bytes = std::as_bytes(std::span(text));
    to.insert(to.end(), bytes.begin(), bytes.end());
}

std::string_view text_in(std::span<const std::byte> bytes)
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The strings, each of which ends with NUL. Nothing if the last one does not, or if there are too many.
std::optional<std::vector<std::string>> strings_in(std::string_view text)
{
    if (!text.empty() && !text.ends_with('\0')) return std::nullopt;
    const auto count = static_cast<std::size_t>(std::ranges::count(text, '\0'));
    if (count > runner_request::most_variables) return std::nullopt;
    std::vector<std::string> all;
    all.reserve(count);
    for (std::size_t at = 0; at < text.size(); at += all.back().size() + 1) {
        all.emplace_back(text.substr(at, text.find('\0', at) - at));
    }
    return all;
}

bool is_known(runner_request::kind what)
{
    return what == runner_request::kind::start || what == runner_request::kind::open_spool;
}

/// The meta-variables, and the customary ones.
constexpr std::array<std::string_view, 28> known_names{
    "AUTH_TYPE",   "CONTENT_LENGTH",  "CONTENT_TYPE",    "DOCUMENT_ROOT", "DOCUMENT_URI",    "GATEWAY_INTERFACE",
    "HTTPS",       "PATH_INFO",       "PATH_TRANSLATED", "QUERY_STRING",  "REDIRECT_STATUS", "REMOTE_ADDR",
    "REMOTE_HOST", "REMOTE_IDENT",    "REMOTE_PORT",     "REMOTE_USER",   "REQUEST_METHOD",  "REQUEST_SCHEME",
    "REQUEST_URI", "SCRIPT_FILENAME", "SCRIPT_NAME",     "SERVER_ADDR",   "SERVER_ADMIN",    "SERVER_NAME",
    "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "UNIQUE_ID"};
static_assert(std::ranges::is_sorted(known_names));

bool is_name_of_field(std::string_view name)
{
    constexpr std::string_view prefix = "HTTP_";
    return name.starts_with(prefix) && name.size() > prefix.size() && name != "HTTP_PROXY" &&
           std::ranges::all_of(name, [](char c) { return (c >= 'A' && c <= 'Z') || http::is_digit(c) || c == '_'; });
}

}  // namespace

std::vector<std::byte> packet_of(const runner_order& order)
{
    using r = runner_request;
    std::size_t environment_bytes = 0;
    for (const std::string& v : order.environment) {
        if (v.contains('\0')) return {};
        environment_bytes += v.size() + 1;
    }
    const bool is_too_large = order.script.size() > r::longest_script || environment_bytes > r::largest_environment ||
                              order.environment.size() > r::most_variables;
    if (is_too_large || order.script.contains('\0')) return {};
    const r head{.what = order.what,
                 .site = order.site,
                 .route = order.route,
                 .has_input = order.has_input ? 1U : 0U,
                 .script_bytes = static_cast<std::uint32_t>(order.script.size()),
                 .environment_bytes = static_cast<std::uint32_t>(environment_bytes)};
    std::vector<std::byte> packet;
    packet.reserve(sizeof head + order.script.size() + environment_bytes);
    append(packet, {reinterpret_cast<const char*>(&head), sizeof head});
    append(packet, order.script);
    for (const std::string& v : order.environment) append(packet, {v.c_str(), v.size() + 1});
    return packet;
}

std::optional<runner_order> parse_runner_request(std::span<const std::byte> bytes)
{
    runner_request head;
    if (bytes.size() < sizeof head) return std::nullopt;
    std::memcpy(&head, bytes.data(), sizeof head);
    if (!is_known(head.what) || head.has_input > 1) return std::nullopt;
    if (head.script_bytes > runner_request::longest_script) return std::nullopt;
    if (head.environment_bytes > runner_request::largest_environment) return std::nullopt;
    if (bytes.size() != sizeof head + head.script_bytes + head.environment_bytes) return std::nullopt;
    const std::string_view script = text_in(bytes.subspan(sizeof head, head.script_bytes));
    auto environment = strings_in(text_in(bytes.subspan(sizeof head + head.script_bytes)));
    if (!environment || script.contains('\0')) return std::nullopt;
    return runner_order{.what = head.what,
                        .site = head.site,
                        .route = head.route,
                        .has_input = head.has_input == 1,
                        .script = std::string(script),
                        .environment = std::move(*environment)};
}

bool is_name_of_program(std::string_view name)
{
    if (name.empty() || name.contains('\0')) return false;
    return std::ranges::all_of(std::views::split(name, '/'),
                               [](const auto& part) { return !part.empty() && *part.begin() != '.'; });
}

bool is_path_of_file(std::string_view path)
{
    if (!path.starts_with('/') || path.contains('\0')) return false;
    return std::ranges::all_of(std::views::split(path.substr(1), '/'), [](const auto& part) {
        const std::string_view name(part.begin(), part.end());
        return !name.empty() && name != "." && name != "..";
    });
}

bool may_have(const cgi_rules& rules, std::string_view variable)
{
    const std::size_t end = variable.find('=');
    if (end == std::string_view::npos) return false;
    const std::string_view name = variable.substr(0, end);
    const std::string_view value = variable.substr(end + 1);
    if (std::ranges::any_of(rules.environment, [&](const auto& v) { return v.name == name && v.value == value; })) {
        return true;
    }
    if (name == "PATH") return value == usual_path_of_programs;
    return std::ranges::binary_search(known_names, name) || is_name_of_field(name);
}

runner_answer runner_answer::failed(start_failure::kind why, std::string_view text) noexcept
{
    const std::string_view kept = text.substr(0, longest_text);
    runner_answer a{.what = kind::failed, .why = why, .text_bytes = static_cast<std::uint32_t>(kept.size())};
    std::ranges::copy(kept, a.text.begin());
    return a;
}

std::span<const std::byte> runner_answer::bytes() const
{
    return std::as_bytes(std::span(this, 1)).first(head_of_answer + text_bytes);
}

std::optional<runner_reply> parse_runner_answer(std::span<const std::byte> bytes)
{
    using kind = runner_answer::kind;
    runner_answer a;
    if (bytes.size() < head_of_answer || bytes.size() > sizeof a) return std::nullopt;
    std::memcpy(static_cast<void*>(&a), bytes.data(), head_of_answer);
    const bool is_known = a.what == kind::started || a.what == kind::opened || a.what == kind::failed;
    if (!is_known || a.text_bytes != bytes.size() - head_of_answer) return std::nullopt;
    return runner_reply{.what = a.what,
                        .pid = a.pid,
                        .failure = {.what = a.why, .text = std::string(text_in(bytes.subspan(head_of_answer)))}};
}

}  // namespace server
