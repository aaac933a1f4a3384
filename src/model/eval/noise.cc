// SPDX-License-Identifier: Apache-2.0
#include "model/eval/noise.h"

namespace oree {

uint64_t SeededRandom::next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

Result<Tensor> noise_tensor(const TensorInfo& info, uint64_t seed) {
  Shape shape = info.shape;
  for (int64_t& dimension : shape) dimension = dimension < 0 ? 1 : dimension;
  auto elements = shape_elements(shape);
  if (!elements.ok()) return elements.error().within("input '" + info.name + "'");
  Tensor tensor(info.dtype, shape);
  SeededRandom random(seed);
  auto signed_unit = [&] { return random.unit() * 2 - 1; };
  switch (info.dtype) {
    case Dtype::kFloat32:
      for (float& v : tensor.as<float>()) v = static_cast<float>(signed_unit());
      break;
    case Dtype::kFloat64:
      for (double& v : tensor.as<double>()) v = signed_unit();
      break;
    case Dtype::kFloat16:
      for (uint16_t& v : tensor.as<uint16_t>()) v = float_to_half(static_cast<float>(signed_unit()));
      break;
    case Dtype::kInt8:
    case Dtype::kUint8:
      for (uint8_t& v : tensor.as<uint8_t>()) v = static_cast<uint8_t>(random.next());
      break;
    default: {
      // Little-endian everywhere that we run: the low byte comes first.
      size_t size = dtype_size(info.dtype);
      for (int64_t i = 0; i < *elements; ++i)
        tensor.data()[static_cast<size_t>(i) * size] = static_cast<uint8_t>(random.next() & 1);
    }
  }
  return tensor;
}

Result<NamedTensors> noise_tensors(const std::vector<TensorInfo>& infos, uint64_t seed) {
  NamedTensors tensors;
  for (size_t i = 0; i < infos.size(); ++i) {
    OREE_TRY_ASSIGN(Tensor tensor, noise_tensor(infos[i], seed + i));
    tensors.push_back({infos[i].name, std::move(tensor)});
  }
  return tensors;
}

}  // namespace oree
