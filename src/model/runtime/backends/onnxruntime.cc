// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/log.h"
#include "model/runtime/backends/backends.h"
#include "model/runtime/backends/engine_backend.h"
#include "model/runtime/backends/handle.h"
#include "model/runtime/backends/onnxruntime_api.h"
#include "model/runtime/backends/session_base.h"
#include "model/runtime/files/model_file.h"

namespace oree {
namespace {

constexpr char kHowToGet[] =
    "./dev setup fetches it, or install libonnxruntime (Debian 13: apt install libonnxruntime1.21)";
constexpr int kSeverityError = 3;
constexpr int kOptimizeAll = 99;
constexpr int kOptimizeNone = 0;  // each operator as it stands
constexpr int kArenaAllocator = 1;

struct Engine {
  ort::Api api{};
  ort::Env* env = nullptr;
  ort::MemoryInfo* cpu = nullptr;
  ort::Allocator* allocator = nullptr;
};

void to_log(void*, int, const char*, const char*, const char*, const char* message) {
  log_debug("onnxruntime", message);  // the same text comes back in the status
}

Code code_of(int engine_code, std::string_view message) {
  switch (engine_code) {
    case 3: return Code::kNotFound;  // no such file
    case 9:
    case 11: return Code::kUnsupported;  // not implemented; a provider failed
    default: break;
  }
  // A model with an op or version of its own is well-formed, whatever number the engine gives it.
  for (const char* sign : {"is not a registered function/op", "opset", "Unsupported model IR", "not implemented"}) {
    if (message.find(sign) != std::string_view::npos) return Code::kUnsupported;
  }
  return Code::kInvalid;
}

Status check(const ort::Api& api, ort::Status* status) {
  if (status == nullptr) return {};
  std::string message = api.error_message(status);
  Error error(code_of(api.error_code(status), message), "ONNX Runtime: " + message);
  api.release_status(status);
  return error;
}

class OrtSession final : public SessionBase {
 public:
  OrtSession(const Engine& engine, ort::Session* session, std::map<std::string, std::string> facts)
      : engine_(engine), api_(engine.api), session_(hold(session, api_.release_session)), facts_(std::move(facts)) {}

  Status describe() {
    size_t inputs = 0, outputs = 0;
    OREE_TRY(check(api_, api_.input_count(session_.get(), &inputs)));
    OREE_TRY(check(api_, api_.output_count(session_.get(), &outputs)));
    for (size_t i = 0; i < inputs; ++i) OREE_TRY(describe_one(i, api_.input_name, api_.input_type, inputs_));
    for (size_t i = 0; i < outputs; ++i) OREE_TRY(describe_one(i, api_.output_name, api_.output_type, outputs_));
    for (const TensorInfo& info : inputs_) input_names_.push_back(info.name.c_str());
    for (const TensorInfo& info : outputs_) output_names_.push_back(info.name.c_str());
    return {};
  }

  Result<NamedTensors> run(const NamedTensors& given) override {
    OREE_TRY_ASSIGN(std::vector<const Tensor*> tensors, match_inputs(inputs_, given, true));
    std::vector<Handle<ort::Value>> inputs;
    for (const Tensor* t : tensors) {
      OREE_TRY_ASSIGN(Handle<ort::Value> value, wrap(*t));
      inputs.push_back(std::move(value));
    }
    std::vector<const ort::Value*> in;
    in.reserve(inputs.size());
    for (const Handle<ort::Value>& value : inputs) in.push_back(value.get());
    std::vector<ort::Value*> out(outputs_.size(), nullptr);
    Status ran = check(api_, api_.run(session_.get(), nullptr, input_names_.data(), in.data(), in.size(),
                                      output_names_.data(), out.size(), out.data()));
    std::vector<Handle<ort::Value>> results;
    results.reserve(out.size());
    for (ort::Value* value : out) results.push_back(hold(value, api_.release_value));
    if (!ran.ok()) return ran.error();
    NamedTensors named;
    for (size_t i = 0; i < results.size(); ++i) {
      OREE_TRY_ASSIGN(Tensor tensor, unwrap(results[i].get(), outputs_[i].name));
      named.push_back({outputs_[i].name, std::move(tensor)});
    }
    return named;
  }

