// SPDX-License-Identifier: Apache-2.0
#include "model/draw/svg.h"

namespace oree {

// Plain colours, no variables: other viewers than browsers do not have them.
const char* const kSvgStyle = R"css(
.graph{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.graph .page{fill:#f6f6f3}.graph text{fill:#16181a}.graph .title{font-size:17px;font-weight:650}
.graph .op{font-weight:650}.graph .name{font-size:10.5px;fill:#8b9096}.graph .type{font-size:10.5px;fill:#565b61}
.graph .macs{font-size:10.5px;text-anchor:end;fill:#565b61}
.graph .card{fill:#fff;stroke:#d5d5cf}.graph .line{fill:none;stroke:#a3a8ad;stroke-width:1.3}
.graph .direct{stroke-dasharray:2 5}.graph .bar-macs{fill:#5a6068}.graph .bar-live{fill:#d9691e}
.graph .strip path{fill:#d9691e55;stroke:#d9691e;stroke-width:.7}.graph .strip line{stroke:#b3362a}
.graph .kind{fill:#8b9096}.graph .tint{fill-opacity:.11}.graph .conv .kind{fill:#2a6fd0}.graph .matrix .kind{fill:#7d4fd0}
.graph .recurrent .kind{fill:#c23b8f}.graph .activation .kind{fill:#d0a000}.graph .norm .kind{fill:#0f8f8f}
.graph .pool .kind{fill:#0b7a4b}.graph .arithmetic .kind{fill:#a07850}.graph .move .kind{fill:#9aa0a6}
.graph .quantize .kind{fill:#6b8f23}.graph .control .kind{fill:#16181a}.graph .custom .kind{fill:#b3362a}
.graph .custom .card{stroke:#b3362a;stroke-dasharray:4 3}.graph .io .card{fill:#ecece7;stroke:none}
.graph .e0 .card{fill:#cfeedd}.graph .e1 .card{fill:#e4efba}.graph .e2 .card{fill:#fae7a0}
.graph .e3 .card{fill:#f8c495}.graph .e4 .card{fill:#f19a8d}
@media(prefers-color-scheme:dark){
.graph .page{fill:#121416}.graph text{fill:#eef0f1}.graph .name{fill:#7c848c}.graph .type,.graph .macs{fill:#a9b0b7}
.graph .card{fill:#1b1e21;stroke:#3a4046}.graph .line{stroke:#666d74}.graph .io .card{fill:#282d31}
.graph .conv .kind{fill:#6aa7ff}.graph .bar-macs{fill:#b9c0c7}.graph .bar-live{fill:#ff9d57}.graph .activation .kind{fill:#f0cb3c}
.graph .strip path{fill:#ff9d5744;stroke:#ff9d57}.graph .strip line{stroke:#ff8f80}.graph .matrix .kind{fill:#b394ff}
.graph .recurrent .kind{fill:#f285c6}.graph .norm .kind{fill:#4fd0d0}.graph .pool .kind{fill:#57d39b}
.graph .arithmetic .kind{fill:#cfa57a}.graph .move .kind{fill:#7c848c}.graph .quantize .kind{fill:#a5c95a}
.graph .control .kind{fill:#eef0f1}.graph .custom .kind{fill:#ff8f80}.graph .custom .card{stroke:#ff8f80}
.graph .e0 .card{fill:#143226}.graph .e1 .card{fill:#2a3413}.graph .e2 .card{fill:#3d3413}
.graph .e3 .card{fill:#4d2d15}.graph .e4 .card{fill:#5c2019}}
)css";

}  // namespace oree
