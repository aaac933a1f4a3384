// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "model/runtime/backends/backends.h"
#include "model/runtime/backends/engine_backend.h"
#include "model/runtime/backends/session_base.h"
#include "model/runtime/files/model_file.h"
#include "model/runtime/files/real_values.h"
#include "model/tflite/tflite_file.h"

namespace oree {
namespace {

constexpr char kHowToGet[] = "./dev setup fetches it; or name a libtensorflowlite_c.so in OREE_TFLITE_LIBRARY";
constexpr char kHowToGetEdgeTpu[] =
    "libedgetpu.so.1 is not on this machine: it comes with Coral's libedgetpu1-std package, for a Coral Edge TPU";

// The C interface of TensorFlow Lite in our own declarations; handles are opaque.
struct TfModel;
struct TfOptions;
struct TfInterpreter;
struct TfTensor;
struct TfDelegate;
using Reporter = void (*)(void* user, const char* format, va_list arguments);

// Returned by value through hidden memory of the caller's, so ours must be at least as large as any version's own.
struct XnnpackOptions {
  int32_t threads;
  uint8_t rest[508];
};

struct Api {
  const char* (*version)();
  TfModel* (*create_model)(const char* path, Reporter, void* user);
  void (*delete_model)(TfModel*);
  TfOptions* (*create_options)();
  void (*delete_options)(TfOptions*);
  void (*set_threads)(TfOptions*, int32_t);
  void (*set_reporter)(TfOptions*, Reporter, void* user);
  void (*add_delegate)(TfOptions*, TfDelegate*);
  TfInterpreter* (*create_interpreter)(const TfModel*, const TfOptions*);
  void (*delete_interpreter)(TfInterpreter*);
  int (*allocate)(TfInterpreter*);
  int (*invoke)(TfInterpreter*);
  int32_t (*input_count)(const TfInterpreter*);
  int32_t (*output_count)(const TfInterpreter*);
  TfTensor* (*input)(const TfInterpreter*, int32_t);
  const TfTensor* (*output)(const TfInterpreter*, int32_t);
  int (*resize)(TfInterpreter*, int32_t, const int* dims, int32_t rank);
  int (*type)(const TfTensor*);
  int32_t (*rank)(const TfTensor*);
  int32_t (*dim)(const TfTensor*, int32_t);
  size_t (*byte_size)(const TfTensor*);
  void* (*data)(const TfTensor*);
  const char* (*name)(const TfTensor*);
  XnnpackOptions (*xnnpack_defaults)();
  TfDelegate* (*create_xnnpack)(const XnnpackOptions*);
  void (*delete_xnnpack)(TfDelegate*);
};

Result<Api> load_api(const DynamicLibrary& library) {
  Api api{};
  OREE_TRY(library.bind(api.version, "TfLiteVersion"));
  OREE_TRY(library.bind(api.create_model, "TfLiteModelCreateFromFileWithErrorReporter"));
  OREE_TRY(library.bind(api.delete_model, "TfLiteModelDelete"));
  OREE_TRY(library.bind(api.create_options, "TfLiteInterpreterOptionsCreate"));
  OREE_TRY(library.bind(api.delete_options, "TfLiteInterpreterOptionsDelete"));
  OREE_TRY(library.bind(api.set_threads, "TfLiteInterpreterOptionsSetNumThreads"));
  OREE_TRY(library.bind(api.set_reporter, "TfLiteInterpreterOptionsSetErrorReporter"));
  OREE_TRY(library.bind(api.add_delegate, "TfLiteInterpreterOptionsAddDelegate"));
  OREE_TRY(library.bind(api.create_interpreter, "TfLiteInterpreterCreate"));
  OREE_TRY(library.bind(api.delete_interpreter, "TfLiteInterpreterDelete"));
  OREE_TRY(library.bind(api.allocate, "TfLiteInterpreterAllocateTensors"));
  OREE_TRY(library.bind(api.invoke, "TfLiteInterpreterInvoke"));
  OREE_TRY(library.bind(api.input_count, "TfLiteInterpreterGetInputTensorCount"));
  OREE_TRY(library.bind(api.output_count, "TfLiteInterpreterGetOutputTensorCount"));
  OREE_TRY(library.bind(api.input, "TfLiteInterpreterGetInputTensor"));
  OREE_TRY(library.bind(api.output, "TfLiteInterpreterGetOutputTensor"));
  OREE_TRY(library.bind(api.resize, "TfLiteInterpreterResizeInputTensor"));
  OREE_TRY(library.bind(api.type, "TfLiteTensorType"));
  OREE_TRY(library.bind(api.rank, "TfLiteTensorNumDims"));
  OREE_TRY(library.bind(api.dim, "TfLiteTensorDim"));
  OREE_TRY(library.bind(api.byte_size, "TfLiteTensorByteSize"));
  OREE_TRY(library.bind(api.data, "TfLiteTensorData"));
  OREE_TRY(library.bind(api.name, "TfLiteTensorName"));
  bool has_xnnpack = library.bind(api.xnnpack_defaults, "TfLiteXNNPackDelegateOptionsDefault").ok() &&
                     library.bind(api.create_xnnpack, "TfLiteXNNPackDelegateCreate").ok() &&
                     library.bind(api.delete_xnnpack, "TfLiteXNNPackDelegateDelete").ok();
  if (!has_xnnpack) api.create_xnnpack = nullptr;
  return api;
}

// A delegate library of TFLite's external-delegate kind.
struct ExternalDelegate {
  TfDelegate* (*create)(const char* const* keys, const char* const* values, size_t count,
                        void (*report)(const char*)) = nullptr;
  void (*destroy)(TfDelegate*) = nullptr;
};

// TfLiteType of c_api_types.h.
struct TypePair {
  int type;
  Dtype dtype;
};
constexpr TypePair kTypes[] = {{1, Dtype::kFloat32},  {2, Dtype::kInt32},   {3, Dtype::kUint8},   {4, Dtype::kInt64},
                               {6, Dtype::kBool},     {7, Dtype::kInt16},   {9, Dtype::kInt8},    {10, Dtype::kFloat16},
                               {11, Dtype::kFloat64}, {13, Dtype::kUint64}, {16, Dtype::kUint32}, {17, Dtype::kUint16}};

Result<Dtype> dtype_of(int type, const std::string& name) {
  for (const TypePair& pair : kTypes) {
    if (pair.type == type) return pair.dtype;
  }
  return Error(Code::kUnsupported, fmt::format("'{}' has TFLite type {}, which orée does not exchange", name, type));
}

// What the engine says while it fails, kept for the Error instead of standard error.
struct Messages {
  std::string text;
  static void report(void* user, const char* format, va_list arguments) {
    char line[512];
    std::vsnprintf(line, sizeof line, format, arguments);
    std::string& text = static_cast<Messages*>(user)->text;
    if (text.size() > 2048) return;
    if (!text.empty()) text += "; ";
    text += line;
  }
  std::string take(const char* otherwise) {
    std::string out = "TFLite: " + (text.empty() ? std::string(otherwise) : text);
    text.clear();
    return out;
  }
};

// The engine announces its first delegate on standard error, whatever the reporter; a command's output stays its own.
class QuietStderr {
 public:
  QuietStderr() : saved_(dup(2)) {
    int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (saved_ >= 0 && null >= 0) dup2(null, 2);
    if (null >= 0) ::close(null);
  }
  ~QuietStderr() {
    if (saved_ < 0) return;
    dup2(saved_, 2);
    ::close(saved_);
  }
  QuietStderr(const QuietStderr&) = delete;

