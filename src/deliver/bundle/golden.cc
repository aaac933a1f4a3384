// SPDX-License-Identifier: Apache-2.0
#include "deliver/bundle/golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "core/codec/npy.h"

namespace oree {
namespace {

Result<NamedTensors> load_npz(Files& files, const std::string& folder, const std::string& path) {
  std::string file = path_join(folder, path);
  OREE_TRY_ASSIGN(Bytes bytes, files.read(file, kModelBytesMax));
  auto tensors = read_npz(bytes);
  if (!tensors.ok()) return tensors.error().within(file);
  return tensors;
}

std::string judge(const TensorDifference& d, const GoldenRules& rules) {
  if (!d.problem.empty()) return d.problem;
  // Written so that a NaN in a figure fails.
  if (!(d.relative_error <= rules.relative_error_max)) {
    return fmt::format("relative error {:.3g} is over {:.3g}", d.relative_error, rules.relative_error_max);
  }
  if (!(d.cosine >= rules.cosine_min)) return fmt::format("cosine {:.6g} is under {:.6g}", d.cosine, rules.cosine_min);
  return {};
}

}  // namespace

Result<GoldenSample> load_golden(Files& files, const std::string& folder, int index) {
  GoldenSample sample;
  OREE_TRY_ASSIGN(sample.inputs, load_npz(files, folder, golden_input_path(index)));
  OREE_TRY_ASSIGN(sample.expected, load_npz(files, folder, golden_expected_path(index)));
  return sample;
}

TensorDifference compare_tensors(const Tensor& output, const Tensor& expected) {
  TensorDifference d;
  if (output.shape() != expected.shape()) {
    d.problem = fmt::format("shape {}, expected {}", shape_text(output.shape()), shape_text(expected.shape()));
    return d;
  }
  if (output.dtype() != expected.dtype()) {
    d.problem = fmt::format("type {}, expected {}", dtype_name(output.dtype()), dtype_name(expected.dtype()));
    return d;
  }
  std::vector<double> a = output.to_doubles();
  std::vector<double> b = expected.to_doubles();
  double difference = 0, low = INFINITY, high = -INFINITY, magnitude = 0;
  double dot = 0, norm_a = 0, norm_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
      bool same = std::isnan(a[i]) ? std::isnan(b[i]) : a[i] == b[i];
      if (same) continue;
      d.problem = fmt::format("{} at element {}, expected {}", a[i], i, b[i]);
      return d;
    }
    difference = std::max(difference, std::abs(a[i] - b[i]));
    low = std::min(low, b[i]);
    high = std::max(high, b[i]);
    magnitude = std::max(magnitude, std::abs(b[i]));
    dot += a[i] * b[i];
    norm_a += a[i] * a[i];
    norm_b += b[i] * b[i];
  }
  double scale = high > low ? high - low : magnitude > 0 ? magnitude : 1;
  d.relative_error = difference / scale;
  if (norm_a > 0 && norm_b > 0) {
    d.cosine = dot / (std::sqrt(norm_a) * std::sqrt(norm_b));
  } else {
    d.cosine = norm_a == norm_b ? 1 : 0;
  }
  return d;
}

GoldenVerdict compare_golden(const NamedTensors& outputs, const NamedTensors& expected, const GoldenRules& rules) {
  GoldenVerdict verdict;
  if (expected.empty()) return {false, {}, 0, 1, "the sample expects no output"};
  for (const NamedTensor& wanted : expected) {
    auto found =
        std::find_if(outputs.begin(), outputs.end(), [&](const NamedTensor& t) { return t.name == wanted.name; });
    if (found == outputs.end()) return {false, wanted.name, 0, 1, fmt::format("output {} is missing", wanted.name)};
    TensorDifference d = compare_tensors(found->tensor, wanted.tensor);
    std::string reason = judge(d, rules);
    if (!reason.empty()) {
      return {false, wanted.name, d.relative_error, d.cosine, fmt::format("output {}: {}", wanted.name, reason)};
    }
    if (verdict.tensor.empty() || d.relative_error > verdict.relative_error) {
      verdict = {true, wanted.name, d.relative_error, d.cosine, {}};
    }
  }
  return verdict;
}

}  // namespace oree
