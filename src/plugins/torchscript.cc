// SPDX-License-Identifier: Apache-2.0
// TorchScript files in libtorch, on the CPU, in float32. From libtorch 1.13 on.
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <torch/script.h>
#include <torch/version.h>

#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "plugins/engine_side.h"

struct OreeEngineSession : Sides {
  torch::jit::Module module;
  int threads = 1;
  std::string optimised;  // how far it could be
  std::vector<torch::Tensor> held;
};

namespace {

using Session = OreeEngineSession;

// The first line that says something: libtorch's messages go on with the places in its own sources.
std::string first_lines(const std::string& what) {
  std::string out;
  size_t at = 0;
  while (at < what.size() && out.size() < 600) {
    size_t end = what.find('\n', at);
    if (end == std::string::npos) end = what.size();
    std::string line = what.substr(at, end - at);
    at = end + 1;
    if (line.rfind("frame #", 0) == 0 || line.rfind("Exception raised from", 0) == 0) break;
    const size_t begin = line.find_first_not_of(' ');
    if (begin != std::string::npos) out += (out.empty() ? "" : " ") + line.substr(begin);
  }
  return out;
}

int32_t code_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return OREE_ENGINE_FLOAT32;
    case at::kHalf: return OREE_ENGINE_FLOAT16;
    case at::kDouble: return OREE_ENGINE_FLOAT64;
    case at::kChar: return OREE_ENGINE_INT8;
    case at::kByte: return OREE_ENGINE_UINT8;
    case at::kShort: return OREE_ENGINE_INT16;
    case at::kInt: return OREE_ENGINE_INT32;
    case at::kLong: return OREE_ENGINE_INT64;
    case at::kBool: return OREE_ENGINE_BOOL;
    case at::kBFloat16: return OREE_ENGINE_BFLOAT16;
    default:
      refuse(OREE_ENGINE_UNSUPPORTED, std::string("tensors of ") + at::toString(type) + " cannot leave TorchScript");
  }
}

at::ScalarType type_of(int32_t code) {
  for (at::ScalarType type : {at::kFloat, at::kHalf, at::kDouble, at::kChar, at::kByte, at::kShort, at::kInt, at::kLong,
                              at::kBool, at::kBFloat16}) {
    if (code_of(type) == code) return type;
  }
  refuse(OREE_ENGINE_UNSUPPORTED, "TorchScript has no element type of that kind");
}

std::vector<OreeTensorInfo> unknown_infos(const std::vector<std::string>& names) {
  std::vector<OreeTensorInfo> infos;
  for (const std::string& name : names) {
    OreeTensorInfo info{};
    info.name = name.c_str();
    info.dtype = OREE_ENGINE_UNKNOWN;
    info.rank = -1;
    infos.push_back(info);
  }
  return infos;
}

// Tensors alone can be given; an argument with a default keeps it.
void read_inputs(Session& session, const c10::FunctionSchema& schema) {
  for (size_t i = 1; i < schema.arguments().size(); ++i) {  // 0 is self
    const c10::Argument& argument = schema.arguments()[i];
    if (argument.type()->isSubtypeOf(*c10::TensorType::get())) {
      if (session.input_names.size() != i - 1)
        refuse(OREE_ENGINE_UNSUPPORTED, "forward takes a tensor behind an argument that is none");
      session.input_names.push_back(argument.name());
    } else if (!argument.default_value()) {
      refuse(OREE_ENGINE_UNSUPPORTED, "argument '" + argument.name() + "' of forward is a " + argument.type()->str() +
                                          ", and only tensors can be given");
    }
  }
  if (session.input_names.size() > OREE_ENGINE_TENSORS_MAX)
    refuse(OREE_ENGINE_UNSUPPORTED, "forward has too many inputs");
  session.inputs = unknown_infos(session.input_names);
}

// A tensor is one, a tuple says how many; lists and dicts only say it when they are made.
void read_outputs(Session& session, const c10::FunctionSchema& schema) {
  if (schema.returns().size() != 1) return;
  const c10::TypePtr& type = schema.returns()[0].type();
  size_t count = 0;
  if (type->isSubtypeOf(*c10::TensorType::get())) count = 1;
  if (const auto tuple = type->cast<c10::TupleType>()) {
    for (const c10::TypePtr& element : tuple->elements()) {
      if (!element->isSubtypeOf(*c10::TensorType::get())) return;
    }
    count = tuple->elements().size();
  }
  session.output_names.resize(count);
  session.outputs = unknown_infos(session.output_names);
}

