// SPDX-License-Identifier: Apache-2.0
// An ONNX file as it lies: names and weights are views into the caller's bytes, which must outlive it.
// Field numbers and meanings are those of onnx.proto (ONNX IR specification).
#pragma once

#include <map>
#include <memory>
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
  ByteView raw;  // raw_data; empty when the values lie in a typed field or outside
  bool has_raw = false;
  ByteView message;               // the whole tensor, from which onnx_values.h takes typed fields
  std::vector<int64_t> integers;  // int32_data / int64_data of small tensors (64 elements or fewer)
  std::string_view external;      // file that holds the values, relative to the model; empty: inside
  int64_t external_offset = 0;
  int64_t external_bytes = 0;  // 0: not said
};

struct OnnxGraph;

struct OnnxAttribute {
  std::string_view name;
  std::string_view reference;  // within a function: the function's attribute of this name is meant
  int64_t type = 0;            // AttributeProto.AttributeType; 0 in old files: what is there
  int64_t i = 0;
  float f = 0;
  std::string_view s;
  std::vector<int64_t> ints;
  std::vector<float> floats;
  std::vector<std::string_view> strings;
  std::vector<OnnxTensor> tensors;
  std::vector<OnnxGraph> graphs;
  ByteView message;
};

struct OnnxNode {
  std::string_view op;
  std::string_view domain;  // "" and "ai.onnx" are ONNX's own
  std::string_view name;
  std::string_view overload;             // of a model-local function
  std::vector<std::string_view> inputs;  // "" is an absent optional input
  std::vector<std::string_view> outputs;
  std::vector<OnnxAttribute> attributes;
  std::vector<ByteView> unknown;  // other fields, key and all

  const OnnxAttribute* find(std::string_view attribute) const;
  int64_t integer(std::string_view attribute, int64_t otherwise) const;
};

struct OnnxValue {
  std::string_view name;
  int64_t element = 0;
  bool typed = false;  // something is said of its type
  bool tensor = true;  // else a sequence, map, optional or sparse tensor
  bool has_shape = false;
  Shape shape;                            // -1: symbolic or unknown
  std::vector<std::string_view> symbols;  // per dimension, "" where it is a number
};

struct OnnxGraph {
  std::string_view name;
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxValue> inputs;  // initializers that are listed here too included
  std::vector<OnnxValue> outputs;
  std::vector<OnnxValue> values;   // value_info
  size_t sparse_initializers = 0;  // their values are not read
  std::vector<ByteView> unknown;   // other fields, key and all
};

struct OnnxFunction {
  std::string_view name, domain, overload;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::vector<OnnxAttribute> defaults;  // attributes that a call need not give
  std::vector<OnnxNode> nodes;
  std::map<std::string, int64_t> opsets;
};

struct OnnxFile {
  int64_t ir_version = 0;
  std::string_view producer;
  std::string_view producer_version;
  std::string_view domain;
  std::string_view doc;
  int64_t model_version = 0;
  std::map<std::string, int64_t> opsets;  // domain ("" is ONNX's own) -> version
  std::map<std::string, std::string> metadata;
  OnnxGraph graph;
  std::vector<OnnxFunction> functions;  // model-local ones
  std::vector<ByteView> unknown;        // other fields, key and all
};

// kInvalid, saying what is broken. Sizes are bounded by kModelPartsMax; every tensor's values fit its shape; external
// files lie beside or below the model.
Result<OnnxFile> read_onnx(ByteView file);

// A guess from the first fields, for telling formats apart; a broken file may still look like one.
bool looks_like_onnx(ByteView file);

}  // namespace oree
