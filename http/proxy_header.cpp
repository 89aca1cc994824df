// SPDX-License-Identifier: MIT
#include "http/proxy_header.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace http {
namespace {

using outcome = std::expected<std::optional<proxy_header>, error>;

constexpr error not_a_header{status::bad_request, "The connection does not begin with a valid PROXY protocol header."};

constexpr std::string_view signature_1 = "PROXY ";
constexpr std::string_view signature_2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t longest_line = 107;  // with its CRLF (section 2.1)
constexpr std::size_t fixed_part_2 = 16;

/// Removes and returns the next word of a line, whose words are separated by single spaces.
std::string_view next_word(std::string_view& line)
{
    const auto space = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
    return word;
}

bool is_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
    return problem == std::errc() && end == text.data() + text.size() && (text.size() == 1 || text.front() != '0');
}

/// The header of a proxy that names its client. No client has the unspecified address (RFC 4291 section 2.5.2).
proxy_header header_of(std::size_t bytes, std::optional<ip_address> client)
{
    if (client && client->is_none()) client.reset();
    return {.bytes = bytes, .client = client};
}

/// Parses "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443", without its CRLF.
outcome parse_line(std::string_view line, std::size_t bytes)
{
    line.remove_prefix(signature_1.size());
    const std::string_view family = next_word(line);
    if (family == "UNKNOWN") return header_of(bytes, {});  // the rest of the line must be ignored
    if (family != "TCP4" && family != "TCP6") return std::unexpected(not_a_header);
    const std::string_view from = next_word(line);
    const std::string_view to = next_word(line);
    const std::string_view from_port = next_word(line);
    const bool is_v4 = family == "TCP4";
    const auto client = parse_ip(from);
    const auto server = parse_ip(to);
    const auto fits = [is_v4](const auto& a, std::string_view text) { return a && text.contains(':') != is_v4; };
    if (!fits(client, from) || !fits(server, to) || !is_port(from_port) || !is_port(line)) {
        return std::unexpected(not_a_header);
    }
    return header_of(bytes, client);
}

outcome parse_version_1(std::string_view input)
{
    const auto end = input.substr(0, longest_line).find("\r\n");
    if (end != std::string_view::npos) return parse_line(input.substr(0, end), end + 2);
    if (input.size() >= longest_line) return std::unexpected(not_a_header);
    return std::nullopt;
}

std::uint8_t byte_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

outcome parse_version_2(std::string_view input)
{
    if (input.size() < fixed_part_2) return std::nullopt;
    const unsigned command = byte_at(input, 12);
    const unsigned family = byte_at(input, 13);
    const std::size_t length = std::size_t{byte_at(input, 14)} << 8 | byte_at(input, 15);
    const std::size_t bytes = fixed_part_2 + length;
    // Only version 2 with LOCAL or PROXY is valid; unassigned families and protocols must be refused (section 2.2).
    if ((command != 0x20 && command != 0x21) || family >> 4 > 3 || (family & 15) > 2 || bytes > longest_proxy_header) {
        return std::unexpected(not_a_header);
    }
    const bool is_local = command == 0x20;
    const bool is_v4 = family >> 4 == 1;
    const bool is_v6 = family >> 4 == 2;
    const std::size_t address_bytes = is_v4 ? 4 : 16;
    if (!is_local && (is_v4 || is_v6) && length < 2 * address_bytes + 4) return std::unexpected(not_a_header);
    if (input.size() < bytes) return std::nullopt;
    if (is_local) return proxy_header{.bytes = bytes, .client = {}, .is_local = true};
    if (!is_v4 && !is_v6) return header_of(bytes, {});
    ip_address a;
    if (is_v4) a.bytes[10] = a.bytes[11] = 0xff;
    const std::string_view source = input.substr(fixed_part_2, address_bytes);
    std::ranges::transform(source, a.bytes.end() - static_cast<std::ptrdiff_t>(address_bytes),
                           [](char c) { return static_cast<std::uint8_t>(c); });
    return header_of(bytes, a);
}

}  // namespace

outcome parse_proxy_header(std::string_view input)
{
    for (const auto& [signature, parse] : {std::pair(signature_1, &parse_version_1), {signature_2, &parse_version_2}}) {
        if (input.starts_with(signature)) return parse(input);
        if (signature.starts_with(input)) return std::nullopt;
    }
    return std::unexpected(not_a_header);
}

}  // namespace http
