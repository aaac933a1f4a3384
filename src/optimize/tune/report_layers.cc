// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/shown_name.h"
#include "core/base/text.h"
#include "optimize/tune/report_parts.h"

namespace oree {
namespace {

constexpr size_t kLayersShown = 14;

double noise_db(const TuneLayer& layer) { return layer.sqnr_db.value_or(INFINITY); }

// The noisiest integer layers, and after them those in float for their accuracy with the most to compute.
std::vector<const TuneLayer*> shown_layers(const std::vector<TuneLayer>& layers) {
  std::vector<const TuneLayer*> noisy, kept;
  for (const TuneLayer& layer : layers) {
    if (layer.integer && layer.sqnr_db && std::isfinite(*layer.sqnr_db)) noisy.push_back(&layer);
    if (!layer.integer && layer.macs_share > 0) kept.push_back(&layer);
  }
  std::stable_sort(noisy.begin(), noisy.end(), [](auto* a, auto* b) { return noise_db(*a) < noise_db(*b); });
  std::stable_sort(kept.begin(), kept.end(), [](auto* a, auto* b) { return a->macs_share > b->macs_share; });
  if (noisy.empty()) return {};
  kept.resize(std::min(kept.size(), kLayersShown / 2));
  noisy.resize(std::min(noisy.size(), kLayersShown - kept.size()));
  noisy.insert(noisy.end(), kept.begin(), kept.end());
  return noisy;
}

}  // namespace

std::string report_layers_svg(const TuneResult& result) {
  if (!result.chosen) return "";
  auto told = result.request.layers.find(result.candidates[*result.chosen].measurement.candidate.model);
  if (told == result.request.layers.end()) return "";
  const std::vector<const TuneLayer*> rows = shown_layers(told->second);
  if (rows.empty()) return "";
  double most = 10;
  for (const TuneLayer* layer : rows) most = std::isfinite(noise_db(*layer)) ? std::max(most, noise_db(*layer)) : most;
  const double width = 1000, left = 330, right = 190, row = 26;
  const double height = row * static_cast<double>(rows.size()) + 44;
  const ReportAxis x{0, most * 1.05, left, width - right};
  std::string svg =
      fmt::format(R"(<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="Noise by layer">)",
                  report_engine_class(result.candidates[*result.chosen].measurement.candidate.runtime), width, height);
  for (double t : report_ticks(0, x.high, 6)) {
    svg += fmt::format(
        R"(<path class="axis" d="M{:.1f} 2V{}"/><text x="{:.1f}" y="{}" text-anchor="middle">{:.4g}</text>)", x.at(t),
        height - 38, x.at(t), height - 22, t);
  }
  svg +=
      fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">SQNR of the layer's result, dB (left is noisier)</text>)",
                  (left + width - right) / 2, height - 4);
  for (size_t i = 0; i < rows.size(); ++i) {
    const TuneLayer& layer = *rows[i];
    const double y = row * static_cast<double>(i) + 17, db = noise_db(layer);
    svg += fmt::format(R"(<text x="{}" y="{:.1f}" text-anchor="end">{}</text>)", left - 12, y + 4,
                       html_escape(layer.op + " " + shown_name(layer.name)));
    if (layer.integer) {
      svg += fmt::format(R"(<rect class="bar" x="{}" y="{:.1f}" width="{:.1f}" height="12"/>)", left, y - 6,
                         x.at(db) - left);
      svg += fmt::format(R"(<text class="strong" x="{:.1f}" y="{:.1f}">{:.1f}</text>)", x.at(db) + 8, y + 4, db);
    } else {
      svg += fmt::format(R"(<text x="{}" y="{:.1f}">in float{}</text>)", left + 6, y + 4,
                         layer.because.empty() ? "" : ": " + html_escape(layer.because.substr(0, 80)));
    }
    svg += fmt::format(R"(<text x="{}" y="{:.1f}" text-anchor="end">{:.1f} % of the MACs</text>)", width - 6, y + 4,
                       100 * layer.macs_share);
  }
  return svg + "</svg>";
}

}  // namespace oree
