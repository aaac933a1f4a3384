// SPDX-License-Identifier: Apache-2.0
#include "model/load/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>

#include "core/base/limits.h"
#include "core/io/files.h"
#include "model/onnx/onnx_element.h"
#include "model/onnx/onnx_file.h"
#include "model/onnx/onnx_graph.h"
#include "model/ops/validate.h"
#include "model/runtime/files/model_file.h"
#include "model/tflite/tflite_graph.h"
#include "model/tflite/tflite_nodes.h"

namespace oree {
namespace {

struct Free {
  void operator()(void* bytes) const { std::free(bytes); }
};

// Everything that a model's constants look into, for as long as one of them lives.
struct Mapped {
  std::vector<std::unique_ptr<MappedFile>> files;
  std::vector<std::unique_ptr<void, Free>> zeros;
};

void note_size(const OnnxTensor& t, std::map<std::string_view, int64_t>& sizes) {
  if (t.external.empty()) return;
  int64_t bytes = t.external_bytes;
  Result<int64_t> elements = shape_elements(t.dims);
  if (bytes == 0 && elements.ok()) bytes = (*elements * onnx_element(t.element).bits + 7) / 8;
  int64_t& size = sizes[t.external];
  if (t.external_offset < 0 || bytes < 0 || t.external_offset > kModelBytesMax || bytes > kModelBytesMax) {
    size = kModelBytesMax + 1;
  } else {
    size = std::max(size, t.external_offset + bytes);
  }
}

// How large the files with external data must be.
void note_sizes(const OnnxGraph& graph, std::map<std::string_view, int64_t>& sizes) {
  for (const OnnxTensor& t : graph.initializers) note_size(t, sizes);
  for (const OnnxNode& node : graph.nodes) {
    for (const OnnxAttribute& a : node.attributes) {
      for (const OnnxTensor& t : a.tensors) note_size(t, sizes);
      for (const OnnxGraph& inner : a.graphs) note_sizes(inner, sizes);
    }
  }
}

// Zeros cost address space only: no page is touched until someone reads it.
Result<ByteView> zeros(ByteView model, const std::string& name, Mapped& mapped) {
  OREE_TRY_ASSIGN(OnnxFile file, read_onnx(model));
  std::map<std::string_view, int64_t> sizes;
  note_sizes(file.graph, sizes);
  const int64_t size = sizes[name];
  if (size <= 0 || size > kModelBytesMax) {
    return Error(Code::kInvalid, fmt::format("external data '{}' of {} bytes", name, size));
  }
  auto bytes = static_cast<size_t>(size);
  std::unique_ptr<void, Free> held(std::calloc(bytes, 1));
  if (held == nullptr) return Error(Code::kExhausted, fmt::format("no room for {} bytes", size));
  const auto* data = static_cast<const uint8_t*>(held.get());
  mapped.zeros.push_back(std::move(held));
  return ByteView(data, bytes);
}

// With `missing`: for a look.
Result<Model> load(const std::string& path, std::vector<std::string>* missing) {
  OREE_TRY_ASSIGN(MappedFile opened, MappedFile::open(path));
  auto mapped = std::make_shared<Mapped>();
  mapped->files.push_back(std::make_unique<MappedFile>(std::move(opened)));
  const ByteView bytes = mapped->files[0]->bytes();
  const ModelFormat format = format_of(bytes, path);
  if (format != ModelFormat::kOnnx && format != ModelFormat::kTflite) {
    return Error(Code::kUnsupported, fmt::format("{}: neither ONNX nor TFLite", path));
  }
  std::map<std::string, ByteView> beside;
  OnnxReadOptions options;
  options.external = [&](const std::string& name) -> Result<ByteView> {
    if (auto found = beside.find(name); found != beside.end()) return found->second;
    Result<MappedFile> file = MappedFile::open(path_join(path_parent(path), name));
    if (!file.ok() && (missing == nullptr || file.error().code() != Code::kNotFound)) return file.error();
    if (file.ok()) {
      mapped->files.push_back(std::make_unique<MappedFile>(std::move(*file)));
      return beside[name] = mapped->files.back()->bytes();
    }
    missing->push_back(name);
    OREE_TRY_ASSIGN(beside[name], zeros(bytes, name, *mapped));
    return beside[name];
  };
  Result<Model> model = format == ModelFormat::kOnnx ? read_onnx_model(bytes, mapped, options)
                        : missing == nullptr         ? read_tflite_model(bytes, mapped)
                                                     : read_tflite_nodes(bytes, mapped, TfliteSizes::kExported);
  if (!model.ok()) return model.error().within(path);
  // The other readers have looked already.
  if (format == ModelFormat::kTflite && missing != nullptr) {
    if (Status valid = validate(model->graph); !valid.ok()) return valid.error().within(path);
  }
  return model;
}

}  // namespace

Result<Model> load_model(const std::string& path) { return load(path, nullptr); }

Result<LookedAt> load_for_a_look(const std::string& path) {
  LookedAt out;
  OREE_TRY_ASSIGN(out.model, load(path, &out.missing));
  return out;
}

}  // namespace oree
