// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/text.h"
#include "core/io/files.h"
#include "optimize/tune/report_parts.h"

namespace oree {
namespace {

// Round steps of 1, 2 or 5 over a range, about `count` of them.
std::vector<double> linear_ticks(double low, double high, int count) {
  double raw = (high - low) / count;
  double power = std::pow(10, std::floor(std::log10(raw)));
  double unit = raw / power;
  double step = power * (unit < 1.5 ? 1 : unit < 3.5 ? 2 : unit < 7.5 ? 5 : 10);
  std::vector<double> ticks;
  if (!(step > 0)) return ticks;  // an empty range
  double last = std::floor(high / step + 1e-9);
  for (auto i = static_cast<int64_t>(std::ceil(low / step - 1e-9)); static_cast<double>(i) <= last; ++i)
    ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

struct Axis {
  double low, high;  // of the data
  double from, to;   // on the picture
  double at(double v) const { return from + (std::clamp(v, low, high) - low) / (high - low) * (to - from); }
};

// Agreement of equal outputs in dB is infinite: it is drawn on the top edge.
double shown(const Agreement& agreement, double top) {
  return std::isfinite(agreement.value) ? agreement.value : agreement.value > 0 ? top : -top;
}

std::vector<const TuneCandidate*> measured(const TuneResult& result, bool finals_only) {
  std::vector<const TuneCandidate*> list;
  for (const TuneCandidate& c : result.candidates) {
    if (c.measurement.latency.count > 0 && c.agreement && (c.final_round || !finals_only)) list.push_back(&c);
  }
  std::stable_sort(list.begin(), list.end(), [](const TuneCandidate* a, const TuneCandidate* b) {
    return a->measurement.latency.p50 < b->measurement.latency.p50;
  });
  return list;
}

bool is_chosen(const TuneResult& result, const TuneCandidate* c) {
  return result.chosen && c == &result.candidates[*result.chosen];
}

std::string tooltip(const TuneResult& result, const TuneCandidate& c) {
  const LatencySummary& l = c.measurement.latency;
  return fmt::format("<title>{}: p50 {:.2f}, p95 {:.2f}, p99 {:.2f} ms; {} {}; {}</title>",
                     report_candidate_label(result, c), l.p50, l.p95, l.p99, result.metric,
                     agreement_text(result.metric, c.agreement->value),
                     html_escape(human_bytes(c.measurement.rss_bytes_peak)));
}

// A label's place is taken when another one's box would touch it.
struct LabelPlacer {
  struct Rect {
    double x0, y0, x1, y1;
  };
  std::vector<Rect> taken;
  bool take(const Rect& r) {
    for (const Rect& t : taken) {
      if (r.x0 < t.x1 && t.x0 < r.x1 && r.y0 < t.y1 && t.y0 < r.y1) return false;
    }
    taken.push_back(r);
    return true;
  }
};

}  // namespace

std::string report_pareto_svg(const TuneResult& result) {
  std::vector<const TuneCandidate*> points = measured(result, false);
  if (points.empty()) return "";
  double low = result.min_agreement, high = result.metric == "sqnr" ? result.min_agreement : 1.0, x_max = 0;
  for (const TuneCandidate* c : points) {
    if (std::isfinite(c->agreement->value)) {
      low = std::min(low, c->agreement->value);
      high = std::max(high, c->agreement->value);
    }
    x_max = std::max(x_max, c->measurement.latency.p50);
  }
  double span = std::max(high - low, 1e-6);
  low -= span * 0.12;
  high += span * 0.10;
  const double width = 1000, height = 400, left = 66, right = 24, top = 16, bottom = 46;
  Axis x{0, x_max * 1.12, left, width - right}, y{low, high, height - bottom, top};
  std::string svg = fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="Median latency against agreement">)",
                                width, height);
  double bound = y.at(result.min_agreement);
  svg += fmt::format(R"(<rect class="shade" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>)", left, bound,
                     width - left - right, height - bottom - bound);
  for (double t : linear_ticks(low, std::min(high, result.metric == "sqnr" ? high : 1.0), 5)) {
    svg +=
        fmt::format(R"(<path class="axis" d="M{} {:.1f}H{}"/><text x="{}" y="{:.1f}" text-anchor="end">{:.6g}</text>)",
                    left, y.at(t), width - right, left - 10, y.at(t) + 4, t);
  }
  for (double t : linear_ticks(0, x.high, 8)) {
    svg +=
        fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{:.4g}</text>)", x.at(t), height - bottom + 19, t);
  }
  svg += fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">median latency, ms (left is faster)</text>)",
                     (left + width - right) / 2, height - 6);
  svg += fmt::format(R"x(<text transform="translate(14 {}) rotate(-90)" text-anchor="middle">agreement, {}</text>)x",
                     (top + height - bottom) / 2,
                     html_escape(result.metric == "sqnr" ? "SQNR dB"
                                 : result.metric == "f1" ? "F1"
                                                         : result.metric));
  svg += fmt::format(
      R"(<path class="bound" d="M{} {:.1f}H{}"/><text class="boundtext" x="{}" y="{:.1f}" text-anchor="end">bound {:.6g}</text>)",
      left, bound, width - right, width - right - 4, bound + 16, result.min_agreement);
  // The front: by rising latency, each better in agreement than all faster ones.
  std::string front;
  double best = -1e300;
  std::set<const TuneCandidate*> on_front;
  for (const TuneCandidate* c : points) {
    double v = shown(*c->agreement, high);
    if (v <= best) continue;
    front += fmt::format("{}{:.1f} {:.1f}",
                         front.empty() ? "M" : (fmt::format("H{:.1f}V", x.at(c->measurement.latency.p50))),
                         front.empty() ? x.at(c->measurement.latency.p50) : y.at(v), front.empty() ? y.at(v) : y.at(v));
    best = v;
    on_front.insert(c);
  }
  LabelPlacer placer;
  std::string dots, labels;
  for (const TuneCandidate* c : points) {
    double cx = x.at(c->measurement.latency.p50), cy = y.at(shown(*c->agreement, high));
    placer.taken.push_back({cx - 8, cy - 8, cx + 8, cy + 8});
  }
  for (int pass = 0; pass < 2; ++pass) {
    for (const TuneCandidate* c : points) {
      bool important = on_front.contains(c) || c->engine_default || is_chosen(result, c);
      if (important != (pass == 0)) continue;
      double cx = x.at(c->measurement.latency.p50), cy = y.at(shown(*c->agreement, high));
      dots += fmt::format(R"(<g class="{}"><circle class="{}" cx="{:.1f}" cy="{:.1f}" r="6.5">{}</circle></g>)",
                          report_engine_class(c->measurement.candidate.runtime), c->within_bounds ? "dot" : "open", cx,
                          cy, tooltip(result, *c));
      if (is_chosen(result, c)) dots += fmt::format(R"(<circle class="ring" cx="{:.1f}" cy="{:.1f}" r="11"/>)", cx, cy);
      std::string text = report_candidate_label(result, *c);
      double half = 3.4 * static_cast<double>(text.size());
      for (double dy : {-15.0, 25.0, -31.0, 41.0}) {
        double tx = std::clamp(cx, left + half, width - right - half);
        if (cy + dy < top + 8 || cy + dy > height - bottom - 4) continue;
        if (!placer.take({tx - half, cy + dy - 11, tx + half, cy + dy + 4})) continue;
        labels += fmt::format(R"(<text class="halo{}" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)",
                              is_chosen(result, c) ? " strong" : "", tx, cy + dy, text);
        break;
      }
    }
  }
  if (on_front.size() > 1) svg += fmt::format(R"(<path class="front" d="{}"/>)", front);
  return svg + dots + labels + "</svg>";
}

