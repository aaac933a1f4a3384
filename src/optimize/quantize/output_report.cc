// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/output_report.h"

namespace oree {

void report_outputs(const Graph& graph, const std::vector<Noise>& before, const std::vector<Noise>& after,
                    const EngineAccuracy& measured, QuantizeReport& out) {
  size_t place = 0;
  for (const Compared& c : compared_values(graph)) {
    if (place == after.size()) break;
    const std::string& name = graph.value(c.value).name;
    OutputReport output{name, before[place].sqnr_db(), after[place].sqnr_db(), {}};
    if (place < measured.outputs.size()) output.engine_db = measured.outputs[place].sqnr_db();
    out.outputs.push_back(std::move(output));
    ++place;
  }
  if (measured.not_run.empty()) out.measured_in = measured.engine;
  out.not_measured = measured.not_run;
}

}  // namespace oree
