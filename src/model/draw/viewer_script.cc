// SPDX-License-Identifier: Apache-2.0
#include "model/draw/viewer.h"

namespace oree {

const char* const kViewerStyle = R"css(
main{max-width:none;padding:22px 24px 40px}main>section{max-width:1240px;margin-left:auto;margin-right:auto}
main>header{max-width:1240px;margin:0 auto}
.viewer{background:var(--card);border:1px solid var(--line);border-radius:14px;margin:18px 0;overflow:hidden}
.tools{display:flex;gap:8px;align-items:center;padding:10px 14px 4px}.tools .push{flex:1}
.tools input{font:inherit;font-size:14px;padding:5px 10px;border:1px solid var(--line);border-radius:8px;background:var(--page);color:var(--ink);width:min(320px,50vw)}
.tools button{font:inherit;font-size:13.5px;padding:4px 12px;border:1px solid var(--line);border-radius:8px;background:var(--page);color:var(--ink);cursor:pointer}
#found{font-size:13px;color:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;padding:4px 14px 10px;font-size:12.5px;color:var(--soft);border-bottom:1px solid var(--line)}
.legend span{display:inline-flex;gap:6px;align-items:center}
.stage{display:flex;height:78vh;min-height:420px}.canvas{flex:1;overflow:auto;background:var(--page);cursor:grab;min-width:0}
.canvas.drag{cursor:grabbing;user-select:none}.canvas svg{display:block;margin:0 auto}
div.strip{position:relative;width:92px;flex:none;border-right:1px solid var(--line);cursor:pointer;overflow:hidden}
div.strip svg{position:absolute;inset:0;width:100%;height:100%}
.strip .peak{position:absolute;left:0;right:0;border-top:1.5px solid var(--bad);font-size:11px;line-height:1.25;color:var(--bad);text-decoration:none;padding:1px 5px;background:var(--card);opacity:.9}
.strip .peak b{display:block}.strip .seen{position:absolute;left:0;right:0;background:var(--soft);opacity:.16;pointer-events:none}
aside{width:340px;flex:none;border-left:1px solid var(--line);overflow:auto;padding:14px 16px;font-size:13.5px}
aside h3{margin:0;font-size:16px}aside p{margin:2px 0 10px;color:var(--soft);overflow-wrap:anywhere}
aside h4{margin:14px 0 4px;font-size:12.5px;color:var(--soft);font-weight:600}aside dl{grid-template-columns:minmax(70px,max-content) 1fr;font-size:13px;gap:3px 12px}
aside dt{overflow-wrap:anywhere}aside .port{margin:0 0 8px;overflow-wrap:anywhere}aside .port small{display:block;color:var(--soft)}
aside button{font:inherit;font-size:12px;border:1px solid var(--line);border-radius:6px;background:var(--page);color:var(--ink);cursor:pointer;margin:2px 4px 0 0;overflow-wrap:anywhere;text-align:left}
.hint{color:var(--soft);font-size:13px}.viewer>.hint{margin:0;padding:8px 14px;border-top:1px solid var(--line)}
.graph .box{cursor:pointer}.graph .hit .card{stroke:var(--ink);stroke-width:2}.graph .on .card{stroke:#d9691e;stroke-width:3}
.graph .line.near{stroke:#d9691e;stroke-width:2.4}
td,a.box-link{overflow-wrap:anywhere}a.box-link{color:inherit}
td .meter{display:block;height:5px;border-radius:3px;background:var(--soft);min-width:1px;margin-top:3px}td .meter.live{background:#d9691e}
.key-facts{display:flex;flex-wrap:wrap;gap:12px 40px}.key-facts div{font-size:13px;color:var(--soft)}
.key-facts b{display:block;font-size:18px;color:var(--ink);font-weight:620}
@media(max-width:860px){.stage{flex-wrap:wrap;height:auto}.canvas{height:66vh}div.strip{height:66vh;width:64px}aside{width:100%;border-left:0;border-top:1px solid var(--line)}}
)css";

const char* const kViewerScript = R"js("use strict";
(() => {
  const boxes = JSON.parse(document.getElementById("boxes").textContent);
  const canvas = document.getElementById("canvas"), graph = document.getElementById("graph");
  const details = document.getElementById("details"), strip = document.querySelector("div.strip");
  const full = [graph.viewBox.baseVal.width, graph.viewBox.baseVal.height];
  const box = i => document.getElementById("b" + i);
  let zoom = 1, on = -1, hits = [], hit = -1;
  function setZoom(next, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    next = Math.min(4, Math.max(0.02, next));
    const before = graph.getBoundingClientRect(), view = canvas.getBoundingClientRect();
    const px = (view.left + x - before.left) / zoom, py = (view.top + y - before.top) / zoom;
    zoom = next;
    graph.setAttribute("width", full[0] * zoom);
    graph.setAttribute("height", full[1] * zoom);
    const after = graph.getBoundingClientRect();
    canvas.scrollLeft += after.left + px * zoom - view.left - x;
    canvas.scrollTop += after.top + py * zoom - view.top - y;
    seen();
  }
  function show(i) {
    const at = box(i).getBoundingClientRect(), view = canvas.getBoundingClientRect();
    canvas.scrollLeft += at.left + at.width / 2 - view.left - canvas.clientWidth / 2;
    canvas.scrollTop += at.top + at.height / 2 - view.top - canvas.clientHeight / 2;
  }
  const add = (to, tag, text, name) => {
    const e = to.appendChild(document.createElement(tag));
    if (text !== undefined) e.textContent = text;
    if (name) e.className = name;
    return e;
  };
  function ports(title, list) {
    if (!list.length) return;
    add(details, "h4", title);
    for (const p of list) {
      const e = add(details, "div", p.name, "port");
      add(e, "small", p.type);
      for (const i of p.boxes) {
        const b = add(e, "button", boxes[i].op + " " + boxes[i].name.split(";")[0].slice(-40));
        b.onclick = () => { select(i); show(i); };
      }
    }
  }
  function select(i) {
    for (const e of graph.querySelectorAll(".on,.near")) e.classList.remove("on", "near");
    on = i;
    if (i < 0) return;
    box(i).classList.add("on");
    for (const e of graph.querySelectorAll(".f" + i + ",.t" + i)) e.classList.add("near");
    const b = boxes[i];
    details.replaceChildren();
    add(details, "h3", b.op);
    add(details, "p", b.name);
    const list = add(details, "dl");
    for (const [name, text] of b.facts) { add(list, "dt", name); add(list, "dd", text); }
    ports("Inputs", b.in);
    ports("Outputs", b.out);
  }
  function search(step) {
    const text = document.getElementById("find").value.trim().toLowerCase();
    for (const i of hits) box(i).classList.remove("hit");
    hits = [];
    if (text) boxes.forEach((b, i) => { if ((b.op + " " + b.name).toLowerCase().includes(text)) hits.push(i); });
    for (const i of hits) box(i).classList.add("hit");
    hit = hits.length ? (step && hit >= 0 ? (hit + step + hits.length) % hits.length : 0) : -1;
    document.getElementById("found").textContent = !text ? "" : hits.length ? (hit + 1) + " of " + hits.length : "none";
    if (hit >= 0) { select(hits[hit]); show(hits[hit]); }
  }
  document.getElementById("find").addEventListener("input", () => search(0));
  document.getElementById("find").addEventListener("keydown", e => { if (e.key === "Enter") search(e.shiftKey ? -1 : 1); });
  document.getElementById("more").onclick = () => setZoom(zoom * 1.25);
  document.getElementById("less").onclick = () => setZoom(zoom / 1.25);
  document.getElementById("width").onclick = () => setZoom(canvas.clientWidth / full[0]);
  document.getElementById("all").onclick = () => setZoom(Math.min(canvas.clientWidth / full[0], canvas.clientHeight / full[1]));
  canvas.addEventListener("wheel", e => {
    if (!e.ctrlKey && !e.metaKey) return;
    e.preventDefault();
    const view = canvas.getBoundingClientRect();
    setZoom(zoom * Math.exp(-e.deltaY / 300), e.clientX - view.left, e.clientY - view.top);
  }, { passive: false });
  let drag = null, moved = false;
  canvas.addEventListener("pointerdown", e => {
    if (e.button || e.pointerType !== "mouse") return;
    drag = [e.clientX, e.clientY, canvas.scrollLeft, canvas.scrollTop];
    moved = false;
  });
  window.addEventListener("pointermove", e => {
    if (!drag) return;
    if (Math.abs(e.clientX - drag[0]) + Math.abs(e.clientY - drag[1]) > 4) { moved = true; canvas.classList.add("drag"); }
    canvas.scrollLeft = drag[2] + drag[0] - e.clientX;
    canvas.scrollTop = drag[3] + drag[1] - e.clientY;
  });
  window.addEventListener("pointerup", () => { drag = null; canvas.classList.remove("drag"); });
  graph.addEventListener("click", e => {
    const g = e.target.closest(".box");
    if (!moved) select(g ? Number(g.id.slice(1)) : -1);
  });
  function seen() {
    if (!strip) return;
    const mark = strip.querySelector(".seen"), h = graph.getBoundingClientRect().height || 1;
    mark.style.top = 100 * canvas.scrollTop / h + "%";
    mark.style.height = Math.min(100, 100 * canvas.clientHeight / h) + "%";
  }
  canvas.addEventListener("scroll", seen);
  if (strip) strip.addEventListener("click", e => {
    e.preventDefault();
    const steps = strip.dataset.boxes.split(","), view = strip.getBoundingClientRect();
    const peak = e.target.closest(".peak");
    const at = Math.floor((e.clientY - view.top) / view.height * steps.length);
    const i = peak ? Number(peak.hash.slice(2)) : Number(steps[Math.min(steps.length - 1, Math.max(0, at))]);
    select(i);
    show(i);
  });
  for (const a of document.querySelectorAll("a.box-link")) a.addEventListener("click", e => {
    e.preventDefault();
    const i = Number(a.hash.slice(2));
    document.getElementById("viewer").scrollIntoView();
    select(i);
    show(i);
  });
  if (boxes.length) show(0);
  canvas.scrollTop = 0;
  seen();
})();
)js";

}  // namespace oree
