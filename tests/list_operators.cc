// SPDX-License-Identifier: Apache-2.0
// What the tables of operators say, for operators_doc_test.py: a line an operator, with the words that hold of it.
//   onnx GridSample graph reference
//   tflite CONV_2D options raised
#include <fmt/format.h>

#include "model/ncnn/ncnn_graph.h"
#include "model/onnx/onnx_versions.h"
#include "model/ops/op_def.h"
#include "model/reference/kernel.h"
#include "model/tflite/lower.h"
#include "model/tflite/raise.h"

int main() {
  for (std::string_view op : oree::onnx_operators()) {
    fmt::print("onnx {}{}{}{}{}{}\n", op, oree::find_op("", op) ? " graph" : "",
               oree::find_kernel("", op) ? " reference" : "", oree::has_quantized_kernel(op) ? " quantized" : "",
               oree::lowers_to_tflite(op) ? " lowered" : "", oree::lowers_to_ncnn(op) ? " ncnn" : "");
  }
  for (int code = 0;; ++code) {
    const char* name = oree::tflite_builtin_name(code);
    if (!name) return 0;
    fmt::print("tflite {}{}{}\n", name, oree::find_tflite_builtin(name) ? " options" : "",
               oree::raises_from_tflite(name) ? " raised" : "");
  }
}