  std::map<std::string, std::string> facts() const override { return facts_; }

 protected:
  Status bind() override {
    values_.clear();
    in_.clear();
    out_.clear();
    for (std::vector<Tensor>* side : {&bound_inputs_, &bound_outputs_}) {
      for (Tensor& t : *side) {
        OREE_TRY_ASSIGN(Handle<ort::Value> value, wrap(t));
        if (side == &bound_inputs_) {
          in_.push_back(value.get());
        } else {
          out_.push_back(value.get());
        }
        values_.push_back(std::move(value));
      }
    }
    return {};
  }

  Status execute_bound() override {
    return check(api_, api_.run(session_.get(), nullptr, input_names_.data(), in_.data(), in_.size(),
                                output_names_.data(), out_.size(), out_.data()));
  }

 private:
  using NameOf = ort::Status* (*)(const ort::Session*, size_t, ort::Allocator*, char**);
  using TypeOf = ort::Status* (*)(const ort::Session*, size_t, ort::TypeInfo**);

  Status describe_one(size_t index, NameOf name_of, TypeOf type_of, std::vector<TensorInfo>& into) {
    char* name = nullptr;
    OREE_TRY(check(api_, name_of(session_.get(), index, engine_.allocator, &name)));
    TensorInfo info;
    info.name = name;
    OREE_TRY(check(api_, api_.allocator_free(engine_.allocator, name)));
    ort::TypeInfo* type = nullptr;
    OREE_TRY(check(api_, type_of(session_.get(), index, &type)));
    Handle<ort::TypeInfo> held = hold(type, api_.release_type);
    const ort::TensorInfo* tensor = nullptr;
    OREE_TRY(check(api_, api_.as_tensor_type(type, &tensor)));
    if (tensor == nullptr) {
      return Error(Code::kUnsupported, fmt::format("'{}' is not a tensor (a sequence, map or optional)", info.name));
    }
    OREE_TRY(read_type(tensor, info.name, info.dtype, info.shape));
    for (int64_t& d : info.shape) d = std::max<int64_t>(d, -1);
    into.push_back(std::move(info));
    return {};
  }

  Status read_type(const ort::TensorInfo* tensor, const std::string& name, Dtype& dtype, Shape& shape) {
    int element = 0;
    OREE_TRY(check(api_, api_.element_type(tensor, &element)));
    Result<Dtype> known = ort::dtype_of(element);
    if (!known.ok()) return known.error().within(fmt::format("'{}'", name));
    dtype = *known;
    size_t rank = 0;
    OREE_TRY(check(api_, api_.rank(tensor, &rank)));
    shape.assign(rank, 0);
    return check(api_, api_.dimensions(tensor, shape.data(), rank));
  }

  // The engine only reads inputs, but its interface has no const.
  Result<Handle<ort::Value>> wrap(const Tensor& t) {
    static uint8_t nothing = 0;
    void* data = t.byte_size() == 0 ? &nothing : const_cast<uint8_t*>(t.data());
    ort::Value* value = nullptr;
    OREE_TRY(check(api_, api_.wrap_tensor(engine_.cpu, data, t.byte_size(), t.shape().data(), t.shape().size(),
                                          ort::element_type_of(t.dtype()), &value)));
    return hold(value, api_.release_value);
  }

  Result<Tensor> unwrap(ort::Value* value, const std::string& name) {
    int is_tensor = 0;
    if (value != nullptr) OREE_TRY(check(api_, api_.is_tensor(value, &is_tensor)));
    if (is_tensor == 0) return Error(Code::kUnsupported, fmt::format("output '{}' is not a tensor", name));
    ort::TensorInfo* type = nullptr;
    OREE_TRY(check(api_, api_.tensor_type_of(value, &type)));
    Handle<ort::TensorInfo> held = hold(type, api_.release_tensor_type);
    Dtype dtype{};
    Shape shape;
    OREE_TRY(read_type(type, name, dtype, shape));
    OREE_TRY(shape_elements(shape));
    Tensor tensor(dtype, shape);
    void* data = nullptr;
    OREE_TRY(check(api_, api_.tensor_data(value, &data)));
    if (tensor.byte_size() > 0) std::memcpy(tensor.data(), data, tensor.byte_size());
    return tensor;
  }

