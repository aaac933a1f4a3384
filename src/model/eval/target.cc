// SPDX-License-Identifier: Apache-2.0
#include "model/eval/target.h"

#include "model/runtime/registry.h"

namespace oree {

Result<TargetDescription> LocalTarget::describe() {
  TargetDescription description{"this machine", ports_.sensors->identity(), {}};
  for (const std::string& name : backend_names()) description.runtimes.push_back(backend(name).info());
  return description;
}

}  // namespace oree
