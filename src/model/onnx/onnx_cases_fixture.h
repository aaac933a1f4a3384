// SPDX-License-Identifier: Apache-2.0
// ONNX's own conformance cases, where they are installed (Debian's libonnx-testdata; OREE_ONNX_TESTDATA names another
// folder): a model each, with inputs and the outputs that it must give.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/codec/protobuf_writer.h"
#include "model/onnx/onnx_file.h"
#include "model/onnx/onnx_graph.h"
#include "model/onnx/onnx_values.h"

namespace oree::onnx_cases {

// The folders that hold a model.onnx, sorted; none where the cases are not installed.
inline std::vector<std::filesystem::path> folders() {
  const char* named = std::getenv("OREE_ONNX_TESTDATA");
  std::filesystem::path root = named != nullptr ? named : "/usr/share/libonnx-testdata/data";
  std::vector<std::filesystem::path> out;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename() == "model.onnx") out.push_back(it->path().parent_path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

inline Bytes load(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

// A file with one TensorProto; what is no tensor (a sequence) or of a type that we have not is an error.
inline Result<Constant> tensor(const std::filesystem::path& path) {
  Bytes bytes = load(path);
  ProtoWriter w;  // a model of that tensor alone
  w.number(1, 8);
  w.begin(8);
  w.number(2, 17);
  w.end();
  w.begin(7);
  w.bytes(5, bytes);
  w.end();
  auto file = std::make_shared<Bytes>();
  w.append_to(*file);
  OREE_TRY_ASSIGN(OnnxFile model, read_onnx(*file));
  if (model.graph.initializers.size() != 1) return Error(Code::kInvalid, "no tensor");
  return onnx_constant(model.graph.initializers[0], file, {});
}

// input_0.pb, input_1.pb … of the first data set, or output_*.pb.
inline Result<std::vector<Constant>> tensors(const std::filesystem::path& folder, const std::string& kind) {
  std::vector<Constant> out;
  for (size_t i = 0;; ++i) {
    std::filesystem::path path = folder / "test_data_set_0" / (kind + "_" + std::to_string(i) + ".pb");
    if (!std::filesystem::exists(path)) return out;
    OREE_TRY_ASSIGN(Constant c, tensor(path));
    out.push_back(std::move(c));
  }
}

inline Result<Model> model(const std::filesystem::path& folder) {
  auto file = std::make_shared<Bytes>(load(folder / "model.onnx"));
  return read_onnx_model(*file, file);
}

}  // namespace oree::onnx_cases
