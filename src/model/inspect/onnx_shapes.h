// SPDX-License-Identifier: Apache-2.0
// Shapes of all tensors of an ONNX graph, as far as they follow from its inputs, and the small integer tensors from
// which exporters compute shapes. Operator rules are those of the ONNX operator specification. Internal to inspect.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/onnx/onnx_file.h"

namespace oree {

class OnnxShapes {
 public:
  // `free` maps a symbolic dimension ("batch") to its assumed size; others stay -1.
  OnnxShapes(const OnnxFile& file, std::map<std::string, int64_t> free);

  // Nothing: not even the rank is known.
  std::optional<Shape> shape(std::string_view tensor) const;

 private:
  using Ints = std::vector<int64_t>;  // values of a small integer tensor; kUnknown where one is not known

  void declare(const OnnxValue& value, bool keep_known);
  void load(const OnnxTensor& tensor, std::string_view name);
  void visit(const OnnxNode& node);
  std::optional<Shape> infer(const OnnxNode& node);
  std::optional<Shape> infer_layout(const OnnxNode& node);   // reshape, transpose, slice, concat …
  std::optional<Shape> infer_window(const OnnxNode& node);   // convolutions and pools
  std::optional<Shape> infer_product(const OnnxNode& node);  // Gemm, MatMul
  std::optional<Shape> resized(const OnnxNode& node);
  std::optional<Shape> sliced(const OnnxNode& node);
  bool several_outputs(const OnnxNode& node);  // Split, TopK, recurrent ops
  void fold(const OnnxNode& node);             // the integers

  std::optional<Shape> in(const OnnxNode& node, size_t index) const;
  const Ints* ints(const OnnxNode& node, size_t index) const;  // nullptr when not known
  const std::vector<float>* floats(const OnnxNode& node, size_t index) const;
  std::optional<Ints> axes(const OnnxNode& node, size_t input) const;  // attribute of old opsets, input of new ones
  void set(std::string_view name, Shape shape);

  std::map<std::string, int64_t> free_;
  std::unordered_map<std::string_view, Shape> shapes_;
  std::unordered_map<std::string_view, Ints> ints_;
  std::unordered_map<std::string_view, std::vector<float>> floats_;
};

}  // namespace oree
