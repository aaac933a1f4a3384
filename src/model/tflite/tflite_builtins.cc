// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/tflite_builtins.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

using K = TfliteOption::Kind;

// Field numbers, types, defaults and union numbers: schema.fbs, version 3.
constexpr TfliteOption kAdd[] = {{"fused_activation_function", 0, K::kInt8}, {"pot_scale_int16", 1, K::kBool, 1}};
constexpr TfliteOption kArgMax[] = {{"output_type", 0, K::kInt8}};
constexpr TfliteOption kArgMin[] = {{"output_type", 0, K::kInt8}};
constexpr TfliteOption kBatchMatMul[] = {
    {"adj_x", 0, K::kBool}, {"adj_y", 1, K::kBool}, {"asymmetric_quantize_inputs", 2, K::kBool}};
constexpr TfliteOption kBidirectionalSequenceLSTM[] = {{"fused_activation_function", 0, K::kInt8},
                                                       {"cell_clip", 1, K::kFloat},
                                                       {"proj_clip", 2, K::kFloat},
                                                       {"merge_outputs", 3, K::kBool},
                                                       {"time_major", 4, K::kBool, 1},
                                                       {"asymmetric_quantize_inputs", 5, K::kBool}};
constexpr TfliteOption kBidirectionalSequenceRNN[] = {{"time_major", 0, K::kBool},
                                                      {"fused_activation_function", 1, K::kInt8},
                                                      {"merge_outputs", 2, K::kBool},
                                                      {"asymmetric_quantize_inputs", 3, K::kBool}};
constexpr TfliteOption kBucketize[] = {{"boundaries", 0, K::kFloats}};
constexpr TfliteOption kCallOnce[] = {{"init_subgraph_index", 0, K::kInt32}};
constexpr TfliteOption kCall[] = {{"subgraph", 0, K::kUint32}};
constexpr TfliteOption kCast[] = {{"in_data_type", 0, K::kInt8}, {"out_data_type", 1, K::kInt8}};
constexpr TfliteOption kConcatEmbeddings[] = {{"num_channels", 0, K::kInt32},
                                              {"num_columns_per_channel", 1, K::kInts},
                                              {"embedding_dim_per_channel", 2, K::kInts}};
constexpr TfliteOption kConcatenation[] = {{"axis", 0, K::kInt32}, {"fused_activation_function", 1, K::kInt8}};
constexpr TfliteOption kConv2D[] = {{"padding", 0, K::kInt8},
                                    {"stride_w", 1, K::kInt32},
                                    {"stride_h", 2, K::kInt32},
                                    {"fused_activation_function", 3, K::kInt8},
                                    {"dilation_w_factor", 4, K::kInt32, 1},
                                    {"dilation_h_factor", 5, K::kInt32, 1},
                                    {"quantized_bias_type", 6, K::kInt8}};
constexpr TfliteOption kConv3D[] = {{"padding", 0, K::kInt8},
                                    {"stride_d", 1, K::kInt32},
                                    {"stride_w", 2, K::kInt32},
                                    {"stride_h", 3, K::kInt32},
                                    {"fused_activation_function", 4, K::kInt8},
                                    {"dilation_d_factor", 5, K::kInt32, 1},
                                    {"dilation_w_factor", 6, K::kInt32, 1},
                                    {"dilation_h_factor", 7, K::kInt32, 1}};
constexpr TfliteOption kCumsum[] = {{"exclusive", 0, K::kBool}, {"reverse", 1, K::kBool}};
constexpr TfliteOption kDepthToSpace[] = {{"block_size", 0, K::kInt32}};
constexpr TfliteOption kDepthwiseConv2D[] = {{"padding", 0, K::kInt8},
                                             {"stride_w", 1, K::kInt32},
                                             {"stride_h", 2, K::kInt32},
                                             {"depth_multiplier", 3, K::kInt32},
                                             {"fused_activation_function", 4, K::kInt8},
                                             {"dilation_w_factor", 5, K::kInt32, 1},
                                             {"dilation_h_factor", 6, K::kInt32, 1}};
