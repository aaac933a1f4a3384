// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/text.h"
#include "core/io/files.h"
#include "optimize/tune/choose.h"
#include "optimize/tune/report_parts.h"

namespace oree {
namespace {

constexpr double kTail = 1.5;  // times the p95

}  // namespace

// Round steps of 1, 2 or 5 over a range, about `count` of them.
std::vector<double> report_ticks(double low, double high, int count) {
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

double ReportAxis::at(double v) const { return from + (std::clamp(v, low, high) - low) / (high - low) * (to - from); }

std::vector<const TuneCandidate*> report_measured(const TuneResult& result, bool finals_only) {
  std::vector<const TuneCandidate*> list;
  for (const TuneCandidate& c : result.candidates) {
    if (c.measurement.latency.count > 0 && c.agreement && (c.final_round || !finals_only)) list.push_back(&c);
  }
  std::stable_sort(list.begin(), list.end(), [](const TuneCandidate* a, const TuneCandidate* b) {
    return a->measurement.latency.p50 < b->measurement.latency.p50;
  });
  return list;
}

bool report_is_chosen(const TuneResult& result, const TuneCandidate* c) {
  return result.chosen && c == &result.candidates[*result.chosen];
}

std::string report_tooltip(const TuneResult& result, const TuneCandidate& c) {
  const LatencySummary& l = c.measurement.latency;
  return fmt::format("<title>{}: p50 {}, p95 {}, p99 {} ms; {} {}; {}</title>", report_candidate_label(result, c),
                     ms_text(l.p50), ms_text(l.p95), ms_text(l.p99), result.metric,
                     agreement_text(result.metric, c.agreement->value),
                     html_escape(human_bytes(c.measurement.rss_bytes_peak)));
}

std::string report_strips_svg(const TuneResult& result) {
  std::vector<const TuneCandidate*> rows = report_measured(result, true);
  if (rows.empty()) return "";
  double most = 0;
  for (const TuneCandidate* c : rows) {
    // A tail of one candidate must not press all others together: what is further out stands on the edge.
    most = std::max(most, std::min(c->measurement.latency.p99, kTail * c->measurement.latency.p95));
  }
  size_t longest = 0;
  for (const TuneCandidate* c : rows) longest = std::max(longest, report_candidate_label(result, *c).size());
  // A letter is some 7 wide; a very long name is cut at its front, and its model stands in the tooltip.
  const double width = 1000, left = std::clamp(7.0 * static_cast<double>(longest), 250.0, 420.0), right = 70, row = 38;
  double height = row * static_cast<double>(rows.size()) + 46;
  ReportAxis x{0, most * 1.04, left, width - right};
  std::string svg =
      fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="Latency of each finalist">)", width, height);
  for (double t : report_ticks(0, x.high, 8)) {
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
    svg += fmt::format(R"(<g class="{}">{})", report_engine_class(c.measurement.candidate.runtime),
                       report_tooltip(result, c));
    // A hundred quantiles stand for all samples: dense where they lie close.
    std::string ticks;
    for (int q = 0; q < 100; ++q) ticks += fmt::format("M{:.1f} {}v14", x.at(percentile(sorted, q / 100.0)), y - 7);
    svg +=
        fmt::format(R"(<path class="tick" d="{}"/><path class="p50" d="M{:.1f} {}v22"/>)", ticks, x.at(l.p50), y - 11);
    svg += fmt::format(R"(<path class="p95" d="M{:.1f} {}v18M{:.1f} {}v10"/></g>)", x.at(l.p95), y - 9, x.at(l.p99),
                       y - 5);
    svg +=
        fmt::format(R"(<text class="{}" x="{}" y="{}" text-anchor="end">{}</text>)",
                    report_is_chosen(result, &c) ? "strong" : "", left - 14, y + 4, report_candidate_label(result, c));
    svg += fmt::format(R"(<text class="strong" x="{}" y="{}" text-anchor="end">{}</text>)", width - 8, y + 4,
                       ms_text(l.p50));
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
  if (c.batch > 1) text += fmt::format(" · batch {}", c.batch);
  return html_escape(result.request.models.size() > 1 ? path_name(c.model) + " · " + text : text);
}

}  // namespace oree
