// SPDX-License-Identifier: Apache-2.0
// Calibration: real samples through the float graph, once, in memory that does not grow with them. The result does not
// depend on how many threads there are.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "model/eval/dataset.h"
#include "model/eval/sample_feed.h"
#include "optimize/quantize/plan.h"
#include "optimize/quantize/probe.h"
#include "optimize/quantize/sample_run.h"

namespace oree {

struct CalibrationOptions {
  int threads = 1;
  bool skip_bad = false;                                    // leave unusable samples out, else they are an error
  std::string scratch;                                      // an existing folder
  std::function<void(size_t done, size_t total)> progress;  // called from any thread, one at a time
  // Shown on the way what it watches; its samples are those of the data set at `beside_at`, among `indices`, in order.
  const SampleRun* beside = nullptr;
  std::vector<size_t> beside_at;
};

struct Calibration {
  Statistics statistics;
  // Mean, and largest size, of each channel of a value.
  std::map<ValueId, std::vector<double>> channel_means, channel_sizes;
  size_t samples = 0;  // that were used
  BadSamples bad;      // that were left out
  std::string engine;
};

// `values`: whose statistics are wanted. `by_channel`: those whose channels' means and sizes are, and the channels'
// axis. `indices`: of the data set. kInvalid names the samples that cannot be used unless these are skipped, and the
// value that is NaN or infinite with one.
Result<Calibration> calibrate(Files& files, const Graph& graph, const std::vector<ValueId>& values,
                              const std::map<ValueId, int>& by_channel, Dataset& data,
                              const std::vector<size_t>& indices, const CalibrationOptions& options);

}  // namespace oree