 private:
  int saved_;
};

class TfliteSession final : public SessionBase {
 public:
  TfliteSession(const Api& api, std::map<std::string, std::string> facts) : api_(api), facts_(std::move(facts)) {}
  ~TfliteSession() override {
    if (interpreter_ != nullptr) api_.delete_interpreter(interpreter_);
    if (delegate_ != nullptr) delete_delegate_(delegate_);
    if (model_ != nullptr) api_.delete_model(model_);
  }

  Status load(const std::string& path, int threads, TfDelegate* delegate, void (*delete_delegate)(TfDelegate*)) {
    delegate_ = delegate;
    delete_delegate_ = delete_delegate;
    model_ = api_.create_model(path.c_str(), &Messages::report, &messages_);
    if (model_ == nullptr) return Error(Code::kInvalid, messages_.take("the file is not a model that it reads"));
    TfOptions* options = api_.create_options();
    api_.set_threads(options, threads);
    api_.set_reporter(options, &Messages::report, &messages_);
    if (delegate_ != nullptr) api_.add_delegate(options, delegate_);
    interpreter_ = api_.create_interpreter(model_, options);
    api_.delete_options(options);
    // The structure has been checked before: what is refused now is an op or a version that the engine lacks.
    if (interpreter_ == nullptr) return Error(Code::kUnsupported, messages_.take("it cannot run this model"));
    if (api_.allocate(interpreter_) != 0)
      return Error(Code::kUnsupported, messages_.take("it cannot prepare this model"));
    messages_.text.clear();
    return {};
  }

