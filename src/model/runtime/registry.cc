// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/registry.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <mutex>

#include "model/runtime/backends/backends.h"
#include "model/runtime/backends/plugin_search.h"
#include "model/runtime/files/model_file.h"

namespace oree {
namespace {

struct Entry {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
  bool foreign = false;  // its formats may be those of nobody else
  std::once_flag once;
  // Never destroyed: sessions and the engines' own threads may outlive main().
  Backend* backend = nullptr;
};

using Entries = std::deque<Entry>;

Entries* make_entries() {
  auto* all = new Entries;
  auto add = [&](const std::string& name, std::function<std::unique_ptr<Backend>()> make) {
    for (const Entry& known : *all) {
      if (known.name == name) return;
    }
    Entry& entry = all->emplace_back();
    entry.name = name;
    entry.make = std::move(make);
  };
  add("onnxruntime", &make_onnxruntime_backend);
  add("openvino", &make_openvino_backend);
  add("tflite", &make_tflite_backend);
  add("ncnn", &make_ncnn_backend);
  add("torchscript", &make_torchscript_backend);
  add("executorch", &make_executorch_backend);
  const size_t ours = all->size();
  for (const std::string& name : plugin_names()) add(name, [name] { return make_plugin_backend(name); });
  for (size_t i = ours; i < all->size(); ++i) (*all)[i].foreign = true;
  return all;
}

Entries& entries() {
  static Entries& all = *make_entries();
  return all;
}

// The first plug-in with a format of its own that knows the file. No other engine is loaded for it.
const Entry* who_knows(const std::string& model_path) {
  for (Entry& entry : entries()) {
    if (entry.foreign && backend(entry.name).knows(model_path)) return &entry;
  }
  return nullptr;
}

// Those that suit the format, the best first.
std::vector<std::string> suited(ModelFormat format, const std::string& model_path) {
  switch (format) {
    case ModelFormat::kOnnx: return {"onnxruntime", "openvino"};
    case ModelFormat::kTflite: return {"tflite", "openvino"};
    case ModelFormat::kOpenvino: return {"openvino"};
    case ModelFormat::kNcnn: return {"ncnn"};
    case ModelFormat::kTorchscript: return {"torchscript"};
    case ModelFormat::kExecutorch: return {"executorch"};
    case ModelFormat::kOther:
      if (const Entry* entry = who_knows(model_path)) return {entry->name};
      break;
    case ModelFormat::kUnknown: break;
  }
  return {};
}

Result<std::string> first_of(ModelFormat format, const std::string& model_path,
                             const std::function<bool(const std::string&)>& available) {
  if (format == ModelFormat::kUnknown) return Error(Code::kInvalid, std::string("not a model: ") + no_format_text());
  for (const std::string& name : suited(format, model_path)) {
    if (available(name)) return name;
  }
  return Error(Code::kUnavailable, std::string("no engine here reads ") + format_name(format) +
                                       " files; `oree runtimes` says how to get one");
}

}  // namespace

Result<ModelFormat> detect_format(const std::string& model_path) {
  ModelFormat format = ModelFormat::kUnknown;
  {
    OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(model_path));
    format = format_of(file.bytes(), model_path);
  }
  if (format == ModelFormat::kUnknown && who_knows(model_path) != nullptr) return ModelFormat::kOther;
  return format;
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

Result<std::string> default_backend(ModelFormat format, const std::string& model_path) {
  return first_of(format, model_path, [](const std::string& name) { return backend(name).info().available; });
}

Result<std::string> default_backend(ModelFormat format, const std::string& model_path,
                                    const std::vector<RuntimeInfo>& there) {
  return first_of(format, model_path, [&](const std::string& name) {
    return std::ranges::any_of(there, [&](const RuntimeInfo& info) { return info.name == name && info.available; });
  });
}

}  // namespace oree