constexpr TfliteOption kDiv[] = {{"fused_activation_function", 0, K::kInt8}};
constexpr TfliteOption kEmbeddingLookupSparse[] = {{"combiner", 0, K::kInt8}};
constexpr TfliteOption kFakeQuant[] = {
    {"min", 0, K::kFloat}, {"max", 1, K::kFloat}, {"num_bits", 2, K::kInt32}, {"narrow_range", 3, K::kBool}};
constexpr TfliteOption kFullyConnected[] = {{"fused_activation_function", 0, K::kInt8},
                                            {"weights_format", 1, K::kInt8},
                                            {"keep_num_dims", 2, K::kBool},
                                            {"asymmetric_quantize_inputs", 3, K::kBool},
                                            {"quantized_bias_type", 4, K::kInt8}};
constexpr TfliteOption kGather[] = {{"axis", 0, K::kInt32}, {"batch_dims", 1, K::kInt32}};
constexpr TfliteOption kGelu[] = {{"approximate", 0, K::kBool}};
constexpr TfliteOption kHashtable[] = {
    {"table_id", 0, K::kInt32}, {"key_dtype", 1, K::kInt8}, {"value_dtype", 2, K::kInt8}};
constexpr TfliteOption kIf[] = {{"then_subgraph_index", 0, K::kInt32}, {"else_subgraph_index", 1, K::kInt32}};
constexpr TfliteOption kL2Norm[] = {{"fused_activation_function", 0, K::kInt8}};
constexpr TfliteOption kLSHProjection[] = {{"type", 0, K::kInt8}};
constexpr TfliteOption kLSTM[] = {{"fused_activation_function", 0, K::kInt8},
                                  {"cell_clip", 1, K::kFloat},
                                  {"proj_clip", 2, K::kFloat},
                                  {"kernel_type", 3, K::kInt8},
                                  {"asymmetric_quantize_inputs", 4, K::kBool}};
constexpr TfliteOption kLeakyRelu[] = {{"alpha", 0, K::kFloat}};
constexpr TfliteOption kLocalResponseNormalization[] = {
    {"radius", 0, K::kInt32}, {"bias", 1, K::kFloat}, {"alpha", 2, K::kFloat}, {"beta", 3, K::kFloat}};
constexpr TfliteOption kMirrorPad[] = {{"mode", 0, K::kInt8}};
constexpr TfliteOption kMul[] = {{"fused_activation_function", 0, K::kInt8}};
constexpr TfliteOption kOneHot[] = {{"axis", 0, K::kInt32}};
constexpr TfliteOption kPack[] = {{"values_count", 0, K::kInt32}, {"axis", 1, K::kInt32}};
constexpr TfliteOption kPool2D[] = {{"padding", 0, K::kInt8},        {"stride_w", 1, K::kInt32},
                                    {"stride_h", 2, K::kInt32},      {"filter_width", 3, K::kInt32},
                                    {"filter_height", 4, K::kInt32}, {"fused_activation_function", 5, K::kInt8}};
constexpr TfliteOption kRNN[] = {{"fused_activation_function", 0, K::kInt8},
                                 {"asymmetric_quantize_inputs", 1, K::kBool}};
constexpr TfliteOption kRandom[] = {{"seed", 0, K::kInt64}, {"seed2", 1, K::kInt64}};
constexpr TfliteOption kReducer[] = {{"keep_dims", 0, K::kBool}};
constexpr TfliteOption kReshape[] = {{"new_shape", 0, K::kInts}};
constexpr TfliteOption kResizeBilinear[] = {{"align_corners", 2, K::kBool}, {"half_pixel_centers", 3, K::kBool}};
constexpr TfliteOption kResizeNearestNeighbor[] = {{"align_corners", 0, K::kBool}, {"half_pixel_centers", 1, K::kBool}};
constexpr TfliteOption kReverseSequence[] = {{"seq_dim", 0, K::kInt32}, {"batch_dim", 1, K::kInt32}};
constexpr TfliteOption kSVDF[] = {
    {"rank", 0, K::kInt32}, {"fused_activation_function", 1, K::kInt8}, {"asymmetric_quantize_inputs", 2, K::kBool}};
