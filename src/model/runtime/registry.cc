// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/registry.h"

#include <array>
#include <mutex>

#include "model/runtime/backends/backends.h"
#include "model/runtime/files/model_file.h"

namespace oree {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Backend> (*make)();
  std::once_flag once;
  // Never destroyed: sessions and the engines' own threads may outlive main().
  Backend* backend = nullptr;
};

std::array<Entry, 4>& entries() {
  static std::array<Entry, 4>& all = *new std::array<Entry, 4>{{{"onnxruntime", &make_onnxruntime_backend, {}},
                                                                {"openvino", &make_openvino_backend, {}},
                                                                {"tflite", &make_tflite_backend, {}},
                                                                {"ncnn", &make_ncnn_backend, {}}}};
  return all;
}

}  // namespace

Result<ModelFormat> detect_format(const std::string& model_path) {
  OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(model_path));
  return format_of(file.bytes(), model_path);
}

const std::vector<std::string>& backend_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Entry& entry : entries()) out.push_back(entry.name);
    return out;
  }();
  return names;
}

Backend& backend(const std::string& name) {
  for (Entry& entry : entries()) {
    if (name != entry.name) continue;
    std::call_once(entry.once, [&] { entry.backend = entry.make().release(); });
    return *entry.backend;
  }
  OREE_ASSERT(false && "a name from backend_names()");
  std::abort();
}

Result<std::string> default_backend(ModelFormat format) {
  if (format == ModelFormat::kUnknown) {
    return Error(Code::kInvalid, "not a model: neither ONNX, TFLite, OpenVINO IR nor ncnn");
  }
  std::vector<std::string> order;
  if (format == ModelFormat::kOnnx) order = {"onnxruntime", "openvino"};
  if (format == ModelFormat::kTflite) order = {"tflite", "openvino"};
  if (format == ModelFormat::kOpenvino) order = {"openvino"};
  if (format == ModelFormat::kNcnn) order = {"ncnn"};
  for (const std::string& name : order) {
    if (backend(name).info().available) return name;
  }
  return Error(Code::kUnavailable, std::string("no engine on this machine reads ") + format_name(format) +
                                       " files; `oree runtimes` says how to get one");
}

}  // namespace oree