  const Engine& engine_;
  const ort::Api& api_;
  Handle<ort::Session> session_;
  std::map<std::string, std::string> facts_;
  std::vector<const char*> input_names_;  // point into inputs_ and outputs_, which no longer change
  std::vector<const char*> output_names_;
  std::vector<Handle<ort::Value>> values_;  // of the bound tensors
  std::vector<const ort::Value*> in_;
  std::vector<ort::Value*> out_;
};

// Providers that we know how to ask for: our name, the engine's name in its list, and how to get one that is absent.
struct Provider {
  const char* name;
  const char* engine_name;
  const char* generic_name;  // for the generic call; null: has its own options type
  const char* how_to_get;
};
constexpr Provider kProviders[] = {
    {"cuda", "CUDAExecutionProvider", nullptr,
     "needs an ONNX Runtime built for CUDA (PyPI onnxruntime-gpu) named by OREE_ONNXRUNTIME_LIBRARY, and an NVIDIA "
     "GPU"},
    {"tensorrt", "TensorrtExecutionProvider", nullptr,
     "needs an ONNX Runtime built for TensorRT (on Jetson: NVIDIA's JetPack wheel) and NVIDIA TensorRT"},
    {"openvino", "OpenVINOExecutionProvider", "OpenVINO",
     "needs Intel's ONNX Runtime build (PyPI onnxruntime-openvino); the engine 'openvino' reads ONNX without it"},
    {"xnnpack", "XnnpackExecutionProvider", "XNNPACK", "needs an ONNX Runtime built with --use_xnnpack"},
    {"dnnl", "DnnlExecutionProvider", "Dnnl", "needs an ONNX Runtime built with --use_dnnl"},
};

class OrtBackend final : public EngineBackend {
 public:
  OrtBackend() : EngineBackend("onnxruntime", {ModelFormat::kOnnx}) {
    bool found = find_engine({"OREE_ONNXRUNTIME_LIBRARY", "libonnxruntime.so", "onnxruntime"}, kHowToGet,
                             [&](const DynamicLibrary& library) { return start(library); });
    if (found) info_.version = engine_.api.version;
  }

 private:
  Status start(const DynamicLibrary& library) {
    OREE_TRY_ASSIGN(engine_.api, ort::load_api(library));
    const ort::Api& api = engine_.api;
    OREE_TRY(check(api, api.create_env(&to_log, nullptr, kSeverityError, "oree", &engine_.env)));
    OREE_TRY(check(api, api.cpu_memory(kArenaAllocator, 0, &engine_.cpu)));
    OREE_TRY(check(api, api.default_allocator(&engine_.allocator)));
    char** names = nullptr;
    int count = 0;
    OREE_TRY(check(api, api.available_providers(&names, &count)));
    std::vector<std::string> listed(names, names + count);
    OREE_TRY(check(api, api.release_providers(names, count)));
    info_.providers = {"cpu"};
    for (const Provider& p : kProviders) {
      if (std::find(listed.begin(), listed.end(), p.engine_name) == listed.end()) {
        info_.absent[p.name] = p.how_to_get;
        continue;
      }
      Status works = try_provider(p);
      if (works.ok()) {
        info_.providers.push_back(p.name);
        if (std::string_view(p.name) == "tensorrt") info_.precisions.push_back("f16");
      } else {
        info_.absent[p.name] = works.error().message();
      }
    }
    return {};
  }

  // A provider can be compiled in and still lack its driver or its own libraries.
  Status try_provider(const Provider& provider) {
    OREE_TRY_ASSIGN(Handle<ort::SessionOptions> options, new_options());
    return append(options.get(), provider, SessionOptions{});
  }

  Result<Handle<ort::SessionOptions>> new_options() {
    ort::SessionOptions* options = nullptr;
    OREE_TRY(check(engine_.api, engine_.api.create_options(&options)));
    return hold(options, engine_.api.release_options);
  }

