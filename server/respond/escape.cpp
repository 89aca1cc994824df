// SPDX-License-Identifier: MIT
#include "server/respond/escape.hpp"

#include "http/json_text.hpp"

namespace server {

std::string html_escaped(std::string_view text)
{
    std::string escaped;
    escaped.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

std::string json_quoted(std::string_view text)
{
    std::string quoted;
    quoted.reserve(text.size() + 2);
    http::append_json_text(quoted, text);
    return quoted;
}

}  // namespace server
