// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "model/runtime/backends/backends.h"
#include "model/runtime/backends/captured_stderr.h"
#include "model/runtime/backends/engine_backend.h"
#include "model/runtime/backends/plugin_api.h"
#include "model/runtime/backends/plugin_search.h"
#include "model/runtime/backends/session_base.h"
#include "model/runtime/files/model_file.h"
#include "model/runtime/files/torchscript_file.h"

namespace oree {
namespace {

using Ports = std::vector<PluginPort>;

// What a note says takes the place of what the program leaves open.
Status apply(const std::vector<NotedPort>& noted, Ports& ports, const char* side) {
  if (noted.empty()) return {};
  if (noted.size() != ports.size()) {
    return Error(Code::kInvalid,
                 fmt::format("its note names {} {}, its program has {}", noted.size(), side, ports.size()));
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    const NotedPort& from = noted[i];
    PluginPort& port = ports[i];
    if (!from.name.empty()) port.info.name = from.name;
    if (from.dtype && !port.dtype_known) {
      port.info.dtype = *from.dtype;
      port.dtype_known = true;
    }
    if (from.shape && !port.rank_known) {
      port.info.shape = *from.shape;
      port.rank_known = true;
    }
  }
  return {};
}

class PluginSession final : public SessionBase {
 public:
  explicit PluginSession(const OreeEngine& engine) : engine_(engine) {}
  ~PluginSession() override {
    if (session_ != nullptr) engine_.close(session_);
  }

  Status load(const std::string& path, const SessionOptions& options, const std::string& provider) {
    const OreeOpenOptions how{sizeof(OreeOpenOptions), options.threads, path.c_str(), options.precision.c_str(),
                              provider.c_str()};
    const CapturedStderr quiet;
    char error[OREE_ENGINE_ERROR_BYTES] = {};
    const int status = engine_.open(&how, &session_, error);
    if (status != OREE_ENGINE_OK) {
      session_ = nullptr;
      return plugin_error(engine_.name, status, error);
    }
    if (session_ == nullptr) return Error(Code::kInternal, fmt::format("{} opened nothing", engine_.name));
    read_facts(options, provider);
    return {};
  }

  Status describe(const ModelNote& note) {
    OREE_TRY_ASSIGN(inputs_known_, ports(engine_.inputs, "inputs"));
    OREE_TRY(apply(note.inputs, inputs_known_, "inputs"));
    OREE_TRY_ASSIGN(outputs_known_, ports(engine_.outputs, "outputs"));
    const bool sized = std::ranges::all_of(inputs_known_, &PluginPort::known);
    take_infos(inputs_known_, inputs_, "input");
    if (sized && (outputs_known_.empty() || !std::ranges::all_of(outputs_known_, &PluginPort::known)))
      OREE_TRY(try_outputs());
    OREE_TRY(apply(note.outputs, outputs_known_, "outputs"));
    if (outputs_known_.empty()) {
      return Error(Code::kUnsupported,
                   "how many outputs it has only a run tells, and that needs the types and sizes of its inputs");
    }
    take_infos(outputs_known_, outputs_, "output");
    return {};
  }

  Result<NamedTensors> run(const NamedTensors& named) override {
    NamedTensors renamed;
    const NamedTensors& given = by_position(named) ? (renamed = with_own_names(named)) : named;
    std::vector<TensorInfo> infos = inputs_;
    take_given_types(given, infos);
    OREE_TRY_ASSIGN(std::vector<const Tensor*> tensors, match_inputs(infos, given, !ranks_known()));
    NamedTensors out;
    Status ran = compute(tensors, [&](size_t i, const PluginTensor& made, const OreeTensor& from) -> Status {
      Tensor tensor(made.dtype, made.shape);
      if (from.bytes > 0) std::memcpy(tensor.data(), from.data, tensor.byte_size());
      out.push_back({outputs_[i].name, std::move(tensor)});
      return {};
    });
    if (ran.ok()) return out;
    // Who made the inputs up could not know better.
    if (ranks_known()) return ran.error();
    return Error(ran.error().code(), ran.error().message() +
                                         " (the file does not say the sizes of its inputs: give them, "
                                         "or see docs/engines.md for a note in it)");
  }

  Result<Tensor*> input_buffer(size_t index) override {
    if (std::ranges::all_of(inputs_known_, &PluginPort::known) &&
        std::ranges::all_of(outputs_known_, &PluginPort::known))
      return SessionBase::input_buffer(index);
    return Error(Code::kUnsupported, "bound runs need known types and shapes, use run()");
  }

