// SPDX-License-Identifier: MIT
#include "server/static_farm/error_text.hpp"

#include <fmt/format.h>

#include "server/static_farm/built_in_style.hpp"
#include "server/static_farm/escape.hpp"

namespace server {
namespace {

constexpr std::string_view style = R"(main{margin:auto 0;padding:2.5rem 0}
svg{display:block;width:100%;max-width:25rem;height:auto;margin:0 0 2rem}
.code{margin:0 0 .7rem;color:var(--accent);font:700 clamp(4.2rem,3rem + 7vw,7.5rem)/.9 var(--mono);letter-spacing:-.06em}
h1{max-width:24ch;margin:0 0 1rem;font-size:clamp(1.8rem,1.4rem + 2vw,2.6rem);line-height:1.1;letter-spacing:-.02em;
text-wrap:balance}
p{max-width:38rem;margin:0 0 1rem}
.lead{font-size:clamp(1.12rem,1.05rem + .4vw,1.28rem);line-height:1.5}
.box{fill:var(--wash);stroke:var(--accent);stroke-width:2}
.missing{fill:none;stroke:var(--line);stroke-width:2;stroke-dasharray:6 4}
.way{fill:none;stroke:var(--accent);stroke-width:2}
.dot{fill:var(--dot)}
)";

/// A network with a channel that leads no further.
constexpr std::string_view picture = R"(<svg viewBox="0 0 400 50" aria-hidden="true">
<path class="way" d="M72 25H146M218 25H266"/><path class="missing" d="M288 25H328"/>
<rect class="box" x="1" y="7" width="70" height="36" rx="4"/><rect class="box" x="147" y="7" width="70" height="36" rx="4"/>
<rect class="missing" x="329" y="7" width="70" height="36" rx="4"/><circle class="dot" cx="273" cy="25" r="6"/>
</svg>
)";

/// A code outside the registry has no phrase (a CGI script may have made it up).
std::string_view phrase_of(http::status code)
{
    const std::string_view phrase = http::reason_phrase(code);
    return phrase.empty() ? "Error" : phrase;
}

}  // namespace

std::string error_html(http::status code, std::string_view message)
{
    const auto number = http::number(code);
    const std::string phrase = html_escaped(phrase_of(code));
    std::string page = fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"robots\" content=\"noindex\">\n<title>{} {}</title>\n<style>\n",
        number, phrase);
    page.append(built_in_style).append(style).append("</style>\n</head>\n<body>\n<main>\n").append(picture);
    page += fmt::format("<p class=\"code\">{}</p>\n<h1>{}</h1>\n", number, phrase);
    if (!message.empty()) page += fmt::format("<p class=\"lead\">{}</p>\n", html_escaped(message));
    page += "<p><a href=\"/\">To the start page</a></p>\n</main>\n<footer><p>occwserv</p></footer>\n</body>\n</html>\n";
    return page;
}

std::string error_json(http::status code, std::string_view message)
{
    return fmt::format("{{\"status\":{},\"error\":{},\"message\":{}}}\n", http::number(code),
                       json_quoted(phrase_of(code)), json_quoted(message));
}

}  // namespace server
