// SPDX-License-Identifier: Apache-2.0
// For the tests of the reference in Python:
//   reference_run IN.onnx INPUTS.npz OUTPUTS.npz     runs a model by the interpreter
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "core/codec/npy.h"
#include "model/onnx/onnx_graph.h"
#include "model/reference/interpreter.h"

namespace {

oree::Bytes load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return oree::Bytes(std::istreambuf_iterator<char>(in), {});
}

oree::Status run(const std::string& model_path, const std::string& inputs_path, const std::string& outputs_path) {
  auto file = std::make_shared<const oree::Bytes>(load(model_path));
  OREE_TRY_ASSIGN(oree::Model model, oree::read_onnx_model(*file, file));
  OREE_TRY_ASSIGN(oree::NamedTensors inputs, oree::read_npz(load(inputs_path)));
  OREE_TRY_ASSIGN(oree::Interpreter interpreter, oree::Interpreter::create(model.graph));
  OREE_TRY_ASSIGN(oree::NamedTensors outputs, interpreter.run(inputs));
  OREE_TRY_ASSIGN(oree::Bytes bytes, oree::write_npz(outputs));
  std::ofstream out(outputs_path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!out.good()) return oree::Error(oree::Code::kExhausted, "cannot write " + outputs_path);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: reference_run IN.onnx INPUTS.npz OUTPUTS.npz\n");
    return oree::exit_code(oree::Code::kUsage);
  }
  oree::Status status = run(argv[1], argv[2], argv[3]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", oree::code_name(status.error().code()), status.error().message().c_str());
  return oree::exit_code(status.error().code());
}
