// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/report_parts.h"

namespace oree {

const char* const kReportStyle = R"css(
:root{color-scheme:light dark;--page:#f6f6f3;--card:#fff;--ink:#16181a;--soft:#565b61;--faint:#8b9096;--line:#e3e3de;
--good:#0b7a4b;--goodbg:#e4f4ec;--bad:#b3362a;--badbg:#fbeae7;--e0:#2a6fd0;--e1:#7d4fd0;--e2:#d9691e;--shade:#b3362a14}
@media(prefers-color-scheme:dark){:root{--page:#121416;--card:#1b1e21;--ink:#eef0f1;--soft:#a9b0b7;--faint:#7c848c;
--line:#2d3236;--good:#57d39b;--goodbg:#143226;--bad:#ff8f80;--badbg:#3b1d19;--e0:#6aa7ff;--e1:#b394ff;--e2:#ff9d57;--shade:#ff8f8014}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:36px 20px 60px}
header .kicker{color:var(--soft);font-size:13px;letter-spacing:.02em}
h1{font-size:29px;line-height:1.2;margin:4px 0 20px;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 4px;font-weight:650}.lead{color:var(--soft);margin:0 0 16px;max-width:74ch}
section{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:22px 24px;margin:18px 0}
.hero{display:grid;grid-template-columns:minmax(230px,auto) 1fr;gap:36px;align-items:center}
.big{font-size:58px;font-weight:680;line-height:1;letter-spacing:-.03em}.big small{font-size:22px;font-weight:500;color:var(--soft);letter-spacing:0;margin-left:6px}
.who{font-size:17px;font-weight:600;margin-top:10px}.sub{color:var(--soft);font-size:14px}
.bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:9px 12px;align-items:center;font-size:14px}
.bars i{display:block;height:20px;border-radius:4px;min-width:3px}.bars b{font-weight:600;white-space:nowrap;font-variant-numeric:tabular-nums}
.bars .win{font-weight:650}.x{color:var(--soft);font-weight:400}
.facts{display:flex;flex-wrap:wrap;gap:12px 40px;margin:20px 0 0;padding-top:18px;border-top:1px solid var(--line);grid-column:1/-1}
.facts div{font-size:13px;color:var(--soft)}.facts b{display:block;font-size:18px;color:var(--ink);font-weight:620}
.no .big{font-size:34px;color:var(--bad)}.no{display:block}
.scroll{overflow-x:auto}svg{display:block;width:100%;min-width:620px;height:auto;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg text{fill:var(--soft)}svg .strong{fill:var(--ink);font-weight:600}svg .axis{stroke:var(--line)}svg .bound{stroke:var(--bad);stroke-dasharray:5 4}
svg .shade{fill:var(--shade)}svg .boundtext{fill:var(--bad)}svg .ring{fill:none;stroke:var(--ink);stroke-width:2}svg .front{fill:none;stroke:var(--faint);stroke-width:1.5}
svg .halo{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.e0{--c:var(--e0)}.e1{--c:var(--e1)}.e2{--c:var(--e2)}.e3{--c:var(--soft)}
svg .dot{fill:var(--c);stroke:var(--card);stroke-width:1.5}svg .open{fill:var(--card);stroke:var(--c);stroke-width:2}
svg .tick{stroke:var(--c);stroke-opacity:.42}svg .p50{stroke:var(--c);stroke-width:3.5}svg .p95{stroke:var(--ink);stroke-width:1.5}
.bars i{background:var(--c)}.key{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:13px;color:var(--soft);margin:0 0 8px}
.key span::before{content:"";display:inline-block;width:11px;height:11px;border-radius:50%;background:var(--c);margin-right:7px;vertical-align:-1px}
.key .hollow::before{background:none;border:2px solid var(--faint);vertical-align:-2px}
table{border-collapse:collapse;width:100%;font-size:13.5px}th{font-weight:550;color:var(--soft);text-align:left;font-size:12.5px}
th,td{padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td:first-child{white-space:nowrap;min-width:290px}td:first-child::before{content:"";display:inline-block;width:9px;height:9px;border-radius:50%;background:var(--c);margin-right:9px}
tr.out td{color:var(--faint)}tr.win td{background:var(--goodbg)}tr.win td:first-child{font-weight:650}td p{margin:2px 0 0 18px;color:var(--soft);font-size:12.5px;font-weight:400;max-width:46ch;white-space:normal;overflow-wrap:anywhere}
.warn{background:var(--badbg);color:var(--bad);border-color:transparent;padding:12px 24px}
.tag{font-size:11.5px;padding:1px 8px;border-radius:20px;white-space:nowrap;background:var(--goodbg);color:var(--good);font-weight:600}.tag.bad{background:var(--badbg);color:var(--bad)}
.tag.plain{background:none;border:1px solid var(--line);color:var(--soft);font-weight:500}
dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 22px;margin:0;font-size:14px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
footer{color:var(--faint);font-size:12.5px;margin-top:22px}
@media(max-width:720px){.hero{display:block}.bars{margin-top:24px}.big{font-size:46px}h1{font-size:23px}section{padding:18px 16px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
)css";

}  // namespace oree
