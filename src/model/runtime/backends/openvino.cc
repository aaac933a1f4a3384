// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "model/onnx/onnx_file.h"
#include "model/runtime/backends/backends.h"
#include "model/runtime/backends/engine_backend.h"
#include "model/runtime/backends/handle.h"
#include "model/runtime/backends/openvino_api.h"
#include "model/runtime/backends/session_base.h"
#include "model/runtime/files/model_file.h"
#include "model/tflite/tflite_file.h"

namespace oree {
namespace {

constexpr char kHowToGet[] = "./dev setup fetches it, or install Intel's openvino package (2025.0 or newer)";

// The last lines of the engine's text say what happened; the first name its own source files.
std::string plain(const char* message) {
  std::istringstream lines(message != nullptr ? message : "");
  std::string line, out;
  while (std::getline(lines, line)) {
    bool noise = line.empty() || line.rfind("Exception from src/", 0) == 0 || line.rfind("Check '", 0) == 0;
    if (noise || out.size() > 1024) continue;
    out += (out.empty() ? "" : " ") + line;
  }
  return out.empty() ? std::string(message != nullptr ? message : "no reason given") : out;
}

Status check(const ov::Api& api, int status, Code code) {
  if (status == 0) return {};
  // -2 and -16: not implemented.
  bool unsupported = status == -2 || status == -16;
  return Error(unsupported ? Code::kUnsupported : code, "OpenVINO: " + plain(api.last_error()));
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

class OvSession final : public SessionBase {
 public:
  OvSession(const ov::Api& api, ov::Compiled* compiled)
      : api_(api), compiled_(hold(compiled, api.free_compiled)), request_(nullptr, {api.free_request}) {}

  Status describe(const std::vector<std::string>& input_names, const std::vector<std::string>& output_names) {
    ov::Request* request = nullptr;
    OREE_TRY(check(api_, api_.create_request(compiled_.get(), &request), Code::kUnsupported));
    request_.reset(request);
    size_t inputs = 0, outputs = 0;
    OREE_TRY(check(api_, api_.input_count(compiled_.get(), &inputs), Code::kInternal));
    OREE_TRY(check(api_, api_.output_count(compiled_.get(), &outputs), Code::kInternal));
    for (size_t i = 0; i < inputs; ++i) OREE_TRY(describe_one(api_.input, i, inputs_));
    for (size_t i = 0; i < outputs; ++i) OREE_TRY(describe_one(api_.output, i, outputs_));
    use_names(api_.input_by_name, input_names, inputs_);
    use_names(api_.output_by_name, output_names, outputs_);
    make_names_unique(inputs_, "input");
    make_names_unique(outputs_, "output");
    return {};
  }

  Result<std::string> property(const char* key) {
    char* value = nullptr;
    OREE_TRY(check(api_, api_.property(compiled_.get(), key, &value), Code::kUnsupported));
    std::string out = value != nullptr ? value : "";
    api_.free_text(value);
    return out;
  }

  void set_facts(std::map<std::string, std::string> facts) { facts_ = std::move(facts); }
  std::map<std::string, std::string> facts() const override { return facts_; }

  Result<NamedTensors> run(const NamedTensors& given) override {
    OREE_TRY_ASSIGN(std::vector<const Tensor*> tensors, match_inputs(inputs_, given, false));
    std::vector<Handle<ov::TensorHandle>> held;
    for (size_t i = 0; i < tensors.size(); ++i) {
      OREE_TRY_ASSIGN(Handle<ov::TensorHandle> tensor, wrap(*tensors[i]));
      OREE_TRY(check(api_, api_.set_input(request_.get(), i, tensor.get()), Code::kInvalid));
      held.push_back(std::move(tensor));
    }
    OREE_TRY(check(api_, api_.infer(request_.get()), Code::kInvalid));
    NamedTensors named;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      OREE_TRY_ASSIGN(Tensor tensor, fetch(i));
      named.push_back({outputs_[i].name, std::move(tensor)});
    }
    return named;
  }

 protected:
  Status bind() override {
    if (!bound_request_) {
      // Its own request: outputs set once would also receive those of run().
      ov::Request* request = nullptr;
      OREE_TRY(check(api_, api_.create_request(compiled_.get(), &request), Code::kUnsupported));
      bound_request_ = hold(request, api_.free_request);
    }
    std::vector<Handle<ov::TensorHandle>> held;
    for (size_t i = 0; i < bound_inputs_.size(); ++i) {
      OREE_TRY_ASSIGN(Handle<ov::TensorHandle> tensor, wrap(bound_inputs_[i]));
      OREE_TRY(check(api_, api_.set_input(bound_request_.get(), i, tensor.get()), Code::kInvalid));
      held.push_back(std::move(tensor));
    }
    for (size_t i = 0; i < bound_outputs_.size(); ++i) {
      OREE_TRY_ASSIGN(Handle<ov::TensorHandle> tensor, wrap(bound_outputs_[i]));
      OREE_TRY(check(api_, api_.set_output(bound_request_.get(), i, tensor.get()), Code::kInvalid));
      held.push_back(std::move(tensor));
    }
    bound_tensors_ = std::move(held);
    return {};
  }

  Status execute_bound() override { return check(api_, api_.infer(bound_request_.get()), Code::kInvalid); }

 private:
  using PortAt = int (*)(const ov::Compiled*, size_t, ov::Port**);
  using PortNamed = int (*)(const ov::Compiled*, const char*, ov::Port**);

  std::string name_of(const ov::Port* port) {
    char* name = nullptr;
    if (api_.port_name(port, &name) != 0 || name == nullptr) return "";
    std::string out = name;
    api_.free_text(name);
    return out;
  }

  Status describe_one(PortAt port_at, size_t index, std::vector<TensorInfo>& into) {
    ov::Port* raw = nullptr;
    OREE_TRY(check(api_, port_at(compiled_.get(), index, &raw), Code::kInternal));
    Handle<ov::Port> port = hold(raw, api_.free_port);
    TensorInfo info;
    info.name = name_of(raw);
    int type = 0;
    OREE_TRY(check(api_, api_.port_type(raw, &type), Code::kInternal));
    Result<Dtype> dtype = ov::dtype_of(type);
    if (!dtype.ok()) return dtype.error().within(fmt::format("'{}'", info.name));
    info.dtype = *dtype;
    ov::PartialShape shape{};
    OREE_TRY(check(api_, api_.port_shape(raw, &shape), Code::kInternal));
    if (shape.rank.min == shape.rank.max) {
      for (int64_t i = 0; i < shape.rank.max; ++i) {
        const ov::Dimension& d = shape.dims[i];
        info.shape.push_back(d.min == d.max ? d.max : -1);
      }
    } else {
      info.shape = {-1};  // not even its rank is known before a run
    }
    api_.free_partial_shape(&shape);
    into.push_back(std::move(info));
    return {};
  }

  // A port can have several names, of which the engine gives an arbitrary one. The one in the model's file is meant.
  void use_names(PortNamed port_named, const std::vector<std::string>& names, std::vector<TensorInfo>& infos) {
    std::vector<TensorInfo> renamed = infos;
    for (const std::string& name : names) {
      ov::Port* raw = nullptr;
      if (name.empty() || port_named(compiled_.get(), name.c_str(), &raw) != 0) continue;
      Handle<ov::Port> port = hold(raw, api_.free_port);
      std::string chosen = name_of(raw);
      for (size_t i = 0; i < infos.size(); ++i) {
        if (infos[i].name == chosen) renamed[i].name = name;
      }
    }
    infos = std::move(renamed);
  }

  // The engine only reads inputs, but its interface has no const.
  Result<Handle<ov::TensorHandle>> wrap(const Tensor& t) {
    static uint8_t nothing = 0;
    Shape dims = t.shape();
    int64_t none = 0;
    ov::FixedShape shape{static_cast<int64_t>(dims.size()), dims.empty() ? &none : dims.data()};
    void* data = t.byte_size() == 0 ? &nothing : const_cast<uint8_t*>(t.data());
    ov::TensorHandle* raw = nullptr;
    OREE_TRY(check(api_, api_.wrap_tensor(ov::element_type_of(t.dtype()), shape, data, &raw), Code::kInvalid));
    return hold(raw, api_.free_tensor);
  }

  Result<Tensor> fetch(size_t index) {
    ov::TensorHandle* raw = nullptr;
    OREE_TRY(check(api_, api_.get_output(request_.get(), index, &raw), Code::kInternal));
    Handle<ov::TensorHandle> handle = hold(raw, api_.free_tensor);
    ov::FixedShape fixed{};
    OREE_TRY(check(api_, api_.tensor_shape(raw, &fixed), Code::kInternal));
    Shape shape(fixed.dims, fixed.dims + fixed.rank);
    api_.free_shape(&fixed);
    int type = 0;
    OREE_TRY(check(api_, api_.tensor_type(raw, &type), Code::kInternal));
    OREE_TRY_ASSIGN(Dtype dtype, ov::dtype_of(type));
    OREE_TRY(shape_elements(shape));
    Tensor tensor(dtype, shape);
    void* data = nullptr;
    if (tensor.byte_size() > 0) {
      OREE_TRY(check(api_, api_.tensor_data(raw, &data), Code::kInternal));
      std::memcpy(tensor.data(), data, tensor.byte_size());
    }
    return tensor;
  }

  const ov::Api& api_;
  Handle<ov::Compiled> compiled_;
  Handle<ov::Request> request_;
  Handle<ov::Request> bound_request_{nullptr, {nullptr}};
  std::vector<Handle<ov::TensorHandle>> bound_tensors_;
  std::map<std::string, std::string> facts_;
};

class OvBackend final : public EngineBackend {
 public:
  OvBackend() : EngineBackend("openvino", {ModelFormat::kOpenvino, ModelFormat::kOnnx, ModelFormat::kTflite}) {
    find_engine({"OREE_OPENVINO_LIBRARY", "libopenvino_c.so", "openvino/libs"}, kHowToGet,
                [&](const DynamicLibrary& library) { return start(library); });
  }

