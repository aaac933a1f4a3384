// SPDX-License-Identifier: Apache-2.0
// An ONNX file as it lies: names and weights are views into the caller's bytes, which must outlive it.
// Field numbers and meanings are those of onnx.proto (ONNX IR specification).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/tensor.h"

namespace oree {

struct OnnxTensor {
  std::string_view name;
  int64_t element = 0;  // onnx_element()
  Shape dims;
  ByteView raw;                   // raw_data; empty when the values lie in a typed field or outside
  std::vector<int64_t> integers;  // int32_data / int64_data of small tensors (64 elements or fewer)
  std::string_view external;      // file that holds the values, relative to the model; empty: inside
  int64_t external_bytes = 0;
};

struct OnnxGraph;

struct OnnxAttribute {
  std::string_view name;
  int64_t i = 0;
  float f = 0;
  std::string_view s;
  std::vector<int64_t> ints;
  std::vector<float> floats;  // at most 64
  std::vector<OnnxTensor> tensors;
  std::vector<OnnxGraph> graphs;
};

struct OnnxNode {
  std::string_view op;
  std::string_view domain;  // "" and "ai.onnx" are ONNX's own
  std::string_view name;
  std::vector<std::string_view> inputs;  // "" is an absent optional input
  std::vector<std::string_view> outputs;
  std::vector<OnnxAttribute> attributes;

  const OnnxAttribute* find(std::string_view attribute) const;
  int64_t integer(std::string_view attribute, int64_t otherwise) const;
};

struct OnnxValue {
  std::string_view name;
  int64_t element = 0;
  bool tensor = true;  // else a sequence, map, optional or sparse tensor
  bool has_shape = false;
  Shape shape;                            // -1: symbolic or unknown
  std::vector<std::string_view> symbols;  // per dimension, "" where it is a number
};

struct OnnxGraph {
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxValue> inputs;  // initializers that are listed here too included
  std::vector<OnnxValue> outputs;
  std::vector<OnnxValue> values;  // value_info
};

struct OnnxFile {
  int64_t ir_version = 0;
  std::string_view producer;
  std::string_view producer_version;
  std::map<std::string, int64_t> opsets;  // domain ("" is ONNX's own) -> version
  OnnxGraph graph;
  size_t functions = 0;  // model-local functions
};

// kInvalid, saying what is broken. Sizes are bounded by kModelPartsMax; every tensor's values fit its shape; external
// files lie beside or below the model.
Result<OnnxFile> read_onnx(ByteView file);

// A guess from the first fields, for telling formats apart; a broken file may still look like one.
bool looks_like_onnx(ByteView file);

}  // namespace oree