constexpr TfliteOption kSequenceRNN[] = {{"time_major", 0, K::kBool},
                                         {"fused_activation_function", 1, K::kInt8},
                                         {"asymmetric_quantize_inputs", 2, K::kBool}};
constexpr TfliteOption kShape[] = {{"out_type", 0, K::kInt8}};
constexpr TfliteOption kSkipGram[] = {
    {"ngram_size", 0, K::kInt32}, {"max_skip_size", 1, K::kInt32}, {"include_all_ngrams", 2, K::kBool}};
constexpr TfliteOption kSoftmax[] = {{"beta", 0, K::kFloat}};
constexpr TfliteOption kSpaceToDepth[] = {{"block_size", 0, K::kInt32}};
constexpr TfliteOption kSparseToDense[] = {{"validate_indices", 0, K::kBool}};
constexpr TfliteOption kSplit[] = {{"num_splits", 0, K::kInt32}};
constexpr TfliteOption kSplitV[] = {{"num_splits", 0, K::kInt32}};
constexpr TfliteOption kSqueeze[] = {{"squeeze_dims", 0, K::kInts}};
constexpr TfliteOption kStridedSlice[] = {{"begin_mask", 0, K::kInt32},       {"end_mask", 1, K::kInt32},
                                          {"ellipsis_mask", 2, K::kInt32},    {"new_axis_mask", 3, K::kInt32},
                                          {"shrink_axis_mask", 4, K::kInt32}, {"offset", 5, K::kBool}};
constexpr TfliteOption kSub[] = {{"fused_activation_function", 0, K::kInt8}, {"pot_scale_int16", 1, K::kBool, 1}};
constexpr TfliteOption kTransposeConv[] = {{"padding", 0, K::kInt8},
                                           {"stride_w", 1, K::kInt32},
                                           {"stride_h", 2, K::kInt32},
                                           {"fused_activation_function", 3, K::kInt8},
                                           {"quantized_bias_type", 4, K::kInt8}};
constexpr TfliteOption kUnidirectionalSequenceLSTM[] = {{"fused_activation_function", 0, K::kInt8},
                                                        {"cell_clip", 1, K::kFloat},
                                                        {"proj_clip", 2, K::kFloat},
                                                        {"time_major", 3, K::kBool},
                                                        {"asymmetric_quantize_inputs", 4, K::kBool},
                                                        {"diagonal_recurrent_tensors", 5, K::kBool}};
