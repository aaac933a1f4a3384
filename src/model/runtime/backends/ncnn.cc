// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "model/ncnn/ncnn_file.h"
#include "model/runtime/backends/backends.h"
#include "model/runtime/backends/captured_stderr.h"
#include "model/runtime/backends/engine_backend.h"
#include "model/runtime/backends/handle.h"
#include "model/runtime/backends/ncnn_api.h"
#include "model/runtime/backends/session_base.h"
#include "model/runtime/files/model_file.h"

namespace oree {
namespace {

constexpr char kHowToGet[] = "./dev setup --ncnn fetches and builds it; or name a libncnn.so in OREE_NCNN_LIBRARY";
constexpr char kNoVulkan[] = "no GPU is asked of ncnn: its models run on the CPU here";

// Has it kernels for float16 here? On x86 those are for the weights of InnerProduct alone.
bool has_halves() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("f16c") != 0;
#else
  return true;
#endif
}

using Mat = Handle<NcnnMat>;

// --- between tensors and ncnn's arrays, whose channels begin at places that suit its kernels

Result<Mat> make_mat(const NcnnApi& api, const Shape& mat) {
  int d[4] = {};
  for (size_t i = 0; i < mat.size(); ++i) d[i] = static_cast<int>(mat[i]);
  NcnnMat* made = nullptr;
  if (mat.size() == 1) made = api.create_1d(d[0], nullptr);
  if (mat.size() == 2) made = api.create_2d(d[1], d[0], nullptr);
  if (mat.size() == 3) made = api.create_3d(d[2], d[1], d[0], nullptr);
  if (mat.size() == 4) made = api.create_4d(d[3], d[2], d[1], d[0], nullptr);
  Mat held = hold(made, api.destroy_mat);
  if (made == nullptr || api.data(made) == nullptr) return Error(Code::kExhausted, "ncnn has no room for an input");
  return held;
}

// Elements that lie together: all, or those of one channel.
size_t runs_of(const Shape& mat) { return mat.size() > 2 ? static_cast<size_t>(mat[0]) : 1; }

void* run_at(const NcnnApi& api, const NcnnMat* mat, const Shape& shape, size_t run) {
  return shape.size() > 2 ? api.channel(mat, static_cast<int>(run)) : api.data(mat);
}

void fill(const NcnnApi& api, const NcnnMat* mat, const Shape& shape, const Tensor& from) {
  const size_t runs = runs_of(shape), bytes = from.byte_size() / runs;
  for (size_t r = 0; r < runs; ++r) std::memcpy(run_at(api, mat, shape, r), from.data() + r * bytes, bytes);
}

Result<Shape> shape_of(const NcnnApi& api, const NcnnMat* mat) {
  const int rank = mat == nullptr || api.data(mat) == nullptr ? 0 : api.dims(mat);
  if (rank < 1 || rank > 4) return Error(Code::kInvalid, "it made nothing");
  if (api.element_size(mat) != 4 || api.element_pack(mat) != 1)
    return Error(Code::kUnsupported, "it is not of float32");
  Shape shape;
  if (rank > 2) shape.push_back(api.c(mat));
  if (rank > 3) shape.push_back(api.d(mat));
  if (rank > 1) shape.push_back(api.h(mat));
  shape.push_back(api.w(mat));
  OREE_TRY(shape_elements(shape));
  return shape;
}

void fetch(const NcnnApi& api, const NcnnMat* mat, const Shape& shape, Tensor& to) {
  const size_t runs = runs_of(shape), bytes = to.byte_size() / runs;
  for (size_t r = 0; r < runs; ++r) std::memcpy(to.data() + r * bytes, run_at(api, mat, shape, r), bytes);
}

Shape with_batch(Shape mat) {
  mat.insert(mat.begin(), 1);
  return mat;
}

class NcnnSession final : public SessionBase {
 public:
  NcnnSession(const NcnnApi& api, std::map<std::string, std::string> facts) : api_(api), facts_(std::move(facts)) {}
  ~NcnnSession() override {
    inputs_held_.clear();
    if (net_ != nullptr) api_.destroy_net(net_);
  }

  Status load(const std::string& path, const SessionOptions& options) {
    net_ = api_.create_net();
    if (net_ == nullptr) return Error(Code::kExhausted, "ncnn makes no net");
    set_options(options);
    const CapturedStderr said;
    if (api_.load_param(net_, path.c_str()) != 0)
      return Error(Code::kUnsupported, "ncnn cannot run this model: " + said.text());
    if (api_.load_model(net_, ncnn_weights_path(path).c_str()) != 0)
      return Error(Code::kInvalid, "ncnn cannot take these weights: " + said.text());
    return {};
  }

