// SPDX-License-Identifier: Apache-2.0
// For the tests of models in Python, until `oree convert` does it:
//   model_tool rewrite IN.onnx OUT.onnx [OPSET]     reads a model into a graph and writes it again
// Without OPSET: that of the file, within 7 to 28.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "model/onnx/onnx_file.h"
#include "model/onnx/onnx_graph.h"

namespace {

using oree::Bytes;
using oree::Result;

int fail(const oree::Error& error) {
  std::fprintf(stderr, "%s: %s\n", oree::code_name(error.code()), error.message().c_str());
  return oree::exit_code(error.code());
}

std::shared_ptr<const Bytes> load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::make_shared<const Bytes>(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

int rewrite(const std::string& from, const std::string& to, int opset) {
  std::shared_ptr<const Bytes> file = load(from);
  oree::OnnxReadOptions read_options;
  std::map<std::string, std::shared_ptr<const Bytes>> beside;
  std::string folder = from.substr(0, from.find_last_of('/') + 1);
  read_options.external = [&](const std::string& name) -> Result<oree::ByteView> {
    auto& bytes = beside[name];
    if (!bytes) bytes = load(folder + name);
    return oree::ByteView(*bytes);
  };
  Result<oree::Model> model = oree::read_onnx_model(*file, file, read_options);
  if (!model.ok()) return fail(model.error());
  if (opset == 0) {
    Result<oree::OnnxFile> raw = oree::read_onnx(*file);
    opset = static_cast<int>(std::clamp<int64_t>(raw.ok() ? raw->opsets[""] : 0, 7, 28));
  }
  oree::OnnxWriteOptions options;
  options.opset = opset;
  Result<oree::OnnxFiles> files = oree::write_onnx_model(*model, options);
  if (!files.ok()) return fail(files.error());
  std::ofstream out(to, std::ios::binary);
  out.write(reinterpret_cast<const char*>(files->model.data()), static_cast<std::streamsize>(files->model.size()));
  return out.good() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 4 && std::string(argv[1]) == "rewrite")
    return rewrite(argv[2], argv[3], argc > 4 ? std::atoi(argv[4]) : 0);
  std::fprintf(stderr, "model_tool rewrite IN.onnx OUT.onnx [OPSET]\n");
  return 2;
}
