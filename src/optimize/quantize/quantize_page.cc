// SPDX-License-Identifier: Apache-2.0
// The report to look at.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/html_page.h"
#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/io/files.h"
#include "optimize/quantize/quantize_file.h"

namespace oree {
namespace {

constexpr double kDecibelsMost = 60;  // a full bar
constexpr double kDecibelsPoor = 20;

// TFLite joins the names of all that it fused: they break, where a table would grow wider than the page.
std::string name_of(const std::string& name) {
  return R"(<span class="name">)" + xml_escape(name.substr(0, kDrawnTextMax)) + "</span>";
}

std::string meter(std::optional<double> db) {
  if (!db) return "";
  return fmt::format(R"(<i class="meter{}" style="width:{:.0f}%"></i>)", *db < kDecibelsPoor ? " bad" : "",
                     std::clamp(*db / kDecibelsMost, 0.0, 1.0) * 100);
}

std::string ends(const Range& range) {
  return range.low < range.high ? fmt::format("{:.4g} … {:.4g}", range.low, range.high) : "";
}

std::string fact(std::string_view name, const std::string& value) {
  return fmt::format("<div>{}<b>{}</b></div>", name, xml_escape(value));
}

std::string summary(const QuantizeRequest& request, const QuantizedFile& file) {
  const QuantizeReport& r = file.report;
  double percent = file.bytes_before > 0
                       ? 100.0 * static_cast<double>(file.bytes_after) / static_cast<double>(file.bytes_before)
                       : 0;
  std::string html = R"(<section><div class="facts">)";
  html += fact("multiply-accumulates in integers", fmt::format("{:.1f} %", 100 * r.integer_share()));
  html += fact("size",
               fmt::format("{:.2f} MB, {:.0f} % of what it was", static_cast<double>(file.bytes_after) / 1e6, percent));
  html += fact("for", r.engine);
  html += fact("precision", precision_name(r.precision));
  html += fact("samples", fmt::format("{}{}", r.samples, r.random ? ", of random numbers" : ""));
  if (calibrates(r.precision)) html += fact("ranges", range_method_name(request.quantize.plan.ranges.method));
  html += fact("measured in", r.measured_in.empty() ? "nothing: " + r.not_measured : r.measured_in);
  return html + "</div></section>";
}

std::string outputs(const QuantizeReport& r) {
  std::string html =
      R"(<section><h2>Outputs</h2><p class="lead">Signal to noise against float, in dB; 6 dB are one bit. What all in integers would give, what was chosen, and what the engine itself gives.</p>)"
      R"(<table><tr><th>output</th><th class="n">all in integers</th><th class="n">chosen</th><th class="n">in the engine</th><th class="bars"></th></tr>)";
  for (const OutputReport& o : r.outputs) {
    html +=
        fmt::format(R"(<tr><td>{}</td><td class="n">{}</td><td class="n">{}</td><td class="n">{}</td><td>{}</td></tr>)",
                    name_of(o.name), decibels_text(o.all_integer_db), decibels_text(o.mixed_db),
                    decibels_text(o.engine_db), meter(o.engine_db ? o.engine_db : o.mixed_db));
  }
  return html + "</table></section>";
}

std::string drops(const QuantizeRequest& request, const QuantizeReport& r) {
  if (r.drops.empty()) return "";
  std::string html = fmt::format(
      R"(<section><h2>Accuracy in the engine</h2><p class="lead">{}. At most {:.2f} points may be lost; the fewest layers in float with which that is so were searched for.</p>)"
      R"(<table><tr><th class="n">layers in float</th><th class="n">in float</th><th class="n">quantized</th><th class="n">points lost</th><th></th></tr>)",
      xml_escape(drop_text(r.drops.back().drop)), 100 * request.drop->max);
  for (const DropTrial& t : r.drops) {
    html += fmt::format(
        R"(<tr><td class="n">{}</td><td class="n">{:.4f}</td><td class="n">{:.4f}</td><td class="n">{:.2f}</td><td>{}</td></tr>)",
        t.layers_float, t.drop.wanted, t.drop.found, 100 * t.drop.lost(),
        &t == &r.drops.back() ? R"(<span class="tag">chosen</span>)" : "");
  }
  return html + "</table></section>";
}

std::string ports(const QuantizeReport& r) {
  std::string html =
      R"(<section><h2>Inputs and outputs</h2><p class="lead">As the file has them; of integers, real = scale · (integer − zero point).</p>)"
      R"(<table><tr><th></th><th></th><th>dtype</th><th class="n">scale</th><th class="n">zero point</th><th></th></tr>)";
  for (const Port& p : r.ports) {
    html += fmt::format(
        R"(<tr><td>{}</td><td>{}</td><td>{}</td><td class="n">{}</td><td class="n">{}</td><td>{}</td></tr>)",
        p.input ? "input" : "output", name_of(p.name), dtype_name(p.dtype),
        p.quantized ? fmt::format("{:.6g}", p.affine.scale) : "",
        p.quantized ? fmt::format("{}", p.affine.zero_point) : "", xml_escape(p.because));
  }
  return html + "</table></section>";
}

std::string joins(const QuantizeReport& r) {
  if (r.joins.empty()) return "";
  std::string html =
      R"(<section><h2>Joins of unlike ranges</h2><p class="lead">TFLite brings the operands of a join to one scale.</p>)"
      R"(<table><tr><th>join</th><th>operator</th><th>operands</th><th></th></tr>)";
  for (const Join& j : r.joins) {
    std::string operands;
    for (const JoinOperand& o : j.operands)
      operands += fmt::format("{}{} {}", operands.empty() ? "" : "<br>", name_of(o.name), ends(o.range));
    html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", name_of(j.name), xml_escape(j.op),
                        operands, xml_escape(join_fate(j)));
  }
  return html + "</table></section>";
}

std::string steps(const QuantizeReport& r) {
  if (r.steps.empty()) return "";
  std::string html =
      R"(<section><h2>Corrections</h2><table><tr><th>tried</th><th class="n">noise left %</th><th></th></tr>)";
  for (const StepReport& s : r.steps) {
    html += fmt::format(R"(<tr><td>{}</td><td class="n">{:.1f}</td><td>{}</td></tr>)", xml_escape(s.name),
                        100 * s.noise_left, s.kept ? R"(<span class="tag">kept</span>)" : "");
  }
  return html + "</table></section>";
}

std::string trials(const QuantizeReport& r) {
  if (!calibrates(r.precision)) return "";
  if (r.trials.empty())
    return R"(<section><h2>Precisions</h2><p class="lead">All in integers is near enough to float, or nothing may stay in float: no layer was tried.</p></section>)";
  std::string html =
      R"(<section><h2>Precisions</h2><p class="lead">Layers tried alone in float, the most useful for their price first: how much of the outputs' noise is left, and what it costs: multiply-accumulates in float, and values turned to float or back at its borders.</p>)"
      R"(<div class="scroll"><table><tr><th>layer</th><th class="n">noise left %</th><th class="n">MACs %</th><th class="n">border values</th><th></th></tr>)";
  for (const TrialReport& t : r.trials) {
    html += fmt::format(
        R"(<tr><td>{}</td><td class="n">{:.1f}</td><td class="n">{:.2f}</td><td class="n">{}</td><td>{}</td></tr>)",
        name_of(t.name), 100 * t.noise_left, 100 * t.macs_share, t.border_elements,
        t.kept ? R"(<span class="tag">in float</span>)" : "");
  }
  return html + "</table></div></section>";
}

// Bars over what was seen, by the root of their counts so that tails show; what the integers do not reach is shaded.
std::string histogram(const LayerReport& l) {
  if (l.bars.empty() || !(l.seen.low < l.seen.high)) return "";
  constexpr double kWidth = 192, kHeight = 30;
  double most = 1;
  for (uint64_t b : l.bars) most = std::max(most, static_cast<double>(b));
  double each = kWidth / static_cast<double>(l.bars.size());
  std::string path;
  for (size_t i = 0; i < l.bars.size(); ++i) {
    double h = std::sqrt(static_cast<double>(l.bars[i]) / most) * kHeight;
    if (h > 0)
      path +=
          fmt::format("M{:.0f} {}v-{:.1f}h{:.0f}v{:.1f}z", static_cast<double>(i) * each, kHeight, h, each - 0.5, h);
  }
  std::string html = fmt::format(R"(<svg viewBox="0 0 {} {}" width="{}" height="{}"><path class="h" d="{}"/>)", kWidth,
                                 kHeight, kWidth, kHeight, path);
  auto shade = [&](double from, double to) {
    double a = (from - l.seen.low) / (l.seen.high - l.seen.low) * kWidth,
           b = (to - l.seen.low) / (l.seen.high - l.seen.low) * kWidth;
    a = std::clamp(a, 0.0, kWidth);
    b = std::clamp(b, 0.0, kWidth);
    if (b - a > 0.5)
      html += fmt::format(R"(<rect class="cut" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>)", a, b - a, kHeight);
  };
  if (l.taken.low < l.taken.high) {
    shade(l.seen.low, l.taken.low);
    shade(l.taken.high, l.seen.high);
  }
  return html + "</svg>";
}

std::string layers(const QuantizeReport& r) {
  std::string html =
      R"(<section><h2>Layer by layer</h2><p class="lead">In the order in which they run. The histogram is of a layer's results over all samples, by the root of their number; shaded is what the integers do not reach.</p>)"
      R"(<div class="scroll"><table><tr><th>layer</th><th>operator</th><th class="n">MACs</th><th class="n">SQNR dB</th><th class="meters"></th><th class="n">seen</th><th class="n">integers reach</th><th>values</th></tr>)";
  for (const LayerReport& l : r.layers) {
    html += fmt::format(R"(<tr{}><td>{}</td><td>{}</td><td class="n">{}</td>)",
                        l.integer || !l.weights.empty() ? "" : R"( class="out")", name_of(l.name), xml_escape(l.op),
                        l.macs > 0 ? fmt::format("{}", l.macs) : "");
    if (!l.weights.empty()) {
      html += fmt::format(R"(<td class="n">{}</td><td>{}</td><td colspan="3">weights {}</td></tr>)",
                          decibels_text(l.sqnr_db), meter(l.sqnr_db), xml_escape(l.weights));
      continue;
    }
    if (!l.integer) {
      html += fmt::format(R"(<td colspan="5">in float: {}</td></tr>)", xml_escape(l.because));
      continue;
    }
    html += fmt::format(R"(<td class="n">{}</td><td>{}</td><td class="n">{}</td><td class="n">{}</td><td>{}</td></tr>)",
                        decibels_text(l.sqnr_db), meter(l.sqnr_db), ends(l.seen), ends(l.taken), histogram(l));
  }
  return html + "</table></div></section>";
}

constexpr const char* kStyle = R"css(
.facts{display:flex;flex-wrap:wrap;gap:12px 40px}.facts div{font-size:13px;color:var(--soft)}
.facts b{display:block;font-size:18px;color:var(--ink);font-weight:620}
th.bars{width:30%}th.meters{width:90px}.meter{display:block;height:9px;border-radius:3px;background:var(--good);min-width:2px}
.meter.bad{background:var(--bad)}tr.out td{color:var(--soft)}svg .h{fill:var(--faint)}svg .cut{fill:var(--bad);fill-opacity:.18}
td{vertical-align:middle}td.n{white-space:nowrap}.name{display:inline-block;max-width:340px;white-space:normal;overflow-wrap:anywhere}
)css";

}  // namespace

std::string quantize_page(const QuantizeRequest& request, const QuantizedFile& file) {
  HtmlPage page;
  page.heading = path_name(request.source) + " → " + path_name(file.path);
  page.title = page.heading + " quantized by Orée";
  page.kicker = "Orée quantize";
  page.body = summary(request, file) + drops(request, file.report) + outputs(file.report) + ports(file.report) +
              joins(file.report) + (file.edge_tpu ? edge_tpu_section(*file.edge_tpu) : "") + steps(file.report) +
              trials(file.report) + layers(file.report);
  page.style = kStyle;
  return html_page(page);
}

}  // namespace oree