  // From the file: ncnn knows the names of blobs alone.
  Status describe(const NcnnFile& file) {
    noted_ = file.note.has_value();
    if (noted_) {
      for (const NcnnPort& p : file.note->inputs) add(p, inputs_, input_blobs_);
      for (const NcnnPort& p : file.note->outputs) add(p, outputs_, output_blobs_);
    } else {
      for (const std::string& blob : file.inputs) add({blob, blob, declared(file, blob)}, inputs_, input_blobs_);
      for (const std::string& blob : file.outputs) add({blob, blob, {}}, outputs_, output_blobs_);
    }
    make_names_unique(inputs_, "input");
    make_names_unique(outputs_, "output");
    if (inputs_.empty() || outputs_.empty()) return Error(Code::kInvalid, "it has no Input layer, or no output");
    return noted_ ? Status() : try_outputs();
  }

  Result<NamedTensors> run(const NamedTensors& given) override {
    OREE_TRY_ASSIGN(std::vector<const Tensor*> tensors, match_inputs(inputs_, given, !noted_));
    NamedTensors named;
    OREE_TRY(compute(tensors, [&](size_t i, const NcnnMat* mat, const Shape& shape) -> Status {
      Tensor tensor(Dtype::kFloat32, noted_ ? outputs_[i].shape : with_batch(shape));
      fetch(api_, mat, shape, tensor);
      named.push_back({outputs_[i].name, std::move(tensor)});
      return {};
    }));
    return named;
  }

  std::map<std::string, std::string> facts() const override { return facts_; }

 protected:
  Status bind() override { return {}; }

  Status execute_bound() override {
    return compute(bound_input_pointers(), [&](size_t i, const NcnnMat* mat, const Shape& shape) -> Status {
      Tensor& to = bound_outputs_[i];
      if (!noted_) OREE_TRY(check_like_bound(i, to.dtype(), with_batch(shape)));
      fetch(api_, mat, shape, to);
      return {};
    });
  }

 private:
  using Taker = std::function<Status(size_t, const NcnnMat*, const Shape&)>;

  void set_options(const SessionOptions& options) {
    NcnnOption* option = api_.option_of(net_);
    api_.set_threads(option, options.threads);
    if (options.precision == "f32") {
      api_.set_fp16_packed(option, 0);
      api_.set_fp16_storage(option, 0);
      api_.set_fp16_arithmetic(option, 0);
      api_.set_bf16_storage(option, 0);
      if (api_.set_bf16_packed != nullptr) api_.set_bf16_packed(option, 0);
    }
    auto allowed = [](int on) { return on != 0 ? "allowed" : "off"; };
    facts_["fp16_storage"] = allowed(api_.fp16_storage(option));
    facts_["fp16_arithmetic"] = allowed(api_.fp16_arithmetic(option));
    facts_["bf16_storage"] = allowed(api_.bf16_storage(option));
  }

  void add(const NcnnPort& port, std::vector<TensorInfo>& infos, std::vector<std::string>& blobs) {
    TensorInfo info;
    info.name = port.name;
    info.shape = port.shape;
    infos.push_back(std::move(info));
    blobs.push_back(port.blob);
  }

  // What the Input layer says of its size; nothing where it says none.
  static Shape declared(const NcnnFile& file, const std::string& blob) {
    for (const NcnnLayer& layer : file.layers) {
      if (layer.type != "Input" || std::ranges::count(layer.tops, blob) == 0) continue;
      Shape mat;
      for (int id : {2, 11, 1, 0}) {
        if (layer.integer(id, 0) > 0) mat.push_back(layer.integer(id, 0));
      }
      return mat.empty() || !shape_elements(mat).ok() ? Shape{} : with_batch(mat);
    }
    return {};
  }

  // Sizes of outputs are in no file of others: a run on zeros says them, where the inputs' are known.
  Status try_outputs() {
    std::vector<Tensor> zeros;
    for (const TensorInfo& info : inputs_) {
      if (info.shape.empty()) return {};
      zeros.emplace_back(Dtype::kFloat32, info.shape);
    }
    std::vector<const Tensor*> tensors;
    for (const Tensor& t : zeros) tensors.push_back(&t);
    const CapturedStderr quiet;
    return compute(tensors, [&](size_t i, const NcnnMat*, const Shape& shape) -> Status {
      outputs_[i].shape = with_batch(shape);
      return {};
    });
  }