  // Free dimensions are known from the file only: the engine shows the sizes of the moment.
  Status describe(const std::vector<TfliteTensor>& inputs, const std::vector<TfliteTensor>& outputs) {
    for (int32_t i = 0; i < api_.input_count(interpreter_); ++i) {
      OREE_TRY(describe_one(api_.input(interpreter_, i), inputs[static_cast<size_t>(i)], inputs_));
    }
    for (int32_t i = 0; i < api_.output_count(interpreter_); ++i) {
      OREE_TRY(describe_one(api_.output(interpreter_, i), outputs[static_cast<size_t>(i)], outputs_));
    }
    make_names_unique(inputs_, "input");
    make_names_unique(outputs_, "output");
    return {};
  }

  Result<NamedTensors> run(const NamedTensors& given) override {
    OREE_TRY_ASSIGN(std::optional<NamedTensors> quantized, with_integers(given, inputs_));
    OREE_TRY_ASSIGN(std::vector<const Tensor*> tensors, match_inputs(inputs_, quantized ? *quantized : given, false));
    OREE_TRY(fit_inputs(tensors));
    for (size_t i = 0; i < tensors.size(); ++i) OREE_TRY(fill(i, *tensors[i]));
    if (api_.invoke(interpreter_) != 0) return Error(Code::kInvalid, messages_.take("the run failed"));
    NamedTensors named;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const TfTensor* t = api_.output(interpreter_, static_cast<int32_t>(i));
      Shape shape = shape_of(t);
      OREE_TRY(shape_elements(shape));
      Tensor tensor(outputs_[i].dtype, shape);
      OREE_TRY(fetch(i, tensor));
      named.push_back({outputs_[i].name, std::move(tensor)});
    }
    return named;
  }

  std::map<std::string, std::string> facts() const override { return facts_; }

 protected:
  Status bind() override {
    std::vector<const Tensor*> tensors;
    for (const Tensor& t : bound_inputs_) tensors.push_back(&t);
    return fit_inputs(tensors);
  }

  // The engine keeps its own memory for inputs and outputs; a copy each costs far less than 1 % of a run.
  Status execute_bound() override {
    for (size_t i = 0; i < bound_inputs_.size(); ++i) OREE_TRY(fill(i, bound_inputs_[i]));
    if (api_.invoke(interpreter_) != 0) return Error(Code::kInvalid, messages_.take("the run failed"));
    for (size_t i = 0; i < bound_outputs_.size(); ++i) OREE_TRY(fetch(i, bound_outputs_[i]));
    return {};
  }

 private:
  Shape shape_of(const TfTensor* t) const {
    Shape shape;
    for (int32_t i = 0; i < api_.rank(t); ++i) shape.push_back(api_.dim(t, i));
    return shape;
  }

