// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "cli/inspect_report.h"
#include "core/base/html_page.h"
#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/io/files.h"
#include "model/draw/viewer.h"

namespace oree::cli {
namespace {

std::string number_cell(const std::string& text, int64_t value, int64_t most, const char* kind) {
  std::string meter;
  if (most > 0 && value > 0) {
    meter = fmt::format(R"(<i class="meter {}" style="width:{:.1f}%"></i>)", kind,
                        100 * static_cast<double>(value) / static_cast<double>(most));
  }
  return fmt::format(R"(<td class="n">{}{}</td>)", text, meter);
}

std::string by_op(const ModelSummary& s) {
  std::vector<std::pair<std::string, int64_t>> ops(s.ops.begin(), s.ops.end());
  auto macs = [&](const std::string& op) {
    auto found = s.macs_by_op.find(op);
    return found == s.macs_by_op.end() ? int64_t{0} : found->second;
  };
  std::ranges::stable_sort(ops, [&](const auto& a, const auto& b) {
    return std::pair(macs(a.first), a.second) > std::pair(macs(b.first), b.second);
  });
  std::string html =
      R"(<section><h2>By operator</h2><table><tr><th>operator</th><th class="n">count</th><th class="n">MACs</th><th class="n">parameters</th></tr>)";
  for (const auto& [op, n] : ops) {
    auto parameters = s.parameters_by_op.find(op);
    const int64_t held = parameters == s.parameters_by_op.end() ? 0 : parameters->second;
    html += fmt::format(R"(<tr><td>{}</td><td class="n">{}</td>{}{}</tr>)", xml_escape(op), n,
                        number_cell(macs(op) > 0 ? short_count(macs(op)) : "", macs(op), s.macs, ""),
                        number_cell(held > 0 ? short_count(held) : "", held, s.parameters, ""));
  }
  return html + "</table></section>";
}

std::string layers(const ModelSummary& s, const Drawing& drawing) {
  int64_t most = 0;
  for (const InspectedLayer& l : s.layers) most = std::max(most, l.macs);
  std::map<NodeId, int> boxes;
  const Picture& main = drawing.pictures.blocks.front();
  for (size_t i = 0; i < main.boxes.size(); ++i) boxes[main.boxes[i].node] = main.first + static_cast<int>(i);
  std::string html =
      R"(<section><h2>Layers</h2><p class="lead">In the order in which they run.</p><div class="scroll"><table>)"
      R"(<tr><th>layer</th><th>operator</th><th>output</th><th class="n">MACs</th><th class="n">parameters</th><th class="n">live memory</th></tr>)";
  for (const InspectedLayer& l : s.layers) {
    html += fmt::format(
        R"(<tr><td><a class="box-link" href="#b{}">{}</a></td><td>{}</td><td>{} {}</td>{}<td class="n">{}</td>{}</tr>)",
        boxes[l.node], xml_escape(l.name.substr(0, kDrawnTextMax)), xml_escape(l.op), xml_escape(l.shape),
        xml_escape(l.dtype),
        number_cell(l.macs == 0  ? ""
                    : l.macs < 0 ? "?"
                                 : short_count(l.macs),
                    l.macs, most, ""),
        l.parameters == 0 ? "" : short_count(l.parameters),
        number_cell(human_bytes(l.live_bytes), l.live_bytes, s.live_bytes_peak, "live"));
  }
  return html + "</table></div></section>";
}

std::string engines(const Probes& probes) {
  if (probes.engines.empty() && probes.targets.empty()) return "";
  std::string html =
      R"(<section><h2>Engines of this machine</h2><table><tr><th>engine</th><th>opens it</th><th></th></tr>)";
  for (const Probe& p : probes.engines) {
    html +=
        fmt::format(R"(<tr><td>{}</td><td><span class="tag{}">{}</span></td><td>{}</td></tr>)", xml_escape(p.runtime),
                    p.verdict == "yes"  ? ""
                    : p.verdict == "no" ? " bad"
                                        : " plain",
                    p.verdict, xml_escape(p.why));
  }
  html += "</table></section>";
  if (probes.targets.empty()) return html;
  html += R"(<section><h2>Conversion</h2><table><tr><th>to</th><th>possible</th><th></th></tr>)";
  for (const Target& t : probes.targets) {
    html += fmt::format(R"(<tr><td>{}</td><td><span class="tag{}">{}</span></td><td>{}</td></tr>)", t.name,
                        t.possible ? "" : " bad", t.possible ? "yes" : "no", xml_escape(t.why));
  }
  return html + "</table></section>";
}

}  // namespace

Result<Drawing> inspect_drawing(const Inspection& inspection) {
  if (!inspection.model) {
    return Error(Code::kUnsupported, "no graph to draw: " + inspection.summary.graph_refused);
  }
  NodeNotes notes;
  for (const InspectedLayer& l : inspection.summary.layers) {
    NodeNote& note = notes[l.node];
    note.macs = l.macs;
    note.live_bytes = l.live_bytes;
    if (!l.arithmetic.empty()) note.facts.emplace_back("arithmetic", l.arithmetic);
    if (l.parameters > 0) note.facts.emplace_back("parameters", short_count(l.parameters));
  }
  OREE_TRY_ASSIGN(Pictures pictures, picture_of(inspection.model->graph, notes));
  return arrange(std::move(pictures));
}

std::string inspect_page(const std::string& path, const Inspection& inspection, const Probes& probes,
                         const Drawing& drawing) {
  const ModelSummary& s = inspection.summary;
  const std::string name = path_name(path);
  std::string facts = "<section><dl>";
  for (const auto& [key, value] : inspect_facts(s)) {
    facts += fmt::format("<dt>{}</dt><dd>{}</dd>", xml_escape(key), xml_escape(value));
  }
  facts += "</dl></section>";
  std::string head = R"(<section class="key-facts">)";
  auto fact = [&](const char* what, const std::string& value) {
    head += fmt::format("<div>{}<b>{}</b></div>", what, xml_escape(value));
  };
  fact("multiply-accumulates", (s.macs_unknown.empty() ? "" : "≥ ") + short_count(s.macs));
  fact("parameters", short_count(s.parameters));
  fact("peak of live memory", (s.live_values_unknown == 0 ? "" : "≥ ") + human_bytes(s.live_bytes_peak));
  fact("layers", std::to_string(s.layers.size()));
  fact("file", human_bytes(s.file_bytes));
  head += "</section>";
  HtmlPage page;
  page.title = name + " inspected by Orée";
  page.kicker = "Orée inspect";
  page.heading = name;
  page.body = head + viewer_html(drawing) + facts + by_op(s) + layers(s, drawing) + engines(probes);
  page.style = std::string(kSvgStyle) + kViewerStyle;
  page.script = kViewerScript;
  return html_page(page);
}

}  // namespace oree::cli
