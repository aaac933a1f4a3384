// SPDX-License-Identifier: Apache-2.0
#include "cli/bundle_build.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/codec/npy.h"
#include "model/digest/model_files.h"
#include "model/eval/dataset.h"
#include "model/runtime/registry.h"

namespace oree::cli {
namespace {

constexpr uint64_t kNoiseSeed = 1;
constexpr uint64_t kBootstrapSeed = 1;
constexpr double kFalseAlarm = 0.001;
constexpr int64_t kReferenceSamplesLeast = 20;
constexpr int64_t kReferenceBlockMost = 20;  // a visit of a group of people is longer than one track
constexpr int64_t kReferenceBytesMax = 64 << 20;

SessionOptions exact_options() {
  SessionOptions options;
  options.threads = 1;
  options.precision = "f32";
  return options;
}

Result<std::vector<NamedTensors>> golden_inputs(Files& files, const BundlePlan& plan,
                                                const std::vector<TensorInfo>& inputs) {
  std::vector<NamedTensors> samples;
  auto take = [&](Dataset& data, int max) -> Status {
    for (size_t index : spread_indices(data.size(), static_cast<size_t>(max))) {
      OREE_TRY_ASSIGN(Sample sample, data.read(index));
      samples.push_back(std::move(sample.inputs));
    }
    return {};
  };
  for (const std::string& path : plan.golden) {
    OREE_TRY_ASSIGN(std::unique_ptr<Dataset> data, open_dataset(files, {path, {}}, plan.recipe, inputs));
    OREE_TRY(take(*data, plan.golden_max));
  }
  if (plan.golden_random > 0) {
    OREE_TRY(take(*noise_dataset(inputs, static_cast<size_t>(plan.golden_random), kNoiseSeed), plan.golden_random));
  }
  return samples;
}

// The float outputs of every sample, then what the shipped configuration makes of the same inputs.
struct Golden {
  std::vector<GoldenSample> samples;
  std::vector<GoldenVerdict> proof;
};

Result<Golden> make_golden(const Ports& ports, const BundlePlan& plan, const OpenModel& open) {
  Golden golden;
  std::string source = plan.golden_model.empty() ? plan.model : plan.golden_model;
  OREE_TRY_ASSIGN(std::unique_ptr<Session> exact, open(source, plan.manifest.runtime, exact_options()));
  OREE_TRY_ASSIGN(std::vector<NamedTensors> inputs, golden_inputs(*ports.files, plan, exact->inputs()));
  for (NamedTensors& input : inputs) {
    OREE_TRY_ASSIGN(NamedTensors expected, exact->run(input));
    for (const NamedTensor& t : expected) {
      for (double v : t.tensor.to_doubles()) {
        if (!std::isnan(v)) continue;
        return Error(Code::kInvalid,
                     fmt::format("{}: output {} of golden sample {} holds NaN: such a sample proves nothing", source,
                                 t.name, golden.samples.size()));
      }
    }
    golden.samples.push_back({std::move(input), std::move(expected)});
  }
  if (!plan.prove) return golden;
  exact.reset();
  OREE_TRY_ASSIGN(std::unique_ptr<Session> shipped, open(plan.model, plan.manifest.runtime, plan.manifest.options));
  for (const GoldenSample& sample : golden.samples) {
    OREE_TRY_ASSIGN(NamedTensors outputs, shipped->run(sample.inputs));
    golden.proof.push_back(compare_golden(outputs, sample.expected, plan.manifest.golden));
    const GoldenVerdict& verdict = golden.proof.back();
    if (verdict.passed) continue;
    return Error(
        Code::kRefused,
        fmt::format("golden sample {}: {} (cosine {:.6g}); a device would roll this bundle back. Choose another "
                    "precision, or raise the tolerance if this loss is meant",
                    golden.proof.size() - 1, verdict.reason, verdict.cosine));
  }
  return golden;
}

Status check_plan(const BundlePlan& plan) {
  const Manifest& m = plan.manifest;
  OREE_TRY(check_name(m.model, "the model's name"));
  OREE_TRY(check_name(m.version, "the version"));
  if (m.device_types.empty()) return Error(Code::kUsage, "at least one device type is needed");
  bool known = false;
  for (const std::string& name : backend_names()) known = known || name == m.runtime;
  if (!known) return Error(Code::kUsage, fmt::format("runtime '{}' is not known; oree runtimes lists them", m.runtime));
  if (plan.golden.empty() && plan.golden_random <= 0) {
    return Error(Code::kUsage,
                 "golden samples are needed: without them a device cannot tell a good model from a bad one");
  }
  if (!plan.golden.empty() && plan.golden_random > 0)
    return Error(Code::kUsage, "golden samples are either data or random, not both");
  return {};
}

Result<std::vector<double>> read_confidences(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(Bytes bytes, files.read(path, kReferenceBytesMax));
  std::vector<double> values;
  if (path_extension(path) == ".npy") {
    OREE_TRY_ASSIGN(Tensor tensor, read_npy(bytes));
    if (tensor.shape().size() != 1)
      return Error(Code::kInvalid, fmt::format("shape {}, expected one dimension", shape_text(tensor.shape())));
    values = tensor.to_doubles();
  } else {
    OREE_TRY_ASSIGN(Json json, Json::parse(as_text(bytes)));
    const Json& list = json.is_array() ? json : json["confidences"];
    if (!list.is_array()) return Error(Code::kInvalid, "expected an array of numbers, or {\"confidences\": […]}");
    for (const Json& item : list.items()) {
      if (!item.is_number()) return Error(Code::kInvalid, "the confidences must be numbers");
      values.push_back(item.as_double());
    }
  }
  for (double v : values) {
    if (!(v >= 0 && v <= 1)) return Error(Code::kInvalid, fmt::format("confidence {} is not within 0 and 1", v));
  }
  return values;
}

Result<DriftReference> reference_of(const std::vector<double>& values, int64_t samples_min) {
  auto size = static_cast<int64_t>(values.size());
  if (size < kReferenceSamplesLeast) {
    return Error(Code::kInvalid, fmt::format("{} confidences are too few for a reference; {} are the least", size,
                                             kReferenceSamplesLeast));
  }
  DriftReference reference;
  for (double v : values) reference.histogram.add(v);
  reference.samples_min = samples_min;
  int64_t block = std::min(kReferenceBlockMost, size / 4);
  OREE_TRY_ASSIGN(reference.warn, calibrate_warn(values, samples_min, block, kFalseAlarm, kBootstrapSeed));
  return reference;
}

}  // namespace

OpenModel open_model() {
  return [](const std::string& model, const std::string& runtime, const SessionOptions& options) {
    return backend(runtime).open(model, options);
  };
}

Result<BundleResult> build_bundle(const Ports& ports, const BundlePlan& plan, const OpenModel& open) {
  OREE_TRY(check_plan(plan));
  Files& files = *ports.files;
  BundleResult result;
  Manifest manifest = plan.manifest;
  std::vector<BundleSource> sources;
  OREE_TRY_ASSIGN(std::vector<ModelFile> model, model_files(plan.model));
  sources.reserve(model.size());
  for (const ModelFile& m : model) sources.push_back({path_join(kModelFolder, m.name), m.file, {}});
  manifest.model_path = sources[0].path;
  Recipe recipe;
  recipe.kind = recipe.decoder.kind = "tensor";
  if (plan.recipe) recipe = *plan.recipe;
  std::string recipe_text = recipe_to_json(recipe).dump(2) + "\n";
  sources.push_back({kRecipePath, {}, Bytes(recipe_text.begin(), recipe_text.end())});
  if (!plan.reference.empty()) {
    // Before the engines are started: a typing error should not cost a minute.
    OREE_TRY_ASSIGN(result.reference, make_drift_reference(files, plan.reference, plan.reference_samples_min));
    std::string text = drift_reference_to_json(*result.reference).dump() + "\n";
    sources.push_back({kReferencePath, {}, Bytes(text.begin(), text.end())});
  }
  OREE_TRY_ASSIGN(Golden golden, make_golden(ports, plan, open));
  for (size_t i = 0; i < golden.samples.size(); ++i) {
    OREE_TRY_ASSIGN(Bytes inputs, write_npz(golden.samples[i].inputs));
    OREE_TRY_ASSIGN(Bytes expected, write_npz(golden.samples[i].expected));
    sources.push_back({golden_input_path(static_cast<int>(i)), {}, std::move(inputs)});
    sources.push_back({golden_expected_path(static_cast<int>(i)), {}, std::move(expected)});
  }
  manifest.golden.samples = static_cast<int>(golden.samples.size());
  manifest.golden.random_inputs = plan.golden_random > 0;
  result.proof = std::move(golden.proof);
  OREE_TRY(write_bundle(files, plan.out, manifest, sources));
  OREE_TRY_ASSIGN(result.info, check_bundle(files, plan.out));
  return result;
}

Result<DriftReference> make_drift_reference(Files& files, const std::string& path, int64_t samples_min) {
  auto values = read_confidences(files, path);
  if (!values.ok()) return values.error().code() == Code::kInvalid ? values.error().within(path) : values.error();
  auto reference = reference_of(*values, samples_min);
  if (!reference.ok()) return reference.error().within(path);
  return reference;
}

std::string created_text(Clock& clock) {
  int64_t seconds = 0;
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  std::string_view text = epoch ? epoch : "";
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  bool usable = !text.empty() && error == std::errc() && end == text.data() + text.size() && seconds >= 0 &&
                seconds < int64_t{1} << 38;
  return utc_text(usable ? seconds * 1000 : clock.wall_ms());
}

}  // namespace oree::cli