  Status describe_one(const TfTensor* t, const TfliteTensor& in_file, std::vector<TensorInfo>& into) {
    TensorInfo info;
    const char* name = api_.name(t);
    info.name = name != nullptr ? name : "";
    OREE_TRY_ASSIGN(info.dtype, dtype_of(api_.type(t), info.name));
    info.shape = shape_of(t);
    const Shape& signature = in_file.signature;
    for (size_t i = 0; i < info.shape.size() && signature.size() == info.shape.size(); ++i) {
      if (signature[i] < 0) info.shape[i] = -1;
    }
    info.reals = reals_of(in_file, info.dtype);
    into.push_back(std::move(info));
    return {};
  }

  static std::optional<RealScale> reals_of(const TfliteTensor& t, Dtype dtype) {
    bool integers = dtype == Dtype::kInt8 || dtype == Dtype::kUint8 || dtype == Dtype::kInt16;
    if (!integers || t.scales() != 1) return std::nullopt;
    RealScale reals{t.scale.at<float>(0), t.zero_point.size() == 1 ? t.zero_point.at<int64_t>(0) : 0};
    if (!std::isfinite(reals.scale) || reals.scale <= 0) return std::nullopt;  // 0 is how exporters say "none"
    return reals;
  }

  Status fit_inputs(const std::vector<const Tensor*>& tensors) {
    bool resized = false;
    for (size_t i = 0; i < tensors.size(); ++i) {
      int32_t index = static_cast<int32_t>(i);
      const Shape& shape = tensors[i]->shape();
      if (shape_of(api_.input(interpreter_, index)) == shape) continue;
      std::vector<int> dims(shape.begin(), shape.end());
      if (api_.resize(interpreter_, index, dims.data(), static_cast<int32_t>(dims.size())) != 0) {
        return Error(Code::kInvalid, messages_.take("an input cannot take this shape"));
      }
      resized = true;
    }
    if (resized && api_.allocate(interpreter_) != 0) {
      return Error(Code::kInvalid, messages_.take("the model cannot take these shapes"));
    }
    return {};
  }

  Status fill(size_t index, const Tensor& from) {
    TfTensor* t = api_.input(interpreter_, static_cast<int32_t>(index));
    if (api_.byte_size(t) != from.byte_size() || (from.byte_size() > 0 && api_.data(t) == nullptr)) {
      return Error(Code::kInvalid, fmt::format("TFLite holds {} bytes for input '{}', but {} were given",
                                               api_.byte_size(t), inputs_[index].name, from.byte_size()));
    }
    if (from.byte_size() > 0) std::memcpy(api_.data(t), from.data(), from.byte_size());
    return {};
  }

  Status fetch(size_t index, Tensor& to) {
    const TfTensor* t = api_.output(interpreter_, static_cast<int32_t>(index));
    if (api_.byte_size(t) != to.byte_size() || (to.byte_size() > 0 && api_.data(t) == nullptr)) {
      return Error(Code::kUnsupported,
                   fmt::format("output '{}' has {} bytes after the run, not {}: its size depends on "
                               "the data",
                               outputs_[index].name, api_.byte_size(t), to.byte_size()));
    }
    if (to.byte_size() > 0) std::memcpy(to.data(), api_.data(t), to.byte_size());
    return {};
  }

  const Api& api_;
  std::map<std::string, std::string> facts_;
  Messages messages_;  // the engine keeps its address
  TfModel* model_ = nullptr;
  TfInterpreter* interpreter_ = nullptr;
  TfDelegate* delegate_ = nullptr;
  void (*delete_delegate_)(TfDelegate*) = nullptr;
};

class TfliteBackend final : public EngineBackend {
 public:
  TfliteBackend() : EngineBackend("tflite", {ModelFormat::kTflite}) {
    bool found = find_engine({"OREE_TFLITE_LIBRARY", "libtensorflowlite_c.so", "tflite"}, kHowToGet,
                             [&](const DynamicLibrary& library) { return start(library); });
    if (!found) return;
    info_.version = api_.version();
    find_xnnpack();
    info_.providers.push_back("cpu");
    find_edge_tpu();
  }