 private:
  Status start(const DynamicLibrary& library) {
    OREE_TRY_ASSIGN(api_, ov::load_api(library, info_.version));
    OREE_TRY(check(api_, api_.create_core(&core_), Code::kUnavailable));
    ov::Devices devices{};
    OREE_TRY(check(api_, api_.devices(core_, &devices), Code::kUnavailable));
    info_.providers.clear();
    for (size_t i = 0; i < devices.count; ++i) info_.providers.push_back(lower(devices.names[i]));
    api_.free_devices(&devices);
    auto has = [&](std::string_view kind) {
      return std::any_of(info_.providers.begin(), info_.providers.end(),
                         [&](const std::string& p) { return p.rfind(kind, 0) == 0; });
    };
    if (!has("cpu")) return Error(Code::kUnavailable, library.path() + " finds no CPU plug-in beside it");
    if (!has("gpu"))
      info_.absent["gpu"] =
          "no Intel GPU that OpenVINO can use; needs Intel's OpenCL driver (Debian: intel-opencl-icd)";
    if (!has("npu")) info_.absent["npu"] = "no Intel NPU that OpenVINO can use; needs Intel's linux-npu-driver";
    // Reduced precisions are told only where some device has the arithmetic for them.
    for (const std::string& device : info_.providers) {
      std::string abilities = core_property(upper(device).c_str(), "OPTIMIZATION_CAPABILITIES");
      add_precision(abilities, "BF16", "bf16");
      add_precision(abilities, "FP16", "f16");
    }
    return {};
  }

