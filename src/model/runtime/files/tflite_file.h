// SPDX-License-Identifier: Apache-2.0
// A TFLite file as it lies: names and weights are views into the caller's bytes, which must outlive it.
// Field numbers and meanings are those of TensorFlow Lite's schema.fbs, version 3.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/tensor.h"
#include "core/codec/flatbuffer.h"

namespace oree {

struct TfliteTensor {
  std::string_view name;
  int type = 0;     // tflite_element()
  Shape shape;      // at export time
  Shape signature;  // -1: free; equal to shape when the file has none
  uint32_t buffer = 0;
  bool variable = false;
  size_t scales = 0;  // quantization: 0 none, 1 per tensor, more per channel
};

struct TfliteOp {
  int code = 0;                 // BuiltinOperator; 32 is CUSTOM
  std::string_view custom;      // name of a custom op
  std::vector<int32_t> inputs;  // -1 is an absent optional input
  std::vector<int32_t> outputs;
  FlatTable options;  // no fields when absent
};

struct TfliteSubgraph {
  std::string_view name;
  std::vector<TfliteTensor> tensors;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::vector<TfliteOp> ops;
};

struct TfliteFile {
  int64_t version = 0;
  std::string_view description;
  std::vector<TfliteSubgraph> subgraphs;     // the first is the model
  std::vector<int64_t> buffer_bytes;         // per buffer
  std::map<std::string, ByteView> metadata;  // name -> bytes
  int64_t op_version_max = 0;
};

// kInvalid, saying what is broken. Every index, offset and size has been checked: tensors and buffers exist, constants
// have the bytes that their shape asks for, tables of options lie within the file.
Result<TfliteFile> read_tflite(ByteView file);

std::string tflite_op_name(const TfliteOp& op);  // "CONV_2D", a custom op's own name, "BUILTIN_<n>" when unknown

}  // namespace oree
