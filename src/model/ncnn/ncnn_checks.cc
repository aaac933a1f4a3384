// SPDX-License-Identifier: Apache-2.0
#include "model/ncnn/ncnn_checks.h"

#include <fmt/format.h>

#include <span>

namespace oree {
namespace {

// A parameter and the range that it must be in. Those of the processor's memory have their end in the file of weights.
struct Bound {
  std::string_view type;
  int id;
  int64_t otherwise, low, high;
};
constexpr int64_t kSizeMax = 1 << 16;  // of a window, a step, a border
constexpr Bound kBounds[] = {
    {"Pooling", 0, 0, 0, 1},           {"Input", 0, 0, 0, 1 << 24},
    {"Input", 1, 0, 0, 1 << 24},       {"Input", 11, 0, 0, 1 << 24},
    {"Input", 2, 0, 0, 1 << 24},       {"Padding", 0, 0, -233, kSizeMax},
    {"Padding", 1, 0, -233, kSizeMax}, {"Padding", 2, 0, -233, kSizeMax},
    {"Padding", 3, 0, -233, kSizeMax}, {"Padding", 7, 0, 0, kSizeMax},
    {"Padding", 8, 0, 0, kSizeMax},    {"Interp", 3, 0, 0, kSizeMax},
    {"Interp", 4, 0, 0, kSizeMax},     {"PixelShuffle", 0, 1, 1, kSizeMax},
    {"Reorg", 0, 1, 1, kSizeMax},      {"ShuffleChannel", 0, 1, 1, kSizeMax},
    {"GroupNorm", 0, 1, 1, kSizeMax},
};

// Where a layer says how many weights it will read.
struct Weights {
  std::string_view type;
  int id;
};
constexpr Weights kWeights[] = {
    {"BatchNorm", 0},
    {"Bias", 0},
    {"Convolution", 6},
    {"Convolution1D", 6},
    {"Convolution3D", 6},
    {"ConvolutionDepthWise", 6},
    {"ConvolutionDepthWise1D", 6},
    {"ConvolutionDepthWise3D", 6},
    {"Deconvolution", 6},
    {"Deconvolution1D", 6},
    {"Deconvolution3D", 6},
    {"DeconvolutionDepthWise", 6},
    {"DeconvolutionDepthWise1D", 6},
    {"DeconvolutionDepthWise3D", 6},
    {"DeformableConv2D", 6},
    {"Embed", 3},
    {"GroupNorm", 1},
    {"GRU", 1},
    {"InnerProduct", 2},
    {"InstanceNorm", 0},
    {"LayerNorm", 0},
    {"LSTM", 1},
    {"MultiHeadAttention", 2},
    {"PReLU", 0},
    {"RMSNorm", 0},
    {"RNN", 1},
    {"Scale", 0},
};

bool is_window(std::string_view type) {
  return type.find("onvolution") != std::string_view::npos || type.starts_with("Pooling") || type == "DeformableConv2D";
}

Error outside(const NcnnLayer& layer, int id, int64_t value, int64_t low, int64_t high) {
  return Error(Code::kInvalid, fmt::format("{} '{}': parameter {} is {}, not from {} to {}", layer.type, layer.name, id,
                                           value, low, high));
}

Status check_bounds(const NcnnLayer& layer, std::span<const Bound> bounds) {
  for (const Bound& b : bounds) {
    if (b.type != layer.type && !b.type.empty()) continue;
    const int64_t value = layer.integer(b.id, b.otherwise);
    if (value < b.low || value > b.high) return outside(layer, b.id, value, b.low, b.high);
  }
  return {};
}

// A window that has a height has one of its own beside the width; zero stands for "the other one" nowhere.
Status check_window(const NcnnLayer& layer) {
  const bool pool = layer.type.starts_with("Pooling");
  const bool whole = pool && (layer.integer(4, 0) != 0 || layer.integer(7, 0) != 0);
  const bool given = layer.integer(19, 0) == 0 && layer.integer(28, 0) == 0;  // weights of the file, no input's
  static constexpr Bound kConvolution[] = {{"", 2, 1, 1, kSizeMax},
                                           {"", 12, 1, 1, kSizeMax},
                                           {"", 3, 1, 1, kSizeMax},
                                           {"", 13, 1, 1, kSizeMax},
                                           {"", 7, 1, 1, 1 << 24}};
  static constexpr Bound kKernel[] = {
      {"", 0, 0, 1, 1 << 24}, {"", 1, 0, 1, kSizeMax}, {"", 11, 1, 1, kSizeMax}, {"", 6, 0, 1, INT32_MAX}};
  static constexpr Bound kPool[] = {
      {"", 1, 0, 1, kSizeMax}, {"", 11, 1, 1, kSizeMax}, {"", 2, 1, 1, kSizeMax}, {"", 12, 1, 1, kSizeMax}};
  if (whole) return {};
  if (pool) return check_bounds(layer, kPool);
  OREE_TRY(check_bounds(layer, kConvolution));
  return given ? check_bounds(layer, kKernel) : Status();
}

// At least half a byte a weight, however ncnn packs them.
Status check_weights(const NcnnLayer& layer, int64_t count, int64_t weights_size) {
  if (count < 0) return Error(Code::kInvalid, fmt::format("{} '{}' has {} weights", layer.type, layer.name, count));
  if (count == 0) return {};
  if (weights_size < 0)
    return Error(Code::kInvalid, "its weights are missing: the .bin file must lie beside the .param");
  if (count <= weights_size * 2) return {};
  return Error(Code::kInvalid, fmt::format("{} '{}' has {} weights, but the .bin file {} bytes", layer.type, layer.name,
                                           count, weights_size));
}

Result<int64_t> memory_elements(const NcnnLayer& layer) {
  int64_t elements = 1;
  for (int id : {0, 1, 11, 2}) {
    const int64_t d = layer.integer(id, 0);
    if (d < 0) return outside(layer, id, d, 0, INT32_MAX);
    if (d == 0) continue;
    if (elements > INT32_MAX / d) return outside(layer, id, d, 0, INT32_MAX / elements);
    elements *= d;
  }
  return elements;
}

}  // namespace

Status check_ncnn_layer(const NcnnLayer& layer, int64_t weights_size) {
  OREE_TRY(check_bounds(layer, kBounds));
  if (is_window(layer.type)) OREE_TRY(check_window(layer));
  if (layer.type == "MemoryData") {
    OREE_TRY_ASSIGN(int64_t elements, memory_elements(layer));
    return check_weights(layer, layer.integer(0, 0) == 0 ? 0 : elements, weights_size);
  }
  if (layer.type == "Gemm") {
    const int64_t m = layer.integer(7, 0), n = layer.integer(8, 0), k = layer.integer(9, 0);
    for (int id : {7, 8, 9}) {
      if (layer.integer(id, 0) < 0 || layer.integer(id, 0) > 1 << 24)
        return outside(layer, id, layer.integer(id, 0), 0, 1 << 24);
    }
    OREE_TRY(check_weights(layer, layer.integer(4, 0) == 1 ? m * k : 0, weights_size));
    return check_weights(layer, layer.integer(5, 0) == 1 ? n * k : 0, weights_size);
  }
  for (const Weights& w : kWeights) {
    if (w.type == layer.type) return check_weights(layer, layer.integer(w.id, 0), weights_size);
  }
  return {};
}

}  // namespace oree
