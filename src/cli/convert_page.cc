// SPDX-License-Identifier: Apache-2.0
#include "cli/convert_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/html_page.h"
#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/io/files.h"
#include "model/draw/viewer.h"
#include "model/ops/analyze.h"

namespace oree::cli {
namespace {

std::string passes(const ConvertSteps& steps) {
  if (steps.passes.empty()) return "<section><h2>Passes</h2><p class=\"lead\">None changed anything.</p></section>";
  std::string html = R"(<section><h2>Passes</h2><table><tr><th>pass</th><th class="n">places</th></tr>)";
  for (const auto& [name, places] : steps.passes) {
    html += fmt::format(R"(<tr><td>{}</td><td class="n">{}</td></tr>)", xml_escape(name), places);
  }
  return html + "</table></section>";
}

std::string engines(const ConvertPage& page) {
  if (!page.check) return "<section><h2>Agreement</h2><p class=\"lead\">Not checked.</p></section>";
  std::string html = fmt::format(
      R"(<section><h2>Agreement</h2><p class="lead">With the source, run where the second column says; the bound is {:.3g} of the range of an output.</p>)"
      R"(<table><tr><th>engine</th><th>source in</th><th>output</th><th class="n">largest difference</th><th class="n">over the range</th><th></th></tr>)",
      page.tolerance);
  for (const EngineCheck& e : page.check->engines) {
    if (e.refused) {
      html += fmt::format(
          R"(<tr><td>{}</td><td colspan="4">{}</td><td><span class="tag plain">cannot run it</span></td></tr>)",
          xml_escape(e.runtime), xml_escape(e.refused->message()));
    }
    for (const OutputCheck& o : e.outputs) {
      html += fmt::format(
          R"(<tr><td>{}</td><td>{}</td><td>{}</td><td class="n">{:.3g}</td><td class="n">{:.3g}</td><td><span class="tag{}">{}</span></td></tr>)",
          xml_escape(e.runtime), xml_escape(e.reference), xml_escape(o.name), o.max_abs_error, o.max_relative_error,
          o.agrees ? "" : " bad", o.agrees ? "agrees" : "differs");
    }
  }
  html += "</table>";
  for (const EngineCheck& e : page.check->engines) {
    if (e.fused) html += fmt::format("<p>{}</p>", xml_escape(fused_text(e)));
  }
  return html + "</section>";
}

// Of nine decades below 1: errors of rounding are short, those that anybody notices long.
double decades(double error) { return error <= 0 ? 0 : std::clamp(std::log10(error) + 9, 0.0, 9.0) / 9 * 100; }

std::string layers(const ConvertPage& page, const std::map<std::string, int>& boxes) {
  if (page.layers.empty()) {
    return page.layers_refused.empty() ? ""
                                       : fmt::format(R"(<section class="warn">No layers compared: {}</section>)",
                                                     xml_escape(page.layers_refused));
  }
  std::string html =
      R"(<section><h2>Layer by layer</h2><p class="lead">In our own interpreter, in the order in which the source runs. Bars are logarithmic, from 1e-9 to the whole range.</p>)"
      R"(<div class="scroll"><table><tr><th>value</th><th>operator</th><th class="n">over the range</th><th class="bars"></th><th class="n">SQNR dB</th></tr>)";
  for (const LayerCheck& l : page.layers) {
    std::string name = xml_escape(l.name.substr(0, kDrawnTextMax));
    if (auto box = boxes.find(l.name); box != boxes.end()) {
      name = fmt::format(R"(<a class="box-link" href="#b{}">{}</a>)", box->second, name);
    }
    html += fmt::format(
        R"(<tr><td>{}</td><td>{}</td><td class="n">{:.2e}</td><td><i class="meter{}" style="width:{:.1f}%"></i></td><td class="n">{}</td></tr>)",
        name, xml_escape(l.op), l.max_relative_error, l.max_relative_error > page.tolerance ? " bad" : "",
        decades(l.max_relative_error), std::isinf(l.sqnr_db) ? "equal" : fmt::format("{:.1f}", l.sqnr_db));
  }
  return html + "</table></div></section>";
}

constexpr const char* kStyle = R"css(
th.bars{width:26%}td .meter.bad{background:var(--bad)}
)css";

}  // namespace

std::string fused_text(const EngineCheck& engine) {
  return fmt::format(
      "{}: agrees operator by operator, as the files say it; {} joins operators to kernels of integers, which on "
      "an x86 without VNNI saturate, and is off by {:.3g} of the range",
      engine.runtime, engine.fused->runtime, engine.fused->error);
}

Result<std::string> convert_page(const ConvertPage& page, const Graph& result) {
  NodeNotes notes;
  for (const LayerCheck& l : page.layers) {
    const ValueId v = result.find(l.name);
    if (v == kNoValue || result.value(v).producer == kNoNode) continue;
    NodeNote& note = notes[result.value(v).producer];
    note.error = std::max(note.error.value_or(0), l.max_relative_error);
    note.facts.emplace_back("SQNR", std::isinf(l.sqnr_db) ? "equal" : fmt::format("{:.1f} dB", l.sqnr_db));
  }
  const Cost cost = analyze(result);
  for (const NodeCost& n : cost.nodes) {
    NodeNote& note = notes[n.node];
    note.macs = n.macs;
    if (cost.values_unknown == 0) note.live_bytes = n.live_bytes;  // with free dimensions it would say nothing
  }
  OREE_TRY_ASSIGN(Pictures pictures, picture_of(result, notes));
  std::map<std::string, int> boxes;
  const Picture& main = pictures.blocks.front();
  for (size_t i = 0; i < main.boxes.size(); ++i) {
    if (main.boxes[i].node == kNoNode) continue;
    for (ValueId v : result.node(main.boxes[i].node).outputs) {
      if (v != kNoValue) boxes[result.value(v).name] = main.first + static_cast<int>(i);
    }
  }
  const Drawing drawing = arrange(std::move(pictures));
  HtmlPage out;
  out.heading = path_name(page.source) + " → " + path_name(page.result);
  out.title = out.heading + " converted by Orée";
  out.kicker = "Orée convert";
  out.body = engines(page) + passes(page.steps) + viewer_html(drawing) + layers(page, boxes);
  out.style = std::string(kSvgStyle) + kViewerStyle + kStyle;
  out.script = kViewerScript;
  return html_page(out);
}

}  // namespace oree::cli
