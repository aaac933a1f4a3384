// SPDX-License-Identifier: Apache-2.0
// Backend opens a model file in one inference engine and gives a Session. Engines are loaded at run time from what
// the device has; one that is missing is an answer with a hint, never a crash. Implementations: runtime/backends/.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/tensor.h"

namespace oree {

// How a session computes. Part of a tuned candidate, so it has a text form and JSON form (session_options.h).
struct SessionOptions {
  int threads = 1;       // intra-op, 1..256
  std::string provider;  // "" = the engine's best CPU path; else a name from RuntimeInfo::providers
  // "f32": exact float32 arithmetic is demanded (OpenVINO gets INFERENCE_PRECISION_HINT=f32).
  // "default": what the engine does by itself (OpenVINO may silently compute in bf16).
  // "bf16", "f16": demanded; kUnsupported where the engine or CPU has none.
  std::string precision = "f32";
  // CPUs that the calling thread and the engine's own threads stay on, for cores that are not alike (big.LITTLE);
  // empty: wherever the kernel puts them. open() confines the thread that calls it, for good. In the JSON form only
  // when given.
  std::vector<int> cpus = {};
  // false: operators run as they are written. ONNX Runtime and OpenVINO else join DequantizeLinear, an operator and
  // QuantizeLinear to one of integers, which on x86 without VNNI saturates. For simulations and checks, never of what
  // is tuned or shipped; in the JSON form alone, and only when false.
  bool fused = true;
};

struct RealScale {
  float scale = 1;  // > 0
  int64_t zero_point = 0;
  bool operator==(const RealScale&) const = default;
};

struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::kFloat32;
  Shape shape;  // -1: unknown until run
  // Integers that stand for reals, and how: real = scale * (integer - zero_point). Known of TFLite files.
  std::optional<RealScale> reals = {};
};

struct RuntimeInfo {
  std::string name;  // of backend_names()
  bool available = false;
  std::string version;                  // of the engine itself
  std::string library;                  // path that was loaded
  std::string origin;                   // "system", "orée" (our pinned copy) or the environment variable that named it
  std::vector<std::string> providers;   // usable now: "cpu", "xnnpack", "cuda", "tensorrt", "openvino:GPU", …
  std::vector<std::string> formats;     // names of ModelFormat: "onnx", "tflite", …
  std::vector<std::string> precisions;  // values of SessionOptions::precision that mean something here
  // What is not here: provider or the engine itself -> why, and how to get it.
  std::map<std::string, std::string> absent;
};

// A loaded model. One thread at a time; different sessions may run in different threads.
class Session {
 public:
  virtual ~Session() = default;
  virtual const std::vector<TensorInfo>& inputs() const = 0;
  virtual const std::vector<TensorInfo>& outputs() const = 0;
  // Inputs in any order, matched by name (a single unnamed one matches a single input). kInvalid when a name, dtype
  // or shape does not fit, saying what was expected and found. Dynamic dimensions take the given size. float32 given
  // for integers that stand for reals (TensorInfo::reals) is quantized. Outputs come in the order of outputs(), as
  // copies.
  virtual Result<NamedTensors> run(const NamedTensors& inputs) = 0;

  // The fast path of benchmarks and applications: write into input_buffer(i), run_bound(), read output_view(i).
  // Valid only for models whose shapes are all known; kUnsupported otherwise. Views live until the next run.
  virtual Result<Tensor*> input_buffer(size_t index) = 0;
  virtual Status run_bound() = 0;
  virtual Result<const Tensor*> output_view(size_t index) = 0;

  // What the engine did in truth, for reports: {"provider": "cpu+xnnpack", "precision": "bf16"}.
  virtual std::map<std::string, std::string> facts() const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const RuntimeInfo& info() const = 0;
  // Is the file of a format that this engine alone knows? Of plug-ins (docs/engines.md).
  virtual bool knows(const std::string&) const { return false; }
  // kUnsupported: format, op or provider is not for this engine; kInvalid: the file is broken;
  // kUnavailable: the engine is not on this machine.
  virtual Result<std::unique_ptr<Session>> open(const std::string& model_path, const SessionOptions& options) = 0;
};

}  // namespace oree
