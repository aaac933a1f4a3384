// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/files/real_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace oree {
namespace {

template <typename T>
void quantize(std::span<const float> from, std::span<T> to, const RealScale& s) {
  constexpr double kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  for (size_t i = 0; i < from.size(); ++i) {
    // Divided in float, as the engines do.
    double steps = std::isnan(from[i]) ? 0 : static_cast<double>(std::nearbyint(from[i] / s.scale));
    to[i] = static_cast<T>(std::clamp(steps + static_cast<double>(s.zero_point), kLow, kHigh));
  }
}

template <typename T>
void dequantize(std::span<const T> from, std::span<float> to, const RealScale& s) {
  for (size_t i = 0; i < from.size(); ++i)
    to[i] = s.scale * static_cast<float>(static_cast<int64_t>(from[i]) - s.zero_point);
}

}  // namespace

Result<Tensor> to_integers(const Tensor& reals, Dtype dtype, const RealScale& scale) {
  const bool known = dtype == Dtype::kInt8 || dtype == Dtype::kUint8 || dtype == Dtype::kInt16;
  if (reals.dtype() != Dtype::kFloat32 || !known) {
    return Error(Code::kInvalid, fmt::format("{} cannot be quantized to {}: expected float32 to int8, uint8 or int16",
                                             dtype_name(reals.dtype()), dtype_name(dtype)));
  }
  Tensor out(dtype, reals.shape());
  if (dtype == Dtype::kInt8) quantize(reals.as<float>(), out.as<int8_t>(), scale);
  if (dtype == Dtype::kUint8) quantize(reals.as<float>(), out.as<uint8_t>(), scale);
  if (dtype == Dtype::kInt16) quantize(reals.as<float>(), out.as<int16_t>(), scale);
  return out;
}

Tensor to_reals(const Tensor& integers, const RealScale& scale) {
  const Dtype dtype = integers.dtype();
  if (dtype != Dtype::kInt8 && dtype != Dtype::kUint8 && dtype != Dtype::kInt16) return integers;
  Tensor out(Dtype::kFloat32, integers.shape());
  if (dtype == Dtype::kInt8) dequantize(integers.as<int8_t>(), out.as<float>(), scale);
  if (dtype == Dtype::kUint8) dequantize(integers.as<uint8_t>(), out.as<float>(), scale);
  if (dtype == Dtype::kInt16) dequantize(integers.as<int16_t>(), out.as<float>(), scale);
  return out;
}

Result<std::optional<NamedTensors>> with_integers(const NamedTensors& given, const std::vector<TensorInfo>& infos) {
  std::optional<NamedTensors> out;
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i].tensor.dtype() != Dtype::kFloat32) continue;
    for (const TensorInfo& info : infos) {
      bool meant = info.name == given[i].name || (given[i].name.empty() && infos.size() == 1);
      if (!meant || !info.reals) continue;
      if (!out) out = given;
      OREE_TRY_ASSIGN((*out)[i].tensor, to_integers(given[i].tensor, info.dtype, *info.reals));
    }
  }
  return out;
}

void make_real(NamedTensors& outputs, const std::vector<TensorInfo>& infos) {
  for (size_t i = 0; i < std::min(outputs.size(), infos.size()); ++i) {
    if (infos[i].reals) outputs[i].tensor = to_reals(outputs[i].tensor, *infos[i].reals);
  }
}

}  // namespace oree