 private:
  Status start(const DynamicLibrary& library) {
    OREE_TRY_ASSIGN(api_, load_api(library));
    return {};
  }

  void find_xnnpack() {
    QuietStderr quiet;
    TfDelegate* trial = api_.create_xnnpack != nullptr ? make_xnnpack(1) : nullptr;
    if (trial == nullptr) {
      info_.absent["xnnpack"] = "this libtensorflowlite_c was built without XNNPACK; ./dev setup fetches one with it";
      return;
    }
    api_.delete_xnnpack(trial);
    info_.providers.push_back("xnnpack");
  }

  void find_edge_tpu() {
    Result<DynamicLibrary> library = DynamicLibrary::open("libedgetpu.so.1");
    if (!library.ok()) {
      info_.absent["edgetpu"] = kHowToGetEdgeTpu;
      return;
    }
    Status bound = library->bind(edge_tpu_.create, "tflite_plugin_create_delegate");
    if (bound.ok()) bound = library->bind(edge_tpu_.destroy, "tflite_plugin_destroy_delegate");
    TfDelegate* trial = bound.ok() ? edge_tpu_.create(nullptr, nullptr, 0, [](const char*) {}) : nullptr;
    if (trial == nullptr) {
      info_.absent["edgetpu"] = bound.ok() ? "libedgetpu.so.1 is here, but finds no Edge TPU" : bound.error().message();
      return;
    }
    edge_tpu_.destroy(trial);
    info_.providers.push_back("edgetpu");
  }

  TfDelegate* make_xnnpack(int threads) {
    XnnpackOptions options = api_.xnnpack_defaults();
    options.threads = threads;
    return api_.create_xnnpack(&options);
  }

  Result<std::unique_ptr<Session>> open_checked(const std::string& path, const SessionOptions& options) override {
    if (options.precision != "f32" && options.precision != "default") {
      return Error(Code::kUnsupported,
                   fmt::format("tflite computes in the model's own types, not in {}", options.precision));
    }
    std::string provider = options.provider.empty() ? info_.providers.front() : options.provider;
    OREE_TRY(check_provider(provider));
    TfDelegate* delegate = nullptr;
    void (*destroy)(TfDelegate*) = nullptr;
    if (provider == "xnnpack") {
      delegate = make_xnnpack(options.threads);
      destroy = api_.delete_xnnpack;
    } else if (provider == "edgetpu") {
      delegate = edge_tpu_.create(nullptr, nullptr, 0, [](const char*) {});
      destroy = edge_tpu_.destroy;
    }
    if (delegate == nullptr && provider != "cpu") {
      return Error(Code::kUnavailable, fmt::format("TFLite could not start its provider '{}'", provider));
    }
    auto session = std::make_unique<TfliteSession>(
        api_, std::map<std::string, std::string>{{"provider", provider}, {"precision", "f32"}});
    OREE_TRY(session->load(path, options.threads, delegate, destroy));
    OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(path));
    OREE_TRY_ASSIGN(TfliteFile parsed, read_tflite(file.bytes()));
    const TfliteSubgraph& graph = parsed.subgraphs.front();
    auto tensors = [&](const std::vector<int32_t>& indices) {
      std::vector<TfliteTensor> out;
      out.reserve(indices.size());
      for (int32_t i : indices) out.push_back(graph.tensors[static_cast<size_t>(i)]);
      return out;
    };
    OREE_TRY(session->describe(tensors(graph.inputs), tensors(graph.outputs)));
    return std::unique_ptr<Session>(std::move(session));
  }

  Api api_{};
  ExternalDelegate edge_tpu_;
};

}  // namespace

std::unique_ptr<Backend> make_tflite_backend() { return std::make_unique<TfliteBackend>(); }

}  // namespace oree
