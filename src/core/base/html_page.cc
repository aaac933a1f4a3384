// SPDX-License-Identifier: Apache-2.0
#include "core/base/html_page.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace oree {
namespace {

constexpr const char* kStyle = R"css(
:root{color-scheme:light dark;--page:#f6f6f3;--card:#fff;--ink:#16181a;--soft:#565b61;--faint:#8b9096;--line:#e3e3de;
--good:#0b7a4b;--goodbg:#e4f4ec;--bad:#b3362a;--badbg:#fbeae7}
@media(prefers-color-scheme:dark){:root{--page:#121416;--card:#1b1e21;--ink:#eef0f1;--soft:#a9b0b7;--faint:#7c848c;
--line:#2d3236;--good:#57d39b;--goodbg:#143226;--bad:#ff8f80;--badbg:#3b1d19}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:36px 20px 60px}
header .kicker{color:var(--soft);font-size:13px;letter-spacing:.02em}
h1{font-size:29px;line-height:1.2;margin:4px 0 20px;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 4px;font-weight:650}.lead{color:var(--soft);margin:0 0 16px;max-width:74ch}
section{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:22px 24px;margin:18px 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px}th{font-weight:550;color:var(--soft);text-align:left;font-size:12.5px}
th,td{padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.warn{background:var(--badbg);color:var(--bad);border-color:transparent;padding:12px 24px}
.tag{font-size:11.5px;padding:1px 8px;border-radius:20px;white-space:nowrap;background:var(--goodbg);color:var(--good);font-weight:600}.tag.bad{background:var(--badbg);color:var(--bad)}
.tag.plain{background:none;border:1px solid var(--line);color:var(--soft);font-weight:500}
dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 22px;margin:0;font-size:14px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
footer{color:var(--faint);font-size:12.5px;margin-top:22px}
@media(max-width:720px){h1{font-size:23px}section{padding:18px 16px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
)css";

}  // namespace

std::string html_page(const HtmlPage& page) {
  std::string out =
      R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">)"
      R"(<meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline';script-src 'unsafe-inline'">)";
  out += fmt::format("<title>{}</title><style>{}{}</style></head><body><main>", xml_escape(page.title), kStyle,
                     page.style);
  out += fmt::format(R"(<header><div class="kicker">{}</div><h1>{}</h1></header>)", xml_escape(page.kicker),
                     xml_escape(page.heading));
  out += page.body;
  out += fmt::format("<footer>oree {} · self-contained page, nothing is loaded from elsewhere</footer></main>",
                     OREE_VERSION);
  if (!page.script.empty()) out += "<script>" + page.script + "</script>";
  return out + "</body></html>\n";
}

}  // namespace oree