  Status append(ort::SessionOptions* to, const Provider& provider, const SessionOptions& options) {
    const ort::Api& api = engine_.api;
    if (provider.generic_name != nullptr) {
      return check(api, api.append_provider(to, provider.generic_name, nullptr, nullptr, 0));
    }
    bool cuda = std::string_view(provider.name) == "cuda";
    auto create = cuda ? api.create_cuda_options : api.create_tensorrt_options;
    auto update = cuda ? api.update_cuda_options : api.update_tensorrt_options;
    auto append_it = cuda ? api.append_cuda : api.append_tensorrt;
    ort::ProviderOptions* raw = nullptr;
    OREE_TRY(check(api, create(&raw)));
    auto held = hold(raw, cuda ? api.release_cuda_options : api.release_tensorrt_options);
    // NVIDIA's libraries round float32 inputs to TF32 unless told not to.
    const char* key = cuda ? "use_tf32" : "trt_fp16_enable";
    const char* value = cuda ? "0" : "1";
    if (cuda ? options.precision == "f32" : options.precision == "f16") {
      OREE_TRY(check(api, update(raw, &key, &value, 1)));
    }
    return check(api, append_it(to, raw));
  }

  // What TensorRT does not take computes on the GPU, too, where it can; else on the CPU.
  Status append_cuda_behind(ort::SessionOptions* to, const SessionOptions& options) {
    const Provider* cuda = std::find_if(std::begin(kProviders), std::end(kProviders),
                                        [](const Provider& p) { return std::string_view(p.name) == "cuda"; });
    const std::vector<std::string>& here = info_.providers;
    return std::find(here.begin(), here.end(), "cuda") == here.end() ? Status() : append(to, *cuda, options);
  }

  Result<std::unique_ptr<Session>> open_checked(const std::string& path, const SessionOptions& options) override {
    const ort::Api& api = engine_.api;
    std::string provider = options.provider.empty() ? "cpu" : options.provider;
    OREE_TRY(check_precision(provider, options.precision));
    OREE_TRY_ASSIGN(Handle<ort::SessionOptions> opts, new_options());
    OREE_TRY(check(api, api.set_intra_threads(opts.get(), options.threads)));
    OREE_TRY(check(api, api.set_inter_threads(opts.get(), 1)));
    OREE_TRY(check(api, api.set_execution_mode(opts.get(), 0)));
    OREE_TRY(check(api, api.set_optimization(opts.get(), options.fused ? kOptimizeAll : kOptimizeNone)));
    if (provider != "cpu") {
      const Provider* known = std::find_if(std::begin(kProviders), std::end(kProviders),
                                           [&](const Provider& p) { return provider == p.name; });
      if (known == std::end(kProviders)) {
        return Error(Code::kUnsupported, fmt::format("onnxruntime has no provider '{}'", provider));
      }
      auto missing = info_.absent.find(provider);
      if (missing != info_.absent.end()) {
        return Error(Code::kUnsupported, fmt::format("provider '{}' is not here: {}", provider, missing->second));
      }
      Status appended = append(opts.get(), *known, options);
      if (!appended.ok()) return Error(Code::kUnsupported, appended.error().message());
      if (provider == "tensorrt") OREE_TRY(append_cuda_behind(opts.get(), options));
    }
    ort::Session* raw = nullptr;
    OREE_TRY(check(api, api.create_session(engine_.env, path.c_str(), opts.get(), &raw)));
    std::string precision =
        options.precision == "default" ? (provider == "cpu" ? "f32" : "engine's choice") : options.precision;
    auto session = std::make_unique<OrtSession>(
        engine_, raw, std::map<std::string, std::string>{{"provider", provider}, {"precision", precision}});
    OREE_TRY(session->describe());
    return std::unique_ptr<Session>(std::move(session));
  }

  static Status check_precision(const std::string& provider, const std::string& precision) {
    if (precision == "f32" || precision == "default") return {};
    if (precision == "f16" && provider == "tensorrt") return {};
    return Error(Code::kUnsupported,
                 fmt::format("onnxruntime on '{}' computes in the model's own types, not in {}", provider, precision));
  }

  Engine engine_;
};

}  // namespace

std::unique_ptr<Backend> make_onnxruntime_backend() { return std::make_unique<OrtBackend>(); }

}  // namespace oree
