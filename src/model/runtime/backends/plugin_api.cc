// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/plugin_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace oree {
namespace {

constexpr std::array<std::pair<int32_t, Dtype>, 13> kTypes = {{{OREE_ENGINE_FLOAT32, Dtype::kFloat32},
                                                               {OREE_ENGINE_FLOAT16, Dtype::kFloat16},
                                                               {OREE_ENGINE_FLOAT64, Dtype::kFloat64},
                                                               {OREE_ENGINE_INT8, Dtype::kInt8},
                                                               {OREE_ENGINE_UINT8, Dtype::kUint8},
                                                               {OREE_ENGINE_INT16, Dtype::kInt16},
                                                               {OREE_ENGINE_UINT16, Dtype::kUint16},
                                                               {OREE_ENGINE_INT32, Dtype::kInt32},
                                                               {OREE_ENGINE_UINT32, Dtype::kUint32},
                                                               {OREE_ENGINE_INT64, Dtype::kInt64},
                                                               {OREE_ENGINE_UINT64, Dtype::kUint64},
                                                               {OREE_ENGINE_BOOL, Dtype::kBool},
                                                               {OREE_ENGINE_BFLOAT16, Dtype::kBfloat16}}};

std::optional<Dtype> dtype_of(int32_t code) {
  for (const auto& [number, dtype] : kTypes) {
    if (number == code) return dtype;
  }
  return std::nullopt;
}

// Ends within the limit, and is one line that can be shown.
bool sound_text(const char* text) {
  if (text == nullptr) return false;
  const size_t size = strnlen(text, OREE_ENGINE_TEXT_MAX + 1);
  return size <= OREE_ENGINE_TEXT_MAX &&
         std::none_of(text, text + size, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

Status check_words(const char* const* list, const char* what) {
  if (list == nullptr || list[0] == nullptr) return Error(Code::kUnsupported, fmt::format("it names no {}", what));
  for (size_t i = 0; list[i] != nullptr; ++i) {
    if (i == OREE_ENGINE_WORDS_MAX)
      return Error(Code::kUnsupported, fmt::format("it names over {} {}", OREE_ENGINE_WORDS_MAX, what));
    if (!sound_text(list[i]) || list[i][0] == '\0')
      return Error(Code::kUnsupported, fmt::format("a word of its {} is empty, too long or broken", what));
  }
  return {};
}

std::optional<ModelFormat> format_named(std::string_view name) {
  for (ModelFormat format : {ModelFormat::kOnnx, ModelFormat::kTflite, ModelFormat::kOpenvino, ModelFormat::kNcnn,
                             ModelFormat::kTorchscript, ModelFormat::kExecutorch, ModelFormat::kOther}) {
    if (name == format_name(format)) return format;
  }
  return std::nullopt;
}

Status check_table(const OreeEngine& engine, const std::string& name) {
  if (engine.abi != OREE_ENGINE_ABI || engine.size < sizeof(OreeEngine)) {
    return Error(Code::kUnsupported, fmt::format("it has version {} of the interface ({} bytes), wanted is {} ({})",
                                                 engine.abi, engine.size, OREE_ENGINE_ABI, sizeof(OreeEngine)));
  }
  if (!sound_text(engine.name) || name != engine.name)
    return Error(Code::kUnsupported, fmt::format("it is not the plug-in '{}'", name));
  if (!sound_text(engine.version)) return Error(Code::kUnsupported, "it has no version");
  OREE_TRY(check_words(engine.formats, "formats"));
  OREE_TRY(check_words(engine.providers, "providers"));
  OREE_TRY(check_words(engine.precisions, "precisions"));
  for (size_t i = 0; engine.formats[i] != nullptr; ++i) {
    const std::optional<ModelFormat> format = format_named(engine.formats[i]);
    if (!format) return Error(Code::kUnsupported, fmt::format("'{}' is no format", engine.formats[i]));
    if (*format == ModelFormat::kOther && engine.probe == nullptr)
      return Error(Code::kUnsupported, "it reads a format of its own and has no function probe");
  }
  const bool whole = engine.open != nullptr && engine.close != nullptr && engine.inputs != nullptr &&
                     engine.outputs != nullptr && engine.run != nullptr && engine.fact != nullptr;
  if (!whole) return Error(Code::kUnsupported, "a function is missing in its table");
  return {};
}

Result<PluginPort> port_of(const OreeTensorInfo& from) {
  PluginPort port;
  if (!sound_text(from.name)) return Error(Code::kInvalid, "its name is too long or broken");
  port.info.name = from.name;
  port.dtype_known = from.dtype != OREE_ENGINE_UNKNOWN;
  if (port.dtype_known) {
    const std::optional<Dtype> dtype = dtype_of(from.dtype);
    if (!dtype) return Error(Code::kInvalid, fmt::format("{} is no element type", from.dtype));
    port.info.dtype = *dtype;
  }
  port.rank_known = from.rank != -1;
  if (from.rank < -1 || from.rank > OREE_ENGINE_RANK_MAX)
    return Error(Code::kInvalid, fmt::format("its rank is {}", from.rank));
  Shape sized;
  for (int32_t d = 0; d < from.rank; ++d) {
    if (from.dims[d] < -1) return Error(Code::kInvalid, fmt::format("a dimension is {}", from.dims[d]));
    port.info.shape.push_back(from.dims[d]);
    sized.push_back(std::max<int64_t>(from.dims[d], 1));
  }
  if (Result<int64_t> elements = shape_elements(sized); !elements.ok()) return elements.error();
  return port;
}

}  // namespace

bool PluginPort::known() const {
  return dtype_known && rank_known && std::ranges::all_of(info.shape, [](int64_t d) { return d >= 0; });
}

Result<const OreeEngine*> load_plugin(const DynamicLibrary& library, const std::string& name) {
  decltype(&oree_engine) entry = nullptr;
  OREE_TRY(library.bind(entry, "oree_engine"));
  const OreeEngine* engine = entry(OREE_ENGINE_ABI);
  Status sound = engine == nullptr
                     ? Error(Code::kUnsupported, fmt::format("it has no version {} of the interface", OREE_ENGINE_ABI))
                     : check_table(*engine, name);
  if (!sound.ok()) return sound.error().within(library.path());
  return engine;
}

std::vector<std::string> plugin_words(const char* const* list) {
  std::vector<std::string> out;
  for (size_t i = 0; list[i] != nullptr; ++i) out.emplace_back(list[i]);
  return out;
}

std::vector<ModelFormat> plugin_formats(const OreeEngine& engine) {
  std::vector<ModelFormat> out;
  for (const std::string& word : plugin_words(engine.formats)) {
    if (const std::optional<ModelFormat> format = format_named(word)) out.push_back(*format);
  }
  return out;
}

Result<std::vector<PluginPort>> plugin_ports(const OreeTensorInfo* infos, uint32_t count) {
  if (count > OREE_ENGINE_TENSORS_MAX || (count > 0 && infos == nullptr))
    return Error(Code::kInvalid, fmt::format("{} of them cannot be taken", count));
  std::vector<PluginPort> ports;
  for (uint32_t i = 0; i < count; ++i) {
    Result<PluginPort> port = port_of(infos[i]);
    if (!port.ok()) return port.error().within(fmt::format("number {}", i));
    ports.push_back(std::move(*port));
  }
  return ports;
}

Result<PluginTensor> plugin_tensor(const OreeTensor& tensor) {
  const std::optional<Dtype> dtype = dtype_of(tensor.dtype);
  if (!dtype) return Error(Code::kInvalid, fmt::format("{} is no element type", tensor.dtype));
  if (tensor.rank < 0 || tensor.rank > OREE_ENGINE_RANK_MAX)
    return Error(Code::kInvalid, fmt::format("its rank is {}", tensor.rank));
  PluginTensor out{*dtype, Shape(tensor.dims, tensor.dims + tensor.rank)};
  OREE_TRY_ASSIGN(const int64_t elements, shape_elements(out.shape));
  const size_t bytes = dtype_bytes(*dtype, elements);
  if (tensor.bytes != bytes) {
    return Error(Code::kInvalid, fmt::format("{} of {} has {} bytes, but {} were given", shape_text(out.shape),
                                             dtype_name(*dtype), bytes, tensor.bytes));
  }
  if (tensor.data == nullptr && bytes > 0) return Error(Code::kInvalid, "it has no data");
  return out;
}

Result<OreeTensor> plugin_input(const Tensor& tensor) {
  OreeTensor out{};
  for (const auto& [number, dtype] : kTypes) {
    if (dtype == tensor.dtype()) out.dtype = number;
  }
  if (out.dtype == OREE_ENGINE_UNKNOWN || tensor.shape().size() > OREE_ENGINE_RANK_MAX) {
    return Error(Code::kInvalid, fmt::format("{} of {} cannot be given to a plug-in", shape_text(tensor.shape()),
                                             dtype_name(tensor.dtype())));
  }
  // The interface has one struct for both ways; inputs are not written to.
  out.data = const_cast<uint8_t*>(tensor.data());
  out.bytes = tensor.byte_size();
  out.rank = static_cast<int32_t>(tensor.shape().size());
  std::ranges::copy(tensor.shape(), out.dims);
  return out;
}

Error plugin_error(const std::string& engine, int status, const char* text) {
  std::string why(text, strnlen(text, OREE_ENGINE_ERROR_BYTES - 1));
  std::ranges::replace_if(
      why, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }, ' ');
  if (why.empty()) why = fmt::format("it failed with status {} and no word", status);
  Code code = Code::kInternal;
  if (status == OREE_ENGINE_INVALID) code = Code::kInvalid;
  if (status == OREE_ENGINE_UNSUPPORTED) code = Code::kUnsupported;
  if (status == OREE_ENGINE_UNAVAILABLE) code = Code::kUnavailable;
  if (status == OREE_ENGINE_EXHAUSTED) code = Code::kExhausted;
  return Error(code, fmt::format("{}: {}", engine, why));
}

}  // namespace oree
