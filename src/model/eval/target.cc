// SPDX-License-Identifier: Apache-2.0
#include "model/eval/target.h"

#include "model/runtime/registry.h"

namespace oree {

Result<TargetDescription> LocalTarget::describe() {
  TargetDescription description{"this machine", ports_.sensors->identity(), {}};
  for (const std::string& name : backend_names()) description.runtimes.push_back(backend(name).info());
  return description;
}

Result<std::string> LocalTarget::meter(const std::string& name) {
  if (ports_.power == nullptr) return Error(Code::kUnsupported, "this program measures no energy");
  OREE_TRY_ASSIGN(auto meter, ports_.power->open(name));
  return meter->info().method;
}

EnergyEstimate LocalTarget::energy(const WorkerSettings& settings, const Candidate& candidate,
                                   const std::string& input_npz, uint64_t seed, const std::string& meter,
                                   const EnergyPlan& plan) {
  if (ports_.power == nullptr) return energy_not_measurable("this program measures no energy");
  auto opened = ports_.power->open(meter);
  if (!opened.ok()) return energy_not_measurable(opened.error().message());
  return measure_candidate_energy(ports_, settings, candidate, input_npz, seed, **opened, plan);
}

}  // namespace oree
