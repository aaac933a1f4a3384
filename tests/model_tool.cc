// SPDX-License-Identifier: Apache-2.0
// For the tests of models in Python, until `oree convert` does it:
//   model_tool rewrite IN.onnx OUT.onnx [OPSET [BYTES]]     reads a model into a graph and writes it again
// OPSET 0, or none: that of the file, within 7 to 28. Constants of at least BYTES go to OUT.onnx.data.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
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
  in.seekg(0, std::ios::end);
  Bytes bytes(in.good() ? static_cast<size_t>(in.tellg()) : 0);
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return std::make_shared<const Bytes>(std::move(bytes));
}

int rewrite(const std::string& from, const std::string& to, int opset, int64_t threshold) {
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
  options.external_threshold = threshold;
  options.external_name = to.substr(to.find_last_of('/') + 1) + ".data";
  std::ofstream out(to, std::ios::binary), data;
  if (threshold > 0) data.open(to + ".data", std::ios::binary);
  auto into = [](std::ofstream& stream) {
    return [&stream](oree::ByteView part) -> oree::Status {
      stream.write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size()));
      if (!stream.good()) return oree::Error(oree::Code::kExhausted, "cannot write");
      return {};
    };
  };
  oree::Status status = oree::write_onnx_model(*model, options, {into(out), into(data)});
  return status.ok() ? 0 : fail(status.error());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 4 && std::string(argv[1]) == "rewrite") {
    return rewrite(argv[2], argv[3], argc > 4 ? std::atoi(argv[4]) : 0, argc > 5 ? std::atoll(argv[5]) : 0);
  }
  std::fprintf(stderr, "model_tool rewrite IN.onnx OUT.onnx [OPSET [BYTES]]\n");
  return 2;
}