  void add_precision(const std::string& abilities, const char* ability, const char* precision) {
    bool known = std::find(info_.precisions.begin(), info_.precisions.end(), precision) != info_.precisions.end();
    if (!known && abilities.find(ability) != std::string::npos) info_.precisions.push_back(precision);
  }

  std::string core_property(const char* device, const char* key) {
    char* value = nullptr;
    if (api_.core_property(core_, device, key, &value) != 0 || value == nullptr) return "";
    std::string out = value;
    api_.free_text(value);
    return out;
  }

  // Names of the inputs and outputs as the file has them; an IR's come from the engine itself.
  static Status names_in_file(const std::string& path, std::vector<std::string>& inputs,
                              std::vector<std::string>& outputs) {
    OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(path));
    ModelFormat format = format_of(file.bytes(), path);
    if (format == ModelFormat::kOnnx) {
      OREE_TRY_ASSIGN(OnnxFile onnx, read_onnx(file.bytes()));
      for (const OnnxValue& v : onnx.graph.inputs) inputs.emplace_back(v.name);
      for (const OnnxValue& v : onnx.graph.outputs) outputs.emplace_back(v.name);
    } else if (format == ModelFormat::kTflite) {
      OREE_TRY_ASSIGN(TfliteFile tflite, read_tflite(file.bytes()));
      const TfliteSubgraph& graph = tflite.subgraphs.front();
      for (int32_t i : graph.inputs) inputs.emplace_back(graph.tensors[static_cast<size_t>(i)].name);
      for (int32_t i : graph.outputs) outputs.emplace_back(graph.tensors[static_cast<size_t>(i)].name);
    }
    return {};
  }

