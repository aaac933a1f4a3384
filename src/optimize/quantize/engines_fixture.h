// SPDX-License-Identifier: Apache-2.0
// A folder, samples and the real engines, for whole runs. For tests only.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "model/eval/dataset.h"
#include "model/runtime/registry.h"
#include "optimize/quantize/plan_fixture.h"
#include "os/posix/posix_files.h"
#include "os/posix/test_folder.h"

namespace oree {

// Engines are looked for where this checkout has them. Under the address sanitizer there are none, and under the thread
// sanitizer OpenVINO is not: they end the process when its threading library is loaded (it asks for RTLD_DEEPBIND).
inline bool engine_is_here(const std::string& name) {
#if defined(__SANITIZE_ADDRESS__)
  MESSAGE("left out under the address sanitizer: ", name);
  return false;
#else
#if defined(__SANITIZE_THREAD__)
  if (name == "openvino") {
    MESSAGE("left out under the thread sanitizer: ", name);
    return false;
  }
#endif
  setenv("OREE_DEPS", OREE_SOURCE_DIR "/.deps", 0);
  const bool here = backend(name).info().available;
  if (!here) MESSAGE("left out: there is no ", name, " here");
  return here;
#endif
}

// Normal inputs of a graph; some may be bad.
class NormalSamples : public Dataset {
 public:
  NormalSamples(const Graph& graph, size_t count, std::vector<size_t> bad = {})
      : graph_(graph), count_(count), bad_(std::move(bad)) {}
  size_t size() const override { return count_; }
  Result<Sample> read(size_t index) override {
    Sample sample;
    sample.name = "normal " + std::to_string(index);
    sample.inputs = normal_inputs(graph_, 1000 + 10 * index);
    if (std::ranges::find(bad_, index) != bad_.end()) sample.inputs[0].tensor.as<float>()[3] = std::nanf("");
    for (const NamedTensor& t : sample.inputs) OREE_TRY(check_finite(t.tensor, sample.name));
    return sample;
  }
  bool has_labels() const override { return false; }
  bool has_boxes() const override { return false; }

 private:
  const Graph& graph_;
  size_t count_;
  std::vector<size_t> bad_;
};

inline std::vector<NamedTensors> some_samples(const Graph& graph, size_t count) {
  std::vector<NamedTensors> samples;
  for (size_t i = 0; i < count; ++i) samples.push_back(normal_inputs(graph, 1000 + 10 * i));
  return samples;
}

}  // namespace oree
