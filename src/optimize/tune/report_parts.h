// SPDX-License-Identifier: Apache-2.0
// The pieces of report.html; for report*.cc only. Every text from outside goes through html_escape.
#pragma once

#include <string>

#include "optimize/tune/tune.h"

namespace oree {

extern const char* const kReportStyle;                    // the page's CSS, light and dark
std::string report_pareto_svg(const TuneResult& result);  // median latency against agreement; "" with nothing measured
std::string report_strips_svg(const TuneResult& result);  // one strip of latencies a finalist

// CSS class of an engine's colour, the same in every picture: "e0", "e1", "e2".
std::string report_engine_class(const std::string& runtime);
std::string report_candidate_label(const TuneResult& result, const TuneCandidate& candidate);  // escaped, short

}  // namespace oree
