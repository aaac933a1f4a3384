// SPDX-License-Identifier: Apache-2.0
#include "model/draw/looks.h"

#include <map>

#include "model/draw/picture.h"
#include "model/ops/op_def.h"

namespace oree {
namespace {

using Table = std::map<std::string_view, const char*>;

const Table& table() {
  static const Table ops = [] {
    Table out;
    auto add = [&](const char* look, std::initializer_list<std::string_view> names) {
      for (std::string_view name : names) out[name] = look;
    };
    add("conv", {"Conv", "ConvInteger", "ConvTranspose", "DeformConv", "QLinearConv", "CONV_2D", "CONV_3D",
                 "CONV_3D_TRANSPOSE", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"});
    add("matrix",
        {"Attention", "Einsum", "Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "BATCH_MATMUL", "FULLY_CONNECTED"});
    add("recurrent", {"GRU", "LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
                      "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN"});
    add("activation", {"Celu",
                       "Clip",
                       "Elu",
                       "Gelu",
                       "HardSigmoid",
                       "HardSwish",
                       "LeakyRelu",
                       "LogSoftmax",
                       "Mish",
                       "PRelu",
                       "Relu",
                       "Selu",
                       "Sigmoid",
                       "Softmax",
                       "Softplus",
                       "Softsign",
                       "Swish",
                       "Tanh",
                       "ThresholdedRelu",
                       "ELU",
                       "GELU",
                       "HARD_SWISH",
                       "LEAKY_RELU",
                       "LOGISTIC",
                       "LOG_SOFTMAX",
                       "PRELU",
                       "RELU",
                       "RELU6",
                       "RELU_0_TO_1",
                       "RELU_N1_TO_1",
                       "SOFTMAX",
                       "TANH"});
    add("norm",
        {"BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization", "LpNormalization",
         "LRN", "MeanVarianceNormalization", "RMSNormalization", "L2_NORMALIZATION", "LOCAL_RESPONSE_NORMALIZATION"});
    add("pool", {"ArgMax",
                 "ArgMin",
                 "AveragePool",
                 "CumSum",
                 "GlobalAveragePool",
                 "GlobalLpPool",
                 "GlobalMaxPool",
                 "LpPool",
                 "MaxPool",
                 "MaxRoiPool",
                 "ReduceL1",
                 "ReduceL2",
                 "ReduceLogSum",
                 "ReduceLogSumExp",
                 "ReduceMax",
                 "ReduceMean",
                 "ReduceMin",
                 "ReduceProd",
                 "ReduceSum",
                 "ReduceSumSquare",
                 "TopK",
                 "ARG_MAX",
                 "ARG_MIN",
                 "AVERAGE_POOL_2D",
                 "CUMSUM",
                 "L2_POOL_2D",
                 "MAX_POOL_2D",
                 "MEAN",
                 "REDUCE_ALL",
                 "REDUCE_ANY",
                 "REDUCE_MAX",
                 "REDUCE_MIN",
                 "REDUCE_PROD",
                 "SUM",
                 "TOPK_V2"});
    add("quantize", {"Cast", "CastLike", "DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear", "CAST",
                     "DEQUANTIZE", "QUANTIZE"});
    add("move", {"Pad",
                 "Expand",
                 "Tile",
                 "Shape",
                 "Size",
                 "Range",
                 "ConstantOfShape",
                 "OneHot",
                 "Concat",
                 "Resize",
                 "Upsample",
                 "BATCH_TO_SPACE_ND",
                 "BROADCAST_TO",
                 "CONCATENATION",
                 "DEPTH_TO_SPACE",
                 "EXPAND_DIMS",
                 "FILL",
                 "GATHER",
                 "GATHER_ND",
                 "MIRROR_PAD",
                 "PACK",
                 "PAD",
                 "PADV2",
                 "RESHAPE",
                 "RESIZE_BILINEAR",
                 "RESIZE_NEAREST_NEIGHBOR",
                 "REVERSE_V2",
                 "SCATTER_ND",
                 "SHAPE",
                 "SLICE",
                 "SPACE_TO_BATCH_ND",
                 "SPACE_TO_DEPTH",
                 "SPLIT",
                 "SPLIT_V",
                 "SQUEEZE",
                 "STRIDED_SLICE",
                 "TILE",
                 "TRANSPOSE",
                 "UNPACK"});
    add("control", {"If", "Loop", "Scan", "IF", "WHILE"});
    return out;
  }();
  return ops;
}

}  // namespace

std::string look_of(const Node& node) {
  const bool own = node.domain.empty() || node.domain == "tflite";
  if (own) {
    if (auto found = table().find(node.op); found != table().end()) return found->second;
  }
  if (node.domain == "tflite") return "arithmetic";
  const OpDef* def = find_op(node);
  if (def == nullptr) return "custom";
  return def->has(kHasBlocks) ? "control" : def->has(kMoves) ? "move" : "arithmetic";
}

const std::vector<std::pair<std::string, std::string>>& looks() {
  static const std::vector<std::pair<std::string, std::string>> all = {
      {"conv", "convolution"},       {"matrix", "matrix product"}, {"recurrent", "recurrent"},
      {"activation", "activation"},  {"norm", "normalization"},    {"pool", "pool, reduction"},
      {"arithmetic", "elementwise"}, {"move", "movement"},         {"quantize", "conversion of types"},
      {"control", "control"},        {"custom", "custom"},         {"io", "input, output, state"}};
  return all;
}

}  // namespace oree