constexpr TfliteOption kUnique[] = {{"idx_out_type", 0, K::kInt8, 2}};
constexpr TfliteOption kUnpack[] = {{"num", 0, K::kInt32}, {"axis", 1, K::kInt32}};
constexpr TfliteOption kVarHandle[] = {{"container", 0, K::kText}, {"shared_name", 1, K::kText}};
constexpr TfliteOption kWhile[] = {{"cond_subgraph_index", 0, K::kInt32}, {"body_subgraph_index", 1, K::kInt32}};
constexpr TfliteBuiltin kBuiltins[] = {{"ADD", 11, kAdd},
                                       {"AVERAGE_POOL_2D", 5, kPool2D},
                                       {"CONCATENATION", 10, kConcatenation},
                                       {"CONV_2D", 1, kConv2D},
                                       {"DEPTHWISE_CONV_2D", 2, kDepthwiseConv2D},
                                       {"DEPTH_TO_SPACE", 94, kDepthToSpace},
                                       {"DEQUANTIZE", 38, {}},
                                       {"EMBEDDING_LOOKUP", 0, {}},
                                       {"FLOOR", 0, {}},
                                       {"FULLY_CONNECTED", 8, kFullyConnected},
                                       {"HASHTABLE_LOOKUP", 0, {}},
                                       {"L2_NORMALIZATION", 12, kL2Norm},
                                       {"L2_POOL_2D", 5, kPool2D},
                                       {"LOCAL_RESPONSE_NORMALIZATION", 13, kLocalResponseNormalization},
                                       {"LOGISTIC", 0, {}},
                                       {"LSH_PROJECTION", 4, kLSHProjection},
                                       {"LSTM", 14, kLSTM},
                                       {"MAX_POOL_2D", 5, kPool2D},
                                       {"MUL", 21, kMul},
                                       {"RELU", 0, {}},
                                       {"RELU_N1_TO_1", 0, {}},
                                       {"RELU6", 0, {}},
                                       {"RESHAPE", 17, kReshape},
                                       {"RESIZE_BILINEAR", 15, kResizeBilinear},
                                       {"RNN", 7, kRNN},
                                       {"SOFTMAX", 9, kSoftmax},
                                       {"SPACE_TO_DEPTH", 19, kSpaceToDepth},
                                       {"SVDF", 6, kSVDF},
                                       {"TANH", 0, {}},
                                       {"CONCAT_EMBEDDINGS", 3, kConcatEmbeddings},
                                       {"SKIP_GRAM", 18, kSkipGram},
                                       {"CALL", 16, kCall},
                                       {"EMBEDDING_LOOKUP_SPARSE", 20, kEmbeddingLookupSparse},
                                       {"PAD", 22, {}},
                                       {"UNIDIRECTIONAL_SEQUENCE_RNN", 31, kSequenceRNN},
                                       {"GATHER", 23, kGather},
                                       {"BATCH_TO_SPACE_ND", 24, {}},
                                       {"SPACE_TO_BATCH_ND", 25, {}},
                                       {"TRANSPOSE", 26, {}},
                                       {"MEAN", 27, kReducer},
                                       {"SUB", 28, kSub},
                                       {"DIV", 29, kDiv},
                                       {"SQUEEZE", 30, kSqueeze},
                                       {"UNIDIRECTIONAL_SEQUENCE_LSTM", 71, kUnidirectionalSequenceLSTM},
                                       {"STRIDED_SLICE", 32, kStridedSlice},
                                       {"BIDIRECTIONAL_SEQUENCE_RNN", 70, kBidirectionalSequenceRNN},
                                       {"EXP", 33, {}},
                                       {"TOPK_V2", 34, {}},
                                       {"SPLIT", 35, kSplit},
                                       {"LOG_SOFTMAX", 36, {}},
                                       {"BIDIRECTIONAL_SEQUENCE_LSTM", 69, kBidirectionalSequenceLSTM},
                                       {"CAST", 37, kCast},
                                       {"PRELU", 0, {}},
                                       {"MAXIMUM", 39, {}},
                                       {"ARG_MAX", 40, kArgMax},
                                       {"MINIMUM", 39, {}},
                                       {"LESS", 41, {}},
                                       {"NEG", 42, {}},
                                       {"PADV2", 43, {}},
                                       {"GREATER", 44, {}},
                                       {"GREATER_EQUAL", 45, {}},
                                       {"LESS_EQUAL", 46, {}},
                                       {"SELECT", 47, {}},
                                       {"SLICE", 48, {}},
                                       {"SIN", 0, {}},
                                       {"TRANSPOSE_CONV", 49, kTransposeConv},
                                       {"SPARSE_TO_DENSE", 50, kSparseToDense},
                                       {"TILE", 51, {}},
                                       {"EXPAND_DIMS", 52, {}},
                                       {"EQUAL", 53, {}},
                                       {"NOT_EQUAL", 54, {}},
                                       {"LOG", 0, {}},
                                       {"SUM", 27, kReducer},
                                       {"SQRT", 0, {}},
                                       {"RSQRT", 0, {}},
                                       {"SHAPE", 55, kShape},
                                       {"POW", 56, {}},
                                       {"ARG_MIN", 57, kArgMin},
                                       {"FAKE_QUANT", 58, kFakeQuant},
                                       {"REDUCE_PROD", 27, kReducer},
                                       {"REDUCE_MAX", 27, kReducer},
                                       {"PACK", 59, kPack},
                                       {"LOGICAL_OR", 60, {}},
                                       {"ONE_HOT", 61, kOneHot},
                                       {"LOGICAL_AND", 62, {}},
                                       {"LOGICAL_NOT", 63, {}},
                                       {"UNPACK", 64, kUnpack},
                                       {"REDUCE_MIN", 27, kReducer},
                                       {"FLOOR_DIV", 65, {}},
                                       {"REDUCE_ANY", 27, kReducer},
                                       {"SQUARE", 66, {}},
                                       {"ZEROS_LIKE", 67, {}},
                                       {"FILL", 68, {}},
                                       {"FLOOR_MOD", 72, {}},
                                       {"RANGE", 73, {}},
                                       {"RESIZE_NEAREST_NEIGHBOR", 74, kResizeNearestNeighbor},
                                       {"LEAKY_RELU", 75, kLeakyRelu},
                                       {"SQUARED_DIFFERENCE", 76, {}},
                                       {"MIRROR_PAD", 77, kMirrorPad},
                                       {"ABS", 78, {}},
                                       {"SPLIT_V", 79, kSplitV},
                                       {"UNIQUE", 80, kUnique},
                                       {"CEIL", 0, {}},
                                       {"REVERSE_V2", 81, {}},
                                       {"ADD_N", 82, {}},
                                       {"GATHER_ND", 83, {}},
                                       {"COS", 84, {}},
                                       {"WHERE", 85, {}},
                                       {"RANK", 86, {}},
                                       {"ELU", 0, {}},
                                       {"REVERSE_SEQUENCE", 87, kReverseSequence},
                                       {"MATRIX_DIAG", 88, {}},
                                       {"QUANTIZE", 89, {}},
                                       {"MATRIX_SET_DIAG", 90, {}},
                                       {"ROUND", 0, {}},
                                       {"HARD_SWISH", 91, {}},
                                       {"IF", 92, kIf},
                                       {"WHILE", 93, kWhile},
                                       {"NON_MAX_SUPPRESSION_V4", 95, {}},
                                       {"NON_MAX_SUPPRESSION_V5", 96, {}},
                                       {"SCATTER_ND", 97, {}},
                                       {"SELECT_V2", 98, {}},
                                       {"DENSIFY", 99, {}},
                                       {"SEGMENT_SUM", 100, {}},
                                       {"BATCH_MATMUL", 101, kBatchMatMul},
                                       {"CUMSUM", 102, kCumsum},
                                       {"CALL_ONCE", 103, kCallOnce},
                                       {"BROADCAST_TO", 104, {}},
                                       {"RFFT2D", 105, {}},
                                       {"CONV_3D", 106, kConv3D},
                                       {"IMAG", 0, {}},
                                       {"REAL", 0, {}},
                                       {"COMPLEX_ABS", 0, {}},
                                       {"HASHTABLE", 107, kHashtable},
                                       {"HASHTABLE_FIND", 108, {}},
                                       {"HASHTABLE_IMPORT", 109, {}},
                                       {"HASHTABLE_SIZE", 110, {}},
                                       {"REDUCE_ALL", 27, kReducer},
                                       {"CONV_3D_TRANSPOSE", 106, kConv3D},
                                       {"VAR_HANDLE", 111, kVarHandle},
                                       {"READ_VARIABLE", 112, {}},
                                       {"ASSIGN_VARIABLE", 113, {}},
                                       {"BROADCAST_ARGS", 0, {}},
                                       {"RANDOM_STANDARD_NORMAL", 114, kRandom},
                                       {"BUCKETIZE", 115, kBucketize},
                                       {"RANDOM_UNIFORM", 114, kRandom},
                                       {"MULTINOMIAL", 114, kRandom},
                                       {"GELU", 116, kGelu},
                                       {"DYNAMIC_UPDATE_SLICE", 117, {}},
                                       {"RELU_0_TO_1", 0, {}},
                                       {"UNSORTED_SEGMENT_PROD", 118, {}},
                                       {"UNSORTED_SEGMENT_MAX", 119, {}},
                                       {"UNSORTED_SEGMENT_SUM", 121, {}},
                                       {"ATAN2", 122, {}},
                                       {"UNSORTED_SEGMENT_MIN", 120, {}},
                                       {"SIGN", 123, {}},
                                       {"BITCAST", 124, {}},
                                       {"BITWISE_XOR", 125, {}},
                                       {"RIGHT_SHIFT", 126, {}}};
