// SPDX-License-Identifier: Apache-2.0
// What a plug-in answers, checked: nothing of it is used before. Internal to model/runtime/backends.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/runtime/backend.h"
#include "model/runtime/backends/dynamic_library.h"
#include "model/runtime/plugin/oree_engine.h"
#include "model/runtime/registry.h"

namespace oree {

// The table of a plug-in of that name: of this version, whole, all its words sound. kUnsupported says what is not.
Result<const OreeEngine*> load_plugin(const DynamicLibrary& library, const std::string& name);
// The lists of a table that load_plugin() took.
std::vector<std::string> plugin_words(const char* const* list);
std::vector<ModelFormat> plugin_formats(const OreeEngine& engine);

// An input or output as it was declared. What is not known stands in `info` as float32, and as a scalar.
struct PluginPort {
  TensorInfo info;
  bool dtype_known = true;
  bool rank_known = true;
  bool known() const;  // type, rank and every dimension
};

Result<std::vector<PluginPort>> plugin_ports(const OreeTensorInfo* infos, uint32_t count);

struct PluginTensor {
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
};
// kInvalid unless type, rank, dimensions, bytes and data fit each other.
Result<PluginTensor> plugin_tensor(const OreeTensor& tensor);

Result<OreeTensor> plugin_input(const Tensor& tensor);  // a view of it

// The error of a call that did not return OREE_ENGINE_OK; `text` is what it wrote.
Error plugin_error(const std::string& engine, int status, const char* text);

}  // namespace oree
