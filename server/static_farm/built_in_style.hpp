// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace server {

/// What the pages that the server makes itself have in common: the colours and letters of site/style.css. They are
/// sent with each page, since a site may have no style sheet, and need no script.
inline constexpr std::string_view built_in_style = R"(:root{color-scheme:light dark;
--paper:#f6f9f6;--raised:#fff;--wash:#eaf1ed;--ink:#15211f;--soft:#4a5b57;--rule:#c9d6d0;--line:#566b65;
--accent:#0b5c5b;--signal:#a63f0c;--dot:#c9650f;
--serif:Charter,"Bitstream Charter","Sitka Text","Iowan Old Style",Cambria,"Noto Serif",Georgia,serif;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",Arial,sans-serif;
--mono:ui-monospace,"Cascadia Code","SF Mono",Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace}
@media(prefers-color-scheme:dark){:root{
--paper:#0f1718;--raised:#152022;--wash:#172426;--ink:#e3ebe6;--soft:#a6b7b1;--rule:#2d3e3f;--line:#849a94;
--accent:#83d3c8;--signal:#ffa968;--dot:#ffa24d}}
*,::before,::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{max-width:62rem;min-height:100vh;min-height:100svh;margin:0 auto;padding:0 clamp(1rem,4vw,2.5rem);display:flex;
flex-direction:column;background:var(--paper);color:var(--ink);font:1.0625rem/1.62 var(--serif);overflow-wrap:break-word}
a{color:var(--accent);text-decoration-thickness:1px;text-underline-offset:.18em}
a:hover{text-decoration-thickness:2px}
:focus-visible{outline:3px solid var(--dot);outline-offset:3px;border-radius:2px}
footer{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.2rem 1.5rem;margin-top:auto;padding:1.1rem 0 1.6rem;
color:var(--soft);font:.88rem/1.55 var(--sans)}
footer p{margin:0}
)";

}  // namespace server
