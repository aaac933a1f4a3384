// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/permute.h"

#include <cstring>

namespace oree {
namespace {

template <size_t kWidth>
void gather(const uint8_t* from, uint8_t* to, const Shape& shape, const std::vector<int64_t>& strides) {
  std::vector<int64_t> index(shape.size(), 0);
  int64_t elements = shape_elements(shape).value(), at = 0;
  for (int64_t i = 0; i < elements; ++i) {
    std::memcpy(to + i * static_cast<int64_t>(kWidth), from + at * static_cast<int64_t>(kWidth), kWidth);
    for (size_t d = shape.size(); d-- > 0;) {
      at += strides[d];
      if (++index[d] < shape[d]) break;
      at -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
}

bool is_packed(Dtype dtype) { return dtype_bits(dtype) == 4; }

Tensor packed(const Tensor& bytes, Dtype dtype) {
  Tensor out(dtype, bytes.shape());
  for (int64_t i = 0; i < bytes.elements(); ++i) {
    auto nibble = static_cast<uint8_t>(bytes.data()[i] & 0xf);
    out.data()[i / 2] = static_cast<uint8_t>(out.data()[i / 2] | (i % 2 == 0 ? nibble : nibble << 4));
  }
  return out;
}

}  // namespace

Tensor unpacked(const Constant& constant) {
  Tensor tensor = constant.to_tensor();
  if (!is_packed(constant.dtype())) return tensor;
  bool with_sign = constant.dtype() == Dtype::kInt4;
  Tensor out(with_sign ? Dtype::kInt8 : Dtype::kUint8, constant.shape());
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    int nibble = (tensor.data()[i / 2] >> (i % 2 == 0 ? 0 : 4)) & 0xf;
    out.data()[i] = static_cast<uint8_t>(with_sign && nibble >= 8 ? nibble - 16 : nibble);
  }
  return out;
}

Constant permuted(const Constant& constant, std::span<const int64_t> order) {
  const Shape& shape = constant.shape();
  OREE_ASSERT(order.size() == shape.size());
  std::vector<int64_t> strides(shape.size(), 1), moved(shape.size());
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  Shape out_shape(shape.size());
  std::vector<bool> seen(shape.size());
  for (size_t i = 0; i < order.size(); ++i) {
    auto d = static_cast<size_t>(order[i]);
    OREE_ASSERT(d < shape.size() && !seen[d]);
    seen[d] = true;
    out_shape[i] = shape[d];
    moved[i] = strides[d];
  }
  Tensor from = unpacked(constant);
  Tensor out(from.dtype(), out_shape);
  switch (dtype_size(from.dtype())) {
    case 1: gather<1>(from.data(), out.data(), out_shape, moved); break;
    case 2: gather<2>(from.data(), out.data(), out_shape, moved); break;
    case 4: gather<4>(from.data(), out.data(), out_shape, moved); break;
    default: gather<8>(from.data(), out.data(), out_shape, moved); break;
  }
  return is_packed(constant.dtype()) ? Constant(packed(out, constant.dtype())) : Constant(std::move(out));
}

const Constant& PermutedConstants::get(const Constant& constant, std::span<const int64_t> order) {
  auto key = std::tuple(constant.bytes().data(), constant.shape(), std::vector<int64_t>(order.begin(), order.end()));
  auto known = known_.find(key);
  if (known == known_.end()) {
    known = known_.emplace(std::move(key), Pair{constant, permuted(constant, order)}).first;
  }
  return known->second.to;
}

}  // namespace oree
