// SPDX-License-Identifier: Apache-2.0
// ExecuTorch programs (.pte), on the CPU: its own kernels, and XNNPACK for what the exporter gave to it.
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/engine_side.h"

// The package has the thread pool's library, but no header of it. These three are exported by it; nothing of the
// class's layout is used.
namespace executorch::extension::threadpool {
class ThreadPool final {
 public:
  bool _unsafe_reset_threadpool(uint32_t threads);
  size_t get_thread_count() const;
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace et = executorch::runtime;
using executorch::aten::ScalarType;
using executorch::extension::Module;
using executorch::extension::TensorPtr;

struct OreeEngineSession : Sides {
  std::unique_ptr<Module> module;
  std::string delegates;
  std::vector<et::EValue> held;
};

namespace {

using Session = OreeEngineSession;

std::string as_said(const char* what) { return what; }

void check(et::Error error, const char* what) {
  if (error == et::Error::Ok) return;
  int status = OREE_ENGINE_INVALID;
  const bool unknown = error == et::Error::OperatorMissing || error == et::Error::NotFound ||
                       error == et::Error::NotSupported || error == et::Error::NotImplemented;
  if (unknown) status = OREE_ENGINE_UNSUPPORTED;
  if (error == et::Error::MemoryAllocationFailed) status = OREE_ENGINE_EXHAUSTED;
  refuse(status, std::string(what) + ": " + et::to_string(error));
}

template <typename T>
T& take(et::Result<T>& result, const char* what) {
  check(result.error(), what);
  return *result;
}

constexpr std::pair<ScalarType, int32_t> kTypes[] = {
    {ScalarType::Float, OREE_ENGINE_FLOAT32},  {ScalarType::Half, OREE_ENGINE_FLOAT16},
    {ScalarType::Double, OREE_ENGINE_FLOAT64}, {ScalarType::Char, OREE_ENGINE_INT8},
    {ScalarType::Byte, OREE_ENGINE_UINT8},     {ScalarType::Short, OREE_ENGINE_INT16},
    {ScalarType::Int, OREE_ENGINE_INT32},      {ScalarType::Long, OREE_ENGINE_INT64},
    {ScalarType::Bool, OREE_ENGINE_BOOL},      {ScalarType::BFloat16, OREE_ENGINE_BFLOAT16},
    {ScalarType::UInt16, OREE_ENGINE_UINT16}};

int32_t code_of(ScalarType type) {
  for (const auto& [known, code] : kTypes) {
    if (known == type) return code;
  }
  refuse(OREE_ENGINE_UNSUPPORTED, "a tensor's element type has no name outside of ExecuTorch");
}

ScalarType type_of(int32_t code) {
  for (const auto& [type, known] : kTypes) {
    if (known == code) return type;
  }
  refuse(OREE_ENGINE_UNSUPPORTED, "ExecuTorch has no element type of that kind");
}

// The pool is the process's: it can only change while nobody has it.
std::mutex pool_mutex;
int sessions = 0;

void join_pool(int threads) {
  const std::lock_guard<std::mutex> lock(pool_mutex);
  auto* pool = executorch::extension::threadpool::get_threadpool();
  if (pool == nullptr) refuse(OREE_ENGINE_INTERNAL, "ExecuTorch has no thread pool");
  const size_t wanted = static_cast<size_t>(threads);
  if (pool->get_thread_count() != wanted && sessions == 0)
    pool->_unsafe_reset_threadpool(static_cast<uint32_t>(threads));
  if (pool->get_thread_count() != wanted) {
    refuse(OREE_ENGINE_UNSUPPORTED, "this process runs ExecuTorch with " + std::to_string(pool->get_thread_count()) +
                                        " threads, and not with " + std::to_string(threads));
  }
  ++sessions;
}

void leave_pool() {
  const std::lock_guard<std::mutex> lock(pool_mutex);
  --sessions;
}

OreeTensorInfo info_of(const et::TensorInfo& meta) {
  OreeTensorInfo info{};
  info.dtype = code_of(meta.scalar_type());
  if (meta.sizes().size() > OREE_ENGINE_RANK_MAX) refuse(OREE_ENGINE_UNSUPPORTED, "a tensor has too many dimensions");
  info.rank = static_cast<int32_t>(meta.sizes().size());
  for (size_t d = 0; d < meta.sizes().size(); ++d) {
    info.dims[d] = meta.sizes()[d];
    if (d < meta.dim_order().size() && meta.dim_order()[d] != d)
      refuse(OREE_ENGINE_UNSUPPORTED, "a tensor does not lie row-major (channels last)");
  }
  return info;
}

void read_ports(Session& session, et::MethodMeta& meta) {
  if (meta.num_inputs() > OREE_ENGINE_TENSORS_MAX || meta.num_outputs() > OREE_ENGINE_TENSORS_MAX)
    refuse(OREE_ENGINE_UNSUPPORTED, "it has too many inputs or outputs");
  for (size_t i = 0; i < meta.num_inputs(); ++i) {
    auto tag = meta.input_tag(i);
    if (take(tag, "an input") != et::Tag::Tensor) refuse(OREE_ENGINE_UNSUPPORTED, "an input is no tensor");
    auto info = meta.input_tensor_meta(i);
    session.inputs.push_back(info_of(take(info, "an input")));
    session.input_names.emplace_back(info->name());
  }
  for (size_t i = 0; i < meta.num_outputs(); ++i) {
    auto tag = meta.output_tag(i);
    if (take(tag, "an output") != et::Tag::Tensor) refuse(OREE_ENGINE_UNSUPPORTED, "an output is no tensor");
    auto info = meta.output_tensor_meta(i);
    session.outputs.push_back(info_of(take(info, "an output")));
    session.output_names.emplace_back(info->name());
  }
  for (size_t i = 0; i < session.inputs.size(); ++i) session.inputs[i].name = session.input_names[i].c_str();
  for (size_t i = 0; i < session.outputs.size(); ++i) session.outputs[i].name = session.output_names[i].c_str();
  for (size_t i = 0; i < meta.num_backends(); ++i) {
    auto name = meta.get_backend_name(i);
    if (session.delegates.size() < 128)
      session.delegates += (session.delegates.empty() ? "" : ", ") + std::string(take(name, "a delegate"));
  }
  if (session.delegates.empty()) session.delegates = "none";
}

void load(Session& session, const char* path) {
  session.module = std::make_unique<Module>(path, Module::LoadMode::Mmap);
  check(session.module->load(et::Program::Verification::InternalConsistency), "the program is not sound");
  auto meta = session.module->method_meta("forward");
  read_ports(session, take(meta, "it has no method forward"));
  check(session.module->load_method("forward"), "its method forward cannot be loaded");
}

void publish(Session& session) {
  session.made.clear();
  for (const et::EValue& value : session.held) {
    if (!value.isTensor()) refuse(OREE_ENGINE_UNSUPPORTED, "it made a value that is no tensor");
    const auto& tensor = value.toTensor();
    if (tensor.dim() > OREE_ENGINE_RANK_MAX) refuse(OREE_ENGINE_UNSUPPORTED, "it made a tensor of too many dimensions");
    session.made.push_back(
        view_of(tensor, const_cast<void*>(tensor.const_data_ptr()), tensor.nbytes(), code_of(tensor.scalar_type())));
  }
}

// --- the table

int open(const OreeOpenOptions* options, OreeEngineSession** session, char* error) {
  return guarded(error, as_said, [&] {
    join_pool(options->threads);
    try {
      auto made = std::make_unique<Session>();
      load(*made, options->path);
      *session = made.release();
    } catch (...) {
      leave_pool();
      throw;
    }
  });
}

void close(OreeEngineSession* session) {
  delete session;
  leave_pool();
}

int run(OreeEngineSession* session, const OreeTensor* given, uint32_t given_count, const OreeTensor** made,
        uint32_t* made_count, char* error) {
  return guarded(error, as_said, [&] {
    std::vector<TensorPtr> tensors;
    std::vector<et::EValue> values;
    for (uint32_t i = 0; i < given_count; ++i) {
      const OreeTensor& t = given[i];
      std::vector<executorch::aten::SizesType> sizes;
      for (int32_t d = 0; d < t.rank; ++d) sizes.push_back(static_cast<executorch::aten::SizesType>(t.dims[d]));
      tensors.push_back(executorch::extension::from_blob(t.data, std::move(sizes), type_of(t.dtype)));
      values.emplace_back(*tensors.back());
    }
    auto result = session->module->execute("forward", values);
    session->held = std::move(take(result, "it failed"));
    publish(*session);
    give(session->made, made, made_count);
  });
}

int fact(OreeEngineSession* session, uint32_t index, const char** key, const char** value) {
  if (index != 0) return 0;
  *key = "delegates";
  *value = session->delegates.c_str();
  return 1;
}

const char* const kFormats[] = {"executorch", nullptr};
const OreeEngine kEngine = float_engine("executorch", OREE_EXECUTORCH_VERSION, kFormats, open, close, run, fact);

}  // namespace

const OreeEngine* oree_engine(uint32_t abi) { return abi == OREE_ENGINE_ABI ? &kEngine : nullptr; }