std::string report_strips_svg(const TuneResult& result) {
  std::vector<const TuneCandidate*> rows = measured(result, true);
  if (rows.empty()) return "";
  double most = 0;
  for (const TuneCandidate* c : rows) most = std::max(most, c->measurement.latency.p99);
  size_t longest = 0;
  for (const TuneCandidate* c : rows) longest = std::max(longest, report_candidate_label(result, *c).size());
  // A letter is some 7 wide; a very long name is cut at its front, and its model stands in the tooltip.
  const double width = 1000, left = std::clamp(7.0 * static_cast<double>(longest), 250.0, 420.0), right = 70, row = 38;
  double height = row * static_cast<double>(rows.size()) + 46;
  Axis x{0, most * 1.04, left, width - right};
  std::string svg =
      fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="Latency of each finalist">)", width, height);
  for (double t : linear_ticks(0, x.high, 8)) {
    svg += fmt::format(
        R"(<path class="axis" d="M{:.1f} 4V{}"/><text x="{:.1f}" y="{}" text-anchor="middle">{:.4g}</text>)", x.at(t),
        height - 40, x.at(t), height - 24, t);
  }
  svg += fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">ms an inference</text>)", (left + width - right) / 2,
                     height - 5);
  for (size_t i = 0; i < rows.size(); ++i) {
    const TuneCandidate& c = *rows[i];
    const LatencySummary& l = c.measurement.latency;
    double y = row * static_cast<double>(i) + 22;
    std::vector<double> sorted = c.measurement.latency_ms;
    std::sort(sorted.begin(), sorted.end());
    svg += fmt::format(R"(<g class="{}">{})", report_engine_class(c.measurement.candidate.runtime), tooltip(result, c));
    // A hundred quantiles stand for all samples: dense where they lie close.
    std::string ticks;
    for (int q = 0; q < 100; ++q) ticks += fmt::format("M{:.1f} {}v14", x.at(percentile(sorted, q / 100.0)), y - 7);
    svg +=
        fmt::format(R"(<path class="tick" d="{}"/><path class="p50" d="M{:.1f} {}v22"/>)", ticks, x.at(l.p50), y - 11);
    svg += fmt::format(R"(<path class="p95" d="M{:.1f} {}v18M{:.1f} {}v10"/></g>)", x.at(l.p95), y - 9, x.at(l.p99),
                       y - 5);
    svg += fmt::format(R"(<text class="{}" x="{}" y="{}" text-anchor="end">{}</text>)",
                       is_chosen(result, &c) ? "strong" : "", left - 14, y + 4, report_candidate_label(result, c));
    svg +=
        fmt::format(R"(<text class="strong" x="{}" y="{}" text-anchor="end">{:.2f}</text>)", width - 8, y + 4, l.p50);
  }
  return svg + "</svg>";
}

std::string report_engine_class(const std::string& runtime) {
  return runtime == "onnxruntime" ? "e0" : runtime == "openvino" ? "e1" : runtime == "tflite" ? "e2" : "e3";
}

std::string report_candidate_label(const TuneResult& result, const TuneCandidate& candidate) {
  const Candidate& c = candidate.measurement.candidate;
  auto computed = candidate.measurement.facts.find("precision");
  std::string precision = c.options.precision;
  if (precision == "default" && computed != candidate.measurement.facts.end())
    precision = computed->second + " (default)";
  std::string text =
      fmt::format("{}{} · {} · {}T", c.runtime, c.options.provider.empty() ? "" : " " + c.options.provider, precision,
                  c.options.threads);
  return html_escape(result.request.models.size() > 1 ? path_name(c.model) + " · " + text : text);
}

}  // namespace oree
