// SPDX-License-Identifier: Apache-2.0
// The pieces of report.html; for report*.cc only. Every text from outside goes through html_escape.
#pragma once

#include <string>
#include <vector>

#include "optimize/tune/tune.h"

namespace oree {

extern const char* const kReportStyle;                    // the page's CSS, light and dark
std::string report_pareto_svg(const TuneResult& result);  // median latency against accuracy; "" with nothing measured
std::string report_strips_svg(const TuneResult& result);  // one strip of latencies a finalist
// Noise that each layer of the chosen file adds, the noisiest first; "" when its maker did not tell.
std::string report_layers_svg(const TuneResult& result);

// A scale of a picture: data from `low` to `high` lie between `from` and `to`; what is outside lies on the edge.
struct ReportAxis {
  double low, high;
  double from, to;
  double at(double v) const;
};
std::vector<double> report_ticks(double low, double high, int count);  // round ones, about so many
std::vector<const TuneCandidate*> report_measured(const TuneResult& result, bool finals_only);  // by rising median
bool report_is_chosen(const TuneResult& result, const TuneCandidate* candidate);
std::string report_tooltip(const TuneResult& result, const TuneCandidate& candidate);  // a <title>

// CSS class of an engine's colour, the same in every picture: "e0", "e1", "e2".
std::string report_engine_class(const std::string& runtime);
std::string report_candidate_label(const TuneResult& result, const TuneCandidate& candidate);  // escaped, short

}  // namespace oree
