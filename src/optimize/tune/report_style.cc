// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/report_parts.h"

namespace oree {

const char* const kReportStyle = R"css(
:root{--e0:#2a6fd0;--e1:#7d4fd0;--e2:#d9691e;--shade:#b3362a14}
@media(prefers-color-scheme:dark){:root{--e0:#6aa7ff;--e1:#b394ff;--e2:#ff9d57;--shade:#ff8f8014}}
.hero{display:grid;grid-template-columns:minmax(230px,38%) 1fr;gap:36px;align-items:center}
.big{font-size:58px;font-weight:680;line-height:1;letter-spacing:-.03em}.big small{font-size:22px;font-weight:500;color:var(--soft);letter-spacing:0;margin-left:6px}
.who{font-size:17px;font-weight:600;margin-top:10px;overflow-wrap:anywhere}.sub{color:var(--soft);font-size:14px}
.bars{display:grid;grid-template-columns:minmax(120px,max-content) minmax(120px,1fr) max-content;gap:9px 12px;align-items:center;font-size:14px}
.bars i{display:block;height:20px;border-radius:4px;min-width:3px}.bars b{font-weight:600;white-space:nowrap;font-variant-numeric:tabular-nums}
.bars span{max-width:230px;overflow-wrap:anywhere}.bars .win{font-weight:650}.x{color:var(--soft);font-weight:400}
.facts{display:flex;flex-wrap:wrap;gap:12px 40px;margin:20px 0 0;padding-top:18px;border-top:1px solid var(--line);grid-column:1/-1}
.facts div{font-size:13px;color:var(--soft)}.facts b{display:block;font-size:18px;color:var(--ink);font-weight:620}
.no .big{font-size:34px;color:var(--bad)}.no{display:block}
svg{display:block;width:100%;min-width:620px;height:auto;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg text{fill:var(--soft)}svg .strong{fill:var(--ink);font-weight:600}svg .axis{stroke:var(--line)}svg .bound{stroke:var(--bad);stroke-dasharray:5 4}
svg .shade{fill:var(--shade)}svg .boundtext{fill:var(--bad)}svg .ring{fill:none;stroke:var(--ink);stroke-width:2}svg .front{fill:none;stroke:var(--faint);stroke-width:1.5}
svg .halo{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.e0{--c:var(--e0)}.e1{--c:var(--e1)}.e2{--c:var(--e2)}.e3{--c:var(--soft)}
svg .dot{fill:var(--c);stroke:var(--card);stroke-width:1.5}svg .open{fill:var(--card);stroke:var(--c);stroke-width:2}
svg .whisker{stroke:var(--c);stroke-width:1.5;stroke-opacity:.55}svg .bar{fill:var(--c)}svg .kept{fill:var(--faint)}svg .tick{stroke:var(--c);stroke-opacity:.42}svg .p50{stroke:var(--c);stroke-width:3.5}svg .p95{stroke:var(--ink);stroke-width:1.5}
.bars i{background:var(--c)}.key{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:13px;color:var(--soft);margin:0 0 8px}
.key span::before{content:"";display:inline-block;width:11px;height:11px;border-radius:50%;background:var(--c);margin-right:7px;vertical-align:-1px}
.key .hollow::before{background:none;border:2px solid var(--faint);vertical-align:-2px}
td:first-child{min-width:250px;overflow-wrap:anywhere}td:first-child::before{content:"";display:inline-block;width:9px;height:9px;border-radius:50%;background:var(--c);margin-right:9px}
tr.out td{color:var(--faint)}tr.win td{background:var(--goodbg)}tr.win td:first-child{font-weight:650}td p{margin:2px 0 0 18px;color:var(--soft);font-size:12.5px;font-weight:400;max-width:46ch;white-space:normal;overflow-wrap:anywhere}
details summary{cursor:pointer;font-size:14px;color:var(--soft);margin:6px 0}
@media(max-width:720px){.hero{display:block}.bars{margin-top:24px}.big{font-size:46px}}
)css";

}  // namespace oree