  Result<std::unique_ptr<Session>> open_checked(const std::string& path, const SessionOptions& options) override {
    std::string provider = options.provider.empty() ? "cpu" : options.provider;
    OREE_TRY(check_provider(provider));
    ov::Model* raw_model = nullptr;
    Status read = check(api_, api_.read_model(core_, path.c_str(), nullptr, &raw_model), Code::kUnsupported);
    if (!read.ok()) return read.error();
    Handle<ov::Model> model = hold(raw_model, api_.free_model);
    ov::Compiled* compiled = nullptr;
    std::string threads = std::to_string(options.threads);
    std::string device = upper(provider);
    // Threads are the CPU plug-in's option alone; a precision is a hint that every device knows.
    const char* arguments[10] = {"PERFORMANCE_HINT", "LATENCY", "NUM_STREAMS", "1"};
    size_t count = 4;
    auto add = [&](const char* key, const char* value) {
      arguments[count++] = key;
      arguments[count++] = value;
    };
    if (provider == "cpu") add("INFERENCE_NUM_THREADS", threads.c_str());
    if (options.precision != "default") add("INFERENCE_PRECISION_HINT", options.precision.c_str());
    auto compile = [&] {
      const char** a = arguments;
      return check(api_,
                   api_.compile(core_, raw_model, device.c_str(), count, &compiled, a[0], a[1], a[2], a[3], a[4], a[5],
                                a[6], a[7], a[8], a[9]),
                   Code::kUnsupported);
    };
    // The CPU plug-in's own option, which no document promises: without it operators are joined.
    const size_t documented = count;
    if (!options.fused && provider == "cpu") add("LP_TRANSFORMS_MODE", "NO");
    Status compiling = compile();
    if (!compiling.ok() && count > documented) {
      count = documented;
      compiling = compile();
    }
    OREE_TRY(compiling);
    auto session = std::make_unique<OvSession>(api_, compiled);
    std::vector<std::string> inputs, outputs;
    OREE_TRY(names_in_file(path, inputs, outputs));
    OREE_TRY(session->describe(inputs, outputs));
    Result<std::string> precision = session->property("INFERENCE_PRECISION_HINT");
    std::string real = precision.ok() ? *precision : "unknown";
    if (options.precision != "default" && precision.ok() && real != options.precision) {
      return Error(Code::kUnsupported, fmt::format("precision {} was asked for, but OpenVINO on {} computes in {}",
                                                   options.precision, provider, real));
    }
    session->set_facts({{"provider", provider}, {"precision", real}});
    return std::unique_ptr<Session>(std::move(session));
  }

  ov::Api api_{};
  ov::Core* core_ = nullptr;  // for the life of the process
};

}  // namespace

std::unique_ptr<Backend> make_openvino_backend() { return std::make_unique<OvBackend>(); }

}  // namespace oree
