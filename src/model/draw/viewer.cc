// SPDX-License-Identifier: Apache-2.0
#include "model/draw/viewer.h"

#include <fmt/format.h>

#include "core/base/text.h"
#include "core/codec/json.h"

namespace oree {
namespace {

Json ports_json(const std::vector<Port>& ports, int first) {
  Json list = Json::array();
  for (const Port& p : ports) {
    Json boxes = Json::array();
    for (int b : p.boxes) boxes.push(first + b);
    list.push(Json().set("name", p.name).set("type", p.type).set("boxes", boxes));
  }
  return list;
}

// What the script shows, by number of the box. No "<" is left in it, so nothing in it can end the element it lies in.
std::string boxes_json(const Drawing& drawing) {
  Json list = Json::array();
  for (const Picture& p : drawing.pictures.blocks) {
    for (const Box& b : p.boxes) {
      Json facts = Json::array();
      auto fact = [&](const std::string& name, const std::string& text) {
        facts.push(Json::array().push(name).push(text));
      };
      if (!p.title.empty()) fact("in", p.title);
      if (b.note.macs != 0) fact("MACs", b.note.macs < 0 ? "not known" : short_count(b.note.macs));
      if (b.note.live_bytes > 0) fact("live memory", human_bytes(b.note.live_bytes));
      if (b.note.error) fact("error", fmt::format("{:.3g} of the range", *b.note.error));
      for (const auto& [name, text] : b.note.facts) fact(name, text);
      list.push(Json()
                    .set("op", b.op)
                    .set("name", b.name)
                    .set("facts", facts)
                    .set("in", ports_json(b.inputs, p.first))
                    .set("out", ports_json(b.outputs, p.first)));
    }
  }
  std::string out;
  for (char c : list.dump()) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::string legend_html(const Drawing& drawing) {
  bool errors = false, bars = false;
  std::map<std::string, bool> used;
  for (const Picture& p : drawing.pictures.blocks) {
    for (const Box& b : p.boxes) {
      used[b.look] = true;
      errors |= b.note.error.has_value();
      bars |= b.note.live_bytes > 0;
    }
  }
  std::string out = R"(<div class="legend">)";
  auto entry = [&](const std::string& look, const char* part, const std::string& name) {
    out += fmt::format(
        R"(<span><svg class="graph" width="12" height="12"><g class="box {}"><rect class="{}" width="12" height="12" rx="3"/></g></svg>{}</span>)",
        look, part, name);
  };
  if (errors) {
    entry("e0", "card", "equal");
    entry("e1", "card", "to 1e-6 of the range");
    entry("e2", "card", "to 1e-4");
    entry("e3", "card", "to 1e-2");
    entry("e4", "card", "more");
  }
  for (const auto& [look, name] : looks()) {
    if (used[look]) entry(look, "kind", name);
  }
  if (bars) {
    entry("", "bar-macs", "bar: MACs");
    entry("", "bar-live", "bar: live memory");
  }
  return out + "</div>";
}

std::string strip_html(const Drawing& drawing) {
  Strip strip = live_strip(drawing, 100, 1000);
  if (strip.path.empty()) return "";
  std::string steps;
  for (int box : strip.boxes) steps += fmt::format("{}{}", steps.empty() ? "" : ",", box);
  return fmt::format(
      R"(<div class="strip" data-boxes="{}" title="live memory along the run, first layer at the top"><svg class="graph" viewBox="0 0 100 1000" preserveAspectRatio="none"><g class="strip"><path d="{}"/></g></svg>)"
      R"(<i class="seen"></i><a class="peak" href="#b{}" style="top:{:.2f}%">peak<b>{}</b></a></div>)",
      steps, strip.path, strip.peak_box, 100 * strip.peak_at, human_bytes(strip.peak));
}

}  // namespace

std::string viewer_html(const Drawing& drawing) {
  constexpr double kMargin = 24;
  const double width = drawing.width + 2 * kMargin, height = drawing.height + 2 * kMargin;
  std::string out = R"(<div class="viewer" id="viewer"><div class="tools">)";
  out +=
      R"(<input id="find" type="search" placeholder="Search a name or operator" aria-label="Search a name or operator">)"
      R"(<span id="found" role="status"></span><span class="push"></span>)"
      R"(<button id="less" type="button" aria-label="Smaller">−</button>)"
      R"(<button id="more" type="button" aria-label="Larger">+</button>)"
      R"(<button id="width" type="button">Width</button><button id="all" type="button">All</button></div>)";
  out += legend_html(drawing);
  out += R"(<div class="stage">)" + strip_html(drawing) + R"(<div class="canvas" id="canvas" tabindex="0">)";
  out += fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" class="graph" id="graph" width="{0:.0f}" height="{1:.0f}" viewBox="{2} {2} {0:.0f} {1:.0f}">)",
      width, height, -kMargin);
  out += svg_body(drawing);
  out +=
      R"(</svg></div><aside id="details"><p class="hint">Click a box for its attributes, inputs and outputs. Drag to move, scroll with Ctrl to zoom.</p></aside></div>)";
  if (drawing.pictures.hidden > 0) {
    out += fmt::format(R"(<p class="hint">{} nodes that only make constants of constants are not drawn.</p>)",
                       drawing.pictures.hidden);
  }
  return out + R"(<script type="application/json" id="boxes">)" + boxes_json(drawing) + "</script></div>";
}

}  // namespace oree