Error broken(const TfliteBuiltin& builtin, const std::string& why) {
  return Error(Code::kInvalid, fmt::format("{}: {}", builtin.name, why));
}

template <typename T>
Result<std::vector<T>> list_of(const FlatTable& table, int field) {
  OREE_TRY_ASSIGN(FlatVector list, table.vector(field, sizeof(T)));
  std::vector<T> out(list.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = list.at<T>(i);
  return out;
}

template <typename T>
Status number(const FlatTable& table, const TfliteOption& option, Attributes& out) {
  auto otherwise = static_cast<T>(option.otherwise);
  OREE_TRY_ASSIGN(T value, table.scalar<T>(option.field, otherwise));
  if (value != otherwise) out.emplace(option.name, static_cast<int64_t>(value));
  return {};
}

Status read_option(const FlatTable& table, const TfliteOption& option, Attributes& out) {
  switch (option.kind) {
    case K::kBool: {
      OREE_TRY_ASSIGN(uint8_t value, table.scalar<uint8_t>(option.field, option.otherwise != 0));
      if ((value != 0) != (option.otherwise != 0)) out.emplace(option.name, int64_t{value != 0});
      return {};
    }
    case K::kInt8: return number<int8_t>(table, option, out);
    case K::kInt32: return number<int32_t>(table, option, out);
    case K::kUint32: return number<uint32_t>(table, option, out);
    case K::kInt64: return number<int64_t>(table, option, out);
    case K::kFloat: {
      OREE_TRY_ASSIGN(float value, table.scalar<float>(option.field, static_cast<float>(option.otherwise)));
      if (value != static_cast<float>(option.otherwise)) out.emplace(option.name, value);
      return {};
    }
    case K::kInts: {
      if (!table.has(option.field)) return {};
      OREE_TRY_ASSIGN(std::vector<int32_t> values, list_of<int32_t>(table, option.field));
      out.emplace(option.name, std::vector<int64_t>(values.begin(), values.end()));
      return {};
    }
    case K::kFloats: {
      OREE_TRY_ASSIGN(std::vector<float> values, list_of<float>(table, option.field));
      out.emplace(option.name, std::move(values));
      return {};
    }
    case K::kText: {
      OREE_TRY_ASSIGN(std::string_view text, table.string(option.field));
      if (!text.empty()) out.emplace(option.name, std::string(text));
      return {};
    }
  }
  return {};
}

const TfliteOption& option_of(const Node& node, std::string_view name) {
  const TfliteBuiltin* builtin = find_tflite_builtin(node.op);
  OREE_ASSERT(builtin != nullptr);
  auto it = std::ranges::find(builtin->options, name, &TfliteOption::name);
  OREE_ASSERT(it != builtin->options.end());
  return *it;
}

}  // namespace

const TfliteBuiltin* find_tflite_builtin(std::string_view name) {
  auto it = std::ranges::find(kBuiltins, name, &TfliteBuiltin::name);
  return it == std::end(kBuiltins) ? nullptr : it;
}

Result<Attributes> read_tflite_options(const TfliteBuiltin& builtin, const TfliteOp& op) {
  Attributes out;
  if (op.options_type_2 != 0) return broken(builtin, "options of another operator");
  if (op.options_type == 0) return out;
  if (op.options_type != builtin.options_type) {
    // Tables without a field say nothing, whosever they are: some exporters give them to operators that need none.
    if (builtin.options.empty()) return out;
    return broken(builtin,
                  fmt::format("options of type {}, but {} is expected", op.options_type, builtin.options_type));
  }
  for (const TfliteOption& option : builtin.options) OREE_TRY(read_option(op.options, option, out));
  return out;
}

int64_t tflite_option(const Node& node, std::string_view name) {
  return node.integer(name, static_cast<int64_t>(option_of(node, name).otherwise));
}

float tflite_real_option(const Node& node, std::string_view name) {
  return node.real(name, static_cast<float>(option_of(node, name).otherwise));
}

}  // namespace oree
