// SPDX-License-Identifier: Apache-2.0
#include "model/eval/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace oree {
namespace {

Result<Tensor> stack(std::span<const NamedTensors> samples, size_t place) {
  const NamedTensor& first = samples[0][place];
  Shape shape = first.tensor.shape();
  if (shape.empty() || shape[0] != 1)
    return Error(Code::kInvalid, fmt::format("'{}': a batch is of samples whose first dimension is 1, found {}",
                                             first.name, shape_text(shape)));
  shape[0] = static_cast<int64_t>(samples.size());
  OREE_TRY(shape_elements(shape));
  Tensor stacked(first.tensor.dtype(), shape);
  for (size_t i = 0; i < samples.size(); ++i) {
    auto one = std::ranges::find(samples[i], first.name, &NamedTensor::name);
    if (one == samples[i].end() || one->tensor.dtype() != first.tensor.dtype() ||
        one->tensor.shape() != first.tensor.shape())
      return Error(Code::kInvalid, fmt::format("'{}' is not alike in the samples of a batch", first.name));
    std::memcpy(stacked.data() + i * first.tensor.byte_size(), one->tensor.data(), first.tensor.byte_size());
  }
  return stacked;
}

}  // namespace

Status check_batch(const std::vector<TensorInfo>& inputs, int batch) {
  if (batch == 1) return {};
  for (const TensorInfo& input : inputs) {
    if (input.shape.empty() || input.shape[0] >= 0)
      return Error(Code::kUnsupported,
                   fmt::format("a batch of {} needs a first dimension that is free; that of '{}' is {}", batch,
                               input.name, shape_text(input.shape)));
  }
  return {};
}

Result<NamedTensors> stack_samples(std::span<const NamedTensors> samples) {
  OREE_ASSERT(!samples.empty());
  NamedTensors stacked;
  for (size_t place = 0; place < samples[0].size(); ++place) {
    OREE_TRY_ASSIGN(Tensor tensor, stack(samples, place));
    stacked.push_back({samples[0][place].name, std::move(tensor)});
  }
  return stacked;
}

Result<std::vector<NamedTensors>> unstack_samples(const NamedTensors& stacked, size_t count) {
  std::vector<NamedTensors> samples(count);
  for (const NamedTensor& t : stacked) {
    Shape shape = t.tensor.shape();
    if (shape.empty() || shape[0] != static_cast<int64_t>(count))
      return Error(Code::kUnsupported, fmt::format("of a batch of {}, output '{}' has the shape {}", count, t.name,
                                                   shape_text(t.tensor.shape())));
    shape[0] = 1;
    const size_t size = t.tensor.byte_size() / count;
    for (size_t i = 0; i < count; ++i) {
      Tensor one(t.tensor.dtype(), shape);
      std::memcpy(one.data(), t.tensor.data() + i * size, size);
      samples[i].push_back({t.name, std::move(one)});
    }
  }
  return samples;
}

}  // namespace oree
