// SPDX-License-Identifier: Apache-2.0
// A TFLite file as it lies: names, weights and options are views into the caller's bytes, which must outlive it.
// Field numbers and meanings are those of TensorFlow Lite's schema.fbs, version 3.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/tensor.h"
#include "core/codec/flatbuffer.h"

namespace oree {

struct TfliteTensor {
  std::string_view name;
  int type = 0;           // tflite_type()
  Shape shape;            // at export time
  Shape signature;        // -1: free; equal to shape when the file has none
  bool has_rank = false;  // false with an empty shape: perhaps a scalar, perhaps of unknown rank
  uint32_t buffer = 0;
  bool variable = false;
  bool external = false;  // its bytes lie in another file
  FlatVector scale;       // floats: none, one, or one a slice along `axis`
  FlatVector zero_point;  // int64: none, one, or as many as scales
  int axis = 0;
  bool block_scales = false;          // quantized in blocks or by an extension: not in the fields above
  std::optional<FlatTable> sparsity;  // SparsityParameters: the buffer holds only some elements

  size_t scales() const { return scale.size(); }
};

struct TfliteOp {
  int code = 0;  // BuiltinOperator; 32 is CUSTOM
  int version = 1;
  std::string_view custom;      // name of a custom op
  std::vector<int32_t> inputs;  // -1 is an absent optional input
  std::vector<int32_t> outputs;
  std::vector<int32_t> intermediates;  // tensors that only say how a fused op is quantized inside
  int options_type = 0;                // of the union BuiltinOptions; 0: none
  int options_type_2 = 0;              // of BuiltinOptions2
  FlatTable options;                   // no fields when absent
  FlatTable options_2;
  ByteView custom_options;
};

struct TfliteSubgraph {
  std::string_view name;
  std::vector<TfliteTensor> tensors;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::vector<TfliteOp> ops;
};

struct TfliteSignature {
  std::string_view key;
  uint32_t subgraph = 0;
  std::vector<std::pair<std::string_view, uint32_t>> inputs;  // name -> tensor
  std::vector<std::pair<std::string_view, uint32_t>> outputs;
};

struct TfliteFile {
  int64_t version = 0;
  std::string_view description;
  std::vector<TfliteSubgraph> subgraphs;  // the first is the model
  std::vector<ByteView> buffers;          // those too that lie behind the flatbuffer, in files over 2 GiB
  std::map<std::string, ByteView> metadata;
  std::vector<TfliteSignature> signatures;
  int64_t op_version_max = 0;
};

// kInvalid, saying what is broken. Every index, offset and size has been checked: tensors and buffers exist, constants
// have the bytes that their shape asks for, tables of options lie within the file.
Result<TfliteFile> read_tflite(ByteView file);

std::string tflite_op_name(const TfliteOp& op);  // "CONV_2D", a custom op's own name, "BUILTIN_<n>" when unknown
const char* tflite_builtin_name(int code);       // nullptr: unknown
int tflite_builtin_code(std::string_view name);  // -1: unknown

inline constexpr int kTfliteCustom = 32;

}  // namespace oree
