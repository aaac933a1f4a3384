// SPDX-License-Identifier: Apache-2.0
// From a model and its data to an unsigned bundle: what `oree bundle` and the bundle step of `oree ship` share.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io/ports.h"
#include "deliver/bundle/bundle.h"
#include "deliver/bundle/golden.h"
#include "model/recipe/recipe.h"
#include "monitor/stats/drift.h"

namespace oree::cli {

struct BundlePlan {
  Manifest manifest;             // name, version, device types, runtime, options, rules, probation; the rest is filled
  std::string model;             // file; an OpenVINO IR's .bin comes along
  std::optional<Recipe> recipe;  // absent: inputs and outputs are plain tensors
  std::vector<std::string> golden;      // data sets (model/eval/dataset.h)
  int golden_max = 4;                   // samples of each, spread evenly over it
  int golden_random = 0;                // seeded noise instead of data; marked so in the manifest
  std::string golden_model;             // model that the expected outputs come from; "" = the shipped one, in float32
  bool prove = true;                    // run the shipped configuration here and refuse what its own rules refuse
  std::string reference;                // confidences of the good stream, .json or .npy; "" = none
  int64_t reference_samples_min = 100;  // DriftReference::samples_min, and the window that `warn` is calibrated for
  std::string out;
};

struct BundleResult {
  BundleInfo info;
  std::vector<GoldenVerdict> proof;  // a sample each; empty when not proven
  std::optional<DriftReference> reference;
};

// Opens a model in an engine; tests give another one.
using OpenModel = std::function<Result<std::unique_ptr<Session>>(const std::string& model, const std::string& runtime,
                                                                 const SessionOptions& options)>;
OpenModel open_model();  // the engines of this machine

// kUsage when the plan lacks something, kInvalid for broken input with its file, kRefused when the shipped
// configuration fails its own golden samples here: nothing is written then.
Result<BundleResult> build_bundle(const Ports& ports, const BundlePlan& plan, const OpenModel& open);

// A JSON array of numbers, {"confidences": […]} or a one-dimensional .npy: the confidences of one good stream, one a
// track, in the order in which they came. The histogram is theirs; `warn` is calibrated for windows of `samples_min`.
Result<DriftReference> make_drift_reference(Files& files, const std::string& path, int64_t samples_min);

// The manifest's label of time: SOURCE_DATE_EPOCH's where that is set (reproducible builds), else the clock's.
std::string created_text(Clock& clock);

}  // namespace oree::cli
