// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/text.h"
#include "optimize/tune/report_parts.h"

namespace oree {
namespace {

constexpr double kWidth = 1000, kHeight = 400, kLeft = 66, kRight = 24, kTop = 16, kBottom = 46;
constexpr double kBelowShown = 3;  // times the room above the bound: what lies lower stands on the edge

// Accuracy of a candidate as the picture has it: points against float where a drop was tested, else the agreement.
struct Height {
  double value = 0;
  double low = 0, high = 0;  // equal where there is no interval
};

class Pareto {
 public:
  explicit Pareto(const TuneResult& result) : result_(result), points_(report_measured(result, false)) {}
  bool empty() const { return points_.empty(); }
  std::string svg();

 private:
  bool drops() const { return result_.request.drop_max.has_value(); }
  double bound() const { return drops() ? -100 * *result_.request.drop_max : result_.min_agreement; }
  Height height(const TuneCandidate& c) const;
  void scale();
  std::string axes() const;
  std::string front();
  std::string dot(const TuneCandidate& c) const;
  std::string labels() const;
  bool important(const TuneCandidate* c) const {
    return front_.contains(c) || c->engine_default || report_is_chosen(result_, c);
  }

  const TuneResult& result_;
  std::vector<const TuneCandidate*> points_;  // by rising median
  std::set<const TuneCandidate*> front_;
  ReportAxis x_{}, y_{};
};

Height Pareto::height(const TuneCandidate& c) const {
  if (!drops()) {
    // Agreement of equal outputs in dB is infinite: it is drawn on the top edge.
    const double v = c.agreement->value;
    const double shown = std::isfinite(v) ? v : v > 0 ? y_.high : y_.low;
    return {shown, shown, shown};
  }
  if (c.as_float || !c.accuracy) return {};
  return {-100 * c.accuracy->drop, -100 * c.accuracy->high, -100 * c.accuracy->low};
}

void Pareto::scale() {
  double low = bound(), high = drops() ? 0 : result_.metric == "sqnr" ? bound() : 1.0, x_max = 0;
  for (const TuneCandidate* c : points_) {
    x_max = std::max(x_max, c->measurement.latency.p50);
    if (!drops() && !std::isfinite(c->agreement->value)) continue;
    const Height h = height(*c);
    low = std::min(low, h.value);
    high = std::max(high, drops() ? std::min(h.high, h.value + 100 * *result_.request.drop_max) : h.value);
  }
  low = std::max(low, bound() - kBelowShown * std::max(high - bound(), 1e-6));
  const double span = std::max(high - low, 1e-6);
  x_ = {0, x_max * 1.12, kLeft, kWidth - kRight};
  y_ = {low - span * 0.12, high + span * 0.10, kHeight - kBottom, kTop};
}

std::string Pareto::axes() const {
  const double edge = kHeight - kBottom, line = y_.at(bound());
  std::string svg = fmt::format(R"(<rect class="shade" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>)", kLeft, line,
                                kWidth - kLeft - kRight, edge - line);
  const double most = drops() || result_.metric == "sqnr" ? y_.high : std::min(y_.high, 1.0);
  for (double t : report_ticks(y_.low, most, 5)) {
    svg +=
        fmt::format(R"(<path class="axis" d="M{} {:.1f}H{}"/><text x="{}" y="{:.1f}" text-anchor="end">{:.6g}</text>)",
                    kLeft, y_.at(t), kWidth - kRight, kLeft - 10, y_.at(t) + 4, t);
  }
  for (double t : report_ticks(0, x_.high, 8))
    svg += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{:.4g}</text>)", x_.at(t), edge + 19, t);
  svg += fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">median latency, ms (left is faster)</text>)",
                     (kLeft + kWidth - kRight) / 2, kHeight - 6);
  const std::string what = drops()                    ? "points against float"
                           : result_.metric == "sqnr" ? "agreement, SQNR dB"
                           : result_.metric == "f1"   ? "agreement, F1"
                                                      : "agreement, " + result_.metric;
  svg += fmt::format(R"x(<text transform="translate(14 {}) rotate(-90)" text-anchor="middle">{}</text>)x",
                     (kTop + edge) / 2, html_escape(what));
  return svg +
         fmt::format(
             R"(<path class="bound" d="M{} {:.1f}H{}"/><text class="boundtext" x="{}" y="{:.1f}" text-anchor="end">bound {:.6g}</text>)",
             kLeft, line, kWidth - kRight, kWidth - kRight - 4, line + 16, bound());
}