// Freezing needs a module in evaluation, which trace and script leave when the model was; where it cannot be frozen it
// runs as it is.
void optimise(Session& session) {
  session.module.eval();
  try {
    torch::jit::Module frozen = torch::jit::freeze(session.module);
    session.module = frozen;
    session.optimised = "frozen";
    session.module = torch::jit::optimize_for_inference(frozen);
    session.optimised = "frozen, for inference";
  } catch (const std::exception&) {
    if (session.optimised.empty()) session.optimised = "as written";
  }
}

void add(Session& session, std::string name, const c10::IValue& value) {
  if (!value.isTensor())
    refuse(OREE_ENGINE_UNSUPPORTED, "it made a " + value.tagKind() + " where a tensor was expected");
  if (session.held.size() >= OREE_ENGINE_TENSORS_MAX) refuse(OREE_ENGINE_UNSUPPORTED, "it made too many tensors");
  torch::Tensor tensor = value.toTensor();
  if (!tensor.defined()) refuse(OREE_ENGINE_UNSUPPORTED, "it made a tensor without data");
  if (tensor.is_quantized()) tensor = tensor.dequantize();
  tensor = tensor.to_dense().to(at::kCPU).contiguous();
  if (tensor.dim() > OREE_ENGINE_RANK_MAX) refuse(OREE_ENGINE_UNSUPPORTED, "it made a tensor of too many dimensions");
  session.output_names.push_back(std::move(name));
  session.held.push_back(std::move(tensor));
}

void collect(Session& session, const c10::IValue& value) {
  session.held.clear();
  session.output_names.clear();
  if (value.isTuple()) {
    for (const c10::IValue& element : value.toTupleRef().elements()) add(session, "", element);
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toList()) add(session, "", element);
  } else if (value.isGenericDict()) {
    for (const auto& item : value.toGenericDict())
      add(session, item.key().isString() ? item.key().toStringRef() : "", item.value());
  } else {
    add(session, "", value);
  }
}

void publish(Session& session) {
  session.outputs = unknown_infos(session.output_names);
  session.made.clear();
  for (const torch::Tensor& tensor : session.held) {
    session.made.push_back(view_of(tensor, tensor.numel() == 0 ? nullptr : tensor.data_ptr(),
                                   static_cast<uint64_t>(tensor.numel()) * tensor.element_size(),
                                   code_of(tensor.scalar_type())));
  }
}

// --- the table

int open(const OreeOpenOptions* options, OreeEngineSession** session, char* error) {
  return guarded(error, first_lines, [&] {
    auto made = std::make_unique<Session>();
    made->threads = options->threads;
    at::set_num_threads(made->threads);
    made->module = torch::jit::load(options->path, at::kCPU);
    const auto method = made->module.find_method("forward");
    if (!method) refuse(OREE_ENGINE_UNSUPPORTED, "it has no method forward");
    const c10::FunctionSchema& schema = method->function().getSchema();
    read_inputs(*made, schema);
    read_outputs(*made, schema);
    optimise(*made);
    *session = made.release();
  });
}

void close(OreeEngineSession* session) { delete session; }

int run(OreeEngineSession* session, const OreeTensor* given, uint32_t given_count, const OreeTensor** made,
        uint32_t* made_count, char* error) {
  return guarded(error, first_lines, [&] {
    const c10::InferenceMode inference;
    // Kept by each calling thread for itself.
    if (at::get_num_threads() != session->threads) at::set_num_threads(session->threads);
    std::vector<c10::IValue> arguments;
    for (uint32_t i = 0; i < given_count; ++i) {
      const OreeTensor& t = given[i];
      const at::IntArrayRef sizes(t.dims, static_cast<size_t>(t.rank));
      const auto type = at::TensorOptions().dtype(type_of(t.dtype));
      arguments.emplace_back(t.data == nullptr ? torch::empty(sizes, type) : torch::from_blob(t.data, sizes, type));
    }
    collect(*session, session->module.forward(std::move(arguments)));
    publish(*session);
    give(session->made, made, made_count);
  });
}

int fact(OreeEngineSession* session, uint32_t index, const char** key, const char** value) {
  if (index != 0) return 0;
  *key = "program";
  *value = session->optimised.c_str();
  return 1;
}

const char* const kFormats[] = {"torchscript", nullptr};
const OreeEngine kEngine = float_engine("torchscript", TORCH_VERSION, kFormats, open, close, run, fact);

}  // namespace

const OreeEngine* oree_engine(uint32_t abi) { return abi == OREE_ENGINE_ABI ? &kEngine : nullptr; }
