// SPDX-License-Identifier: Apache-2.0
// What graph_text_test.py compares with the onnx package: a graph read from text on stdin, inferred and printed again,
// or, with --ops, the table of operators.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>

#include "model/graph/print.h"
#include "model/ops/inference.h"
#include "model/ops/op_def.h"
#include "model/ops/validate.h"

namespace {

constexpr const char* kKinds[] = {"INT", "FLOAT", "STRING", "INTS", "FLOATS", "STRINGS", "TENSOR"};

void print_ops() {
  for (const oree::OpDef* op : oree::all_ops()) {
    fmt::print("{} {} {} {} {}", op->op, op->inputs_min, op->inputs_max, op->outputs_min, op->outputs_max);
    for (const oree::AttributeDef& a : op->attributes)
      fmt::print(" {}:{}:{}", a.name, kKinds[static_cast<size_t>(a.kind)], a.required ? 1 : 0);
    fmt::print("\n");
  }
}

oree::Status print_graph() {
  std::string text(std::istreambuf_iterator<char>(std::cin), {});
  OREE_TRY_ASSIGN(oree::Model model, oree::parse_graph_text(text));
  OREE_TRY(oree::validate(model.graph));
  OREE_TRY(oree::infer_types(model.graph));
  fmt::print("{}", oree::print(model));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--ops") {
    print_ops();
    return 0;
  }
  oree::Status done = print_graph();
  if (!done.ok()) fmt::print(stderr, "{}\n", done.error().message());
  return done.ok() ? 0 : 1;
}