// By rising latency, each more accurate than all faster ones.
std::string Pareto::front() {
  std::string path;
  double best = -1e300;
  for (const TuneCandidate* c : points_) {
    const double v = height(*c).value, cx = x_.at(c->measurement.latency.p50);
    if (v <= best) continue;
    path += path.empty() ? fmt::format("M{:.1f} {:.1f}", cx, y_.at(v)) : fmt::format("H{:.1f}V{:.1f}", cx, y_.at(v));
    best = v;
    front_.insert(c);
  }
  return front_.size() > 1 ? fmt::format(R"(<path class="front" d="{}"/>)", path) : "";
}

std::string Pareto::dot(const TuneCandidate& c) const {
  const Height h = height(c);
  const double cx = x_.at(c.measurement.latency.p50), cy = y_.at(h.value);
  std::string svg = fmt::format(R"(<g class="{}">)", report_engine_class(c.measurement.candidate.runtime));
  if (h.low < h.high)
    svg += fmt::format(R"(<path class="whisker" d="M{:.1f} {:.1f}V{:.1f}"/>)", cx, y_.at(h.low), y_.at(h.high));
  svg += fmt::format(R"(<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="6.5">{}</circle></g>)",
                     c.within_bounds ? "dot" : "open", cx, cy, report_tooltip(result_, c));
  if (report_is_chosen(result_, &c))
    svg += fmt::format(R"(<circle class="ring" cx="{:.1f}" cy="{:.1f}" r="11"/>)", cx, cy);
  return svg;
}

// What matters first; one whose place is taken by another goes without.
std::string Pareto::labels() const {
  struct Rect {
    double x0, y0, x1, y1;
  };
  std::vector<Rect> taken;
  auto take = [&](const Rect& r) {
    for (const Rect& t : taken) {
      if (r.x0 < t.x1 && t.x0 < r.x1 && r.y0 < t.y1 && t.y0 < r.y1) return false;
    }
    taken.push_back(r);
    return true;
  };
  for (const TuneCandidate* c : points_) {
    const double cx = x_.at(c->measurement.latency.p50), cy = y_.at(height(*c).value);
    taken.push_back({cx - 8, cy - 8, cx + 8, cy + 8});
  }
  std::string svg;
  for (const bool first : {true, false}) {
    for (const TuneCandidate* c : points_) {
      if (important(c) != first) continue;
      const double cx = x_.at(c->measurement.latency.p50), cy = y_.at(height(*c).value);
      const std::string text = report_candidate_label(result_, *c);
      const double half = 3.4 * static_cast<double>(text.size());
      if (kLeft + half > kWidth - kRight - half) continue;
      for (double dy : {-15.0, 25.0, -31.0, 41.0}) {
        const double tx = std::clamp(cx, kLeft + half, kWidth - kRight - half);
        if (cy + dy < kTop + 8 || cy + dy > kHeight - kBottom - 4) continue;
        if (!take({tx - half, cy + dy - 11, tx + half, cy + dy + 4})) continue;
        svg += fmt::format(R"(<text class="halo{}" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)",
                           report_is_chosen(result_, c) ? " strong" : "", tx, cy + dy, text);
        break;
      }
    }
  }
  return svg;
}

std::string Pareto::svg() {
  scale();
  std::string svg = fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="Median latency against accuracy">)",
                                kWidth, kHeight);
  svg += axes() + front();
  for (const bool first : {false, true}) {  // what matters lies on top
    for (const TuneCandidate* c : points_) {
      if (important(c) == first) svg += dot(*c);
    }
  }
  return svg + labels() + "</svg>";
}

}  // namespace

std::string report_pareto_svg(const TuneResult& result) {
  Pareto picture(result);
  return picture.empty() ? "" : picture.svg();
}

}  // namespace oree