  Status compute(const std::vector<const Tensor*>& tensors, const Taker& take) {
    Handle<NcnnExtractor> extractor = hold(api_.create_extractor(net_), api_.destroy_extractor);
    if (!extractor) return Error(Code::kExhausted, "ncnn makes no extractor");
    inputs_held_.resize(tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) OREE_TRY(give(*extractor, i, *tensors[i]));
    for (size_t i = 0; i < outputs_.size(); ++i) {
      NcnnMat* made = nullptr;
      const int failed = api_.extract(extractor.get(), output_blobs_[i].c_str(), &made);
      const Mat mat = hold(made, api_.destroy_mat);
      if (failed != 0) return Error(Code::kInvalid, fmt::format("ncnn cannot compute '{}'", outputs_[i].name));
      Result<Shape> shape = shape_of(api_, mat.get());
      if (!shape.ok()) return shape.error().within(fmt::format("output '{}'", outputs_[i].name));
      if (noted_ && *shape != ncnn_mat(outputs_[i].shape)) {
        return Error(Code::kInvalid, fmt::format("output '{}' is {} in ncnn, and {} by the file's note",
                                                 outputs_[i].name, shape_text(*shape), shape_text(outputs_[i].shape)));
      }
      OREE_TRY(take(i, mat.get(), *shape));
    }
    return {};
  }

  // Into an array that stays for the next run of the same shape. ncnn shares it and writes to a copy.
  Status give(NcnnExtractor& extractor, size_t i, const Tensor& tensor) {
    const Shape mat = ncnn_mat(tensor.shape());
    if (mat.size() > static_cast<size_t>(kNcnnMatRankMax) || tensor.elements() == 0) {
      return Error(Code::kInvalid, fmt::format("input '{}' cannot have the shape {} in ncnn", inputs_[i].name,
                                               shape_text(tensor.shape())));
    }
    Held& held = inputs_held_[i];
    if (!held.mat || held.shape != mat) {
      OREE_TRY_ASSIGN(Mat made, make_mat(api_, mat));
      held.mat.emplace(std::move(made));
      held.shape = mat;
    }
    fill(api_, held.mat->get(), mat, tensor);
    if (api_.input(&extractor, input_blobs_[i].c_str(), held.mat->get()) == 0) return {};
    return Error(Code::kInvalid, fmt::format("ncnn does not take input '{}'", inputs_[i].name));
  }

  struct Held {
    std::optional<Mat> mat;
    Shape shape;
  };

  const NcnnApi& api_;
  std::map<std::string, std::string> facts_;
  NcnnNetHandle* net_ = nullptr;
  bool noted_ = false;
  std::vector<std::string> input_blobs_, output_blobs_;
  std::vector<Held> inputs_held_;
};

class NcnnBackend final : public EngineBackend {
 public:
  NcnnBackend() : EngineBackend("ncnn", {ModelFormat::kNcnn}) {
    bool found = find_engine({"OREE_NCNN_LIBRARY", "libncnn.so", "ncnn"}, kHowToGet,
                             [&](const DynamicLibrary& library) -> Status {
                               OREE_TRY_ASSIGN(api_, load_ncnn(library));
                               return {};
                             });
    if (!found) return;
    info_.version = api_.version();
    info_.providers.push_back("cpu");
    info_.absent["vulkan"] = kNoVulkan;
    if (has_halves()) info_.precisions.push_back("f16");
  }

 private:
  Result<std::unique_ptr<Session>> open_checked(const std::string& path, const SessionOptions& options) override {
    if (options.precision == "bf16" || (options.precision == "f16" && !has_halves()))
      return Error(Code::kUnsupported, fmt::format("ncnn does not compute in {} on this processor", options.precision));
    const std::string provider = options.provider.empty() ? "cpu" : options.provider;
    OREE_TRY(check_provider(provider));
    OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(path));
    OREE_TRY_ASSIGN(NcnnFile parsed, read_ncnn(file.bytes(), ncnn_weights_size(path)));
    auto session = std::make_unique<NcnnSession>(
        api_, std::map<std::string, std::string>{
                  {"provider", provider}, {"precision", has_halves() && options.precision != "f32" ? "f16" : "f32"}});
    OREE_TRY(session->load(path, options));
    OREE_TRY(session->describe(parsed));
    return std::unique_ptr<Session>(std::move(session));
  }

  NcnnApi api_{};
};

}  // namespace

std::unique_ptr<Backend> make_ncnn_backend() { return std::make_unique<NcnnBackend>(); }

}  // namespace oree