  std::map<std::string, std::string> facts() const override { return facts_; }

 protected:
  Status bind() override { return {}; }

  Status execute_bound() override {
    return compute(bound_input_pointers(), [&](size_t i, const PluginTensor& made, const OreeTensor& from) -> Status {
      Tensor& to = bound_outputs_[i];
      OREE_TRY(check_like_bound(i, made.dtype, made.shape));
      if (from.bytes > 0) std::memcpy(to.data(), from.data, to.byte_size());
      return {};
    });
  }

 private:
  using Describe = int (*)(OreeEngineSession*, const OreeTensorInfo**, uint32_t*, char*);
  using Taker = std::function<Status(size_t, const PluginTensor&, const OreeTensor&)>;

  void read_facts(const SessionOptions& options, const std::string& provider) {
    facts_ = {{"provider", provider}, {"precision", options.precision}};
    for (uint32_t i = 0; i < OREE_ENGINE_WORDS_MAX; ++i) {
      const char *key = nullptr, *value = nullptr;
      if (engine_.fact(session_, i, &key, &value) != 1 || key == nullptr || value == nullptr) return;
      facts_[std::string(key, strnlen(key, OREE_ENGINE_TEXT_MAX))] =
          std::string(value, strnlen(value, OREE_ENGINE_TEXT_MAX));
    }
  }

  Result<Ports> ports(Describe ask, const char* side) const {
    const OreeTensorInfo* infos = nullptr;
    uint32_t count = 0;
    char error[OREE_ENGINE_ERROR_BYTES] = {};
    const int status = ask(session_, &infos, &count, error);
    if (status != OREE_ENGINE_OK) return plugin_error(engine_.name, status, error);
    Result<Ports> ports = plugin_ports(infos, count);
    if (!ports.ok()) return ports.error().within(fmt::format("{}, its {}", engine_.name, side));
    return ports;
  }

  static void take_infos(const Ports& ports, std::vector<TensorInfo>& infos, const char* prefix) {
    infos.clear();
    for (const PluginPort& port : ports) infos.push_back(port.info);
    make_names_unique(infos, prefix);
  }

  bool ranks_known() const { return std::ranges::all_of(inputs_known_, &PluginPort::rank_known); }

  // A model without names for its inputs takes those of another by position.
  bool by_position(const NamedTensors& given) const {
    return given.size() == inputs_.size() &&
           std::ranges::all_of(inputs_known_, [](const PluginPort& port) { return port.info.name.empty(); }) &&
           std::ranges::none_of(given, [&](const NamedTensor& tensor) {
             return std::ranges::any_of(inputs_, [&](const TensorInfo& info) { return info.name == tensor.name; });
           });
  }

  NamedTensors with_own_names(NamedTensors tensors) const {
    for (size_t i = 0; i < tensors.size(); ++i) tensors[i].name = inputs_[i].name;
    return tensors;
  }

  // Of an input whose type nobody said: whatever is given.
  void take_given_types(const NamedTensors& given, std::vector<TensorInfo>& infos) const {
    for (const NamedTensor& named : given) {
      for (size_t i = 0; i < infos.size(); ++i) {
        const bool meant = infos[i].name == named.name || (infos.size() == 1 && named.name.empty());
        if (meant && !inputs_known_[i].dtype_known) infos[i].dtype = named.tensor.dtype();
      }
    }
  }

  // A run on zeros says what the program does not.
  Status try_outputs() {
    std::vector<Tensor> zeros;
    for (const TensorInfo& info : inputs_) zeros.emplace_back(info.dtype, info.shape);
    std::vector<const Tensor*> tensors;
    for (const Tensor& t : zeros) tensors.push_back(&t);
    const bool counted = !outputs_known_.empty();
    Ports seen;
    const CapturedStderr quiet;
    Status tried = compute(tensors, [&](size_t, const PluginTensor& made, const OreeTensor&) -> Status {
      seen.emplace_back();
      seen.back().info.dtype = made.dtype;
      seen.back().info.shape = made.shape;
      return {};
    });
    if (!tried.ok()) return tried.error().within("a run on zeros, for the shapes of its outputs");
    OREE_TRY_ASSIGN(outputs_known_, ports(engine_.outputs, "outputs"));
    if (!counted && outputs_known_.size() != seen.size()) outputs_known_ = Ports(seen.size());
    for (size_t i = 0; i < seen.size() && i < outputs_known_.size(); ++i) {
      seen[i].info.name = outputs_known_[i].info.name;
      outputs_known_[i] = seen[i];
    }
    return {};
  }

  Status compute(const std::vector<const Tensor*>& tensors, const Taker& take) {
    std::vector<OreeTensor> given;
    for (const Tensor* tensor : tensors) {
      OREE_TRY_ASSIGN(const OreeTensor view, plugin_input(*tensor));
      given.push_back(view);
    }
    const OreeTensor* made = nullptr;
    uint32_t count = 0;
    char error[OREE_ENGINE_ERROR_BYTES] = {};
    const int status = engine_.run(session_, given.data(), static_cast<uint32_t>(given.size()), &made, &count, error);
    if (status != OREE_ENGINE_OK) return plugin_error(engine_.name, status, error);
    const bool fits = outputs_known_.empty() ? count <= OREE_ENGINE_TENSORS_MAX : count == outputs_known_.size();
    if (!fits || (count > 0 && made == nullptr))
      return Error(Code::kInvalid,
                   fmt::format("{} made {} outputs, expected {}", engine_.name, count, outputs_known_.size()));
    for (uint32_t i = 0; i < count; ++i) {
      Result<PluginTensor> tensor = plugin_tensor(made[i]);
      if (!tensor.ok()) return tensor.error().within(fmt::format("{}, output {}", engine_.name, i));
      OREE_TRY(take(i, *tensor, made[i]));
    }
    return {};
  }

  const OreeEngine& engine_;
  OreeEngineSession* session_ = nullptr;
  std::map<std::string, std::string> facts_;
  Ports inputs_known_, outputs_known_;
};

class PluginBackend final : public EngineBackend {
 public:
  PluginBackend(const std::string& name, std::vector<ModelFormat> formats, const std::string& how_to_get)
      : EngineBackend(name, std::move(formats)) {
    Result<LibraryCandidate> found =
        open_first_of(plugin_candidates(name), fmt::format("no {}.so in {}", name, plugin_places()),
                      [&](const DynamicLibrary& library) -> Status {
                        OREE_TRY_ASSIGN(engine_, load_plugin(library, name));
                        return {};
                      });
    if (!take_engine(found, how_to_get)) return;
    info_.version = engine_->version;
    info_.providers = plugin_words(engine_->providers);
    info_.precisions = plugin_words(engine_->precisions);
    formats_ = plugin_formats(*engine_);
    info_.formats = plugin_words(engine_->formats);
  }

  bool knows(const std::string& path) const override {
    return info_.available && engine_->probe != nullptr && engine_->probe(path.c_str()) == 1;
  }

 private:
  Result<std::unique_ptr<Session>> open_checked(const std::string& path, const SessionOptions& options) override {
    if (std::ranges::find(info_.precisions, options.precision) == info_.precisions.end()) {
      return Error(Code::kUnsupported, fmt::format("{} does not compute in {} (it has {})", info_.name,
                                                   options.precision, fmt::join(info_.precisions, ", ")));
    }
    const std::string provider = options.provider.empty() ? info_.providers[0] : options.provider;
    OREE_TRY(check_provider(provider));
    ModelNote note;
    {
      OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(path));
      const ModelFormat format = format_of(file.bytes(), path);
      if (format == ModelFormat::kUnknown && !knows(path))
        return Error(Code::kUnsupported, info_.name + " does not know this file");
      if (format == ModelFormat::kTorchscript) {
        OREE_TRY_ASSIGN(TorchscriptFile read, read_torchscript(file.bytes()));
        if (read.note) note = std::move(*read.note);
      }
    }
    auto session = std::make_unique<PluginSession>(*engine_);
    OREE_TRY(session->load(path, options, provider));
    OREE_TRY(session->describe(note));
    return std::unique_ptr<Session>(std::move(session));
  }

  const OreeEngine* engine_ = nullptr;
};

}  // namespace

std::unique_ptr<Backend> make_torchscript_backend() {
  return std::make_unique<PluginBackend>(
      "torchscript", std::vector{ModelFormat::kTorchscript},
      "./dev setup --torch builds it; or name the folder that holds it in OREE_ENGINES");
}

std::unique_ptr<Backend> make_executorch_backend() {
  return std::make_unique<PluginBackend>(
      "executorch", std::vector{ModelFormat::kExecutorch},
      "./dev setup --executorch builds it; or name the folder that holds it in OREE_ENGINES");
}

std::unique_ptr<Backend> make_plugin_backend(const std::string& name) {
  return std::make_unique<PluginBackend>(name, std::vector<ModelFormat>{},
                                         "docs/engines.md says what a plug-in must have");
}

}  // namespace oree
