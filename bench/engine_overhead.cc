// SPDX-License-Identifier: Apache-2.0
// What a Session costs above the engine: Session::run_bound against the engine's own C functions, same model, same
// settings, same inputs, in one process and in interleaved rounds.
//
//   engine_overhead MODEL [RUNTIME] [THREADS] [ROUNDS]
//
// Prints the medians and their ratio. The direct side moves its tensors in and out as an application must: bound once
// where the engine can, copied where it has memory of its own.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <vector>

#include "model/runtime/backends/dynamic_library.h"
#include "model/runtime/backends/onnxruntime_api.h"
#include "model/runtime/backends/openvino_api.h"
#include "model/runtime/registry.h"

namespace oree {
namespace {

void need(bool ok, const char* what) {
  if (ok) return;
  fmt::print(stderr, "engine_overhead: {} failed\n", what);
  std::exit(1);
}

struct Buffers {
  std::vector<TensorInfo> inputs, outputs;
  std::vector<Tensor> in, out;
};

using Run = std::function<void()>;

// Everything that a runner makes lives until the process ends.
Run direct_onnxruntime(const std::string& library_path, const std::string& model, int threads, Buffers& b) {
  Result<DynamicLibrary> library = DynamicLibrary::open(library_path);
  need(library.ok(), "opening ONNX Runtime");
  Result<ort::Api> loaded = ort::load_api(*library);
  need(loaded.ok(), "reading its functions");
  ort::Api api = *loaded;
  ort::Env* env = nullptr;
  ort::SessionOptions* options = nullptr;
  ort::Session* session = nullptr;
  ort::MemoryInfo* cpu = nullptr;
  need(!api.create_env([](void*, int, const char*, const char*, const char*, const char*) {}, nullptr, 3, "direct",
                       &env),
       "env");
  need(!api.create_options(&options), "options");
  need(!api.set_intra_threads(options, threads) && !api.set_inter_threads(options, 1), "threads");
  need(!api.set_optimization(options, 99), "optimization level");
  need(!api.create_session(env, model.c_str(), options, &session), "session");
  need(!api.cpu_memory(1, 0, &cpu), "memory info");
  auto wrap = [&](Tensor& t) {
    ort::Value* value = nullptr;
    need(!api.wrap_tensor(cpu, t.data(), t.byte_size(), t.shape().data(), t.shape().size(),
                          ort::element_type_of(t.dtype()), &value),
         "tensor");
    return value;
  };
  std::vector<const char*> in_names, out_names;
  std::vector<const ort::Value*> in;
  std::vector<ort::Value*> out;
  for (size_t i = 0; i < b.in.size(); ++i) in_names.push_back(b.inputs[i].name.c_str()), in.push_back(wrap(b.in[i]));
  for (size_t i = 0; i < b.out.size(); ++i)
    out_names.push_back(b.outputs[i].name.c_str()), out.push_back(wrap(b.out[i]));
  return [=]() mutable {
    need(!api.run(session, nullptr, in_names.data(), in.data(), in.size(), out_names.data(), out.size(), out.data()),
         "run");
  };
}

Run direct_openvino(const std::string& library_path, const std::string& model, int threads, Buffers& b) {
  Result<DynamicLibrary> library = DynamicLibrary::open(library_path);
  need(library.ok(), "opening OpenVINO");
  std::string version;
  Result<ov::Api> loaded = ov::load_api(*library, version);
  need(loaded.ok(), "reading its functions");
  ov::Api api = *loaded;
  ov::Core* core = nullptr;
  ov::Model* read = nullptr;
  ov::Compiled* compiled = nullptr;
  ov::Request* request = nullptr;
  std::string count = std::to_string(threads);
  need(!api.create_core(&core) && !api.read_model(core, model.c_str(), nullptr, &read), "reading the model");
  need(!api.compile(core, read, "CPU", 8, &compiled, "PERFORMANCE_HINT", "LATENCY", "NUM_STREAMS", "1",
                    "INFERENCE_NUM_THREADS", count.c_str(), "INFERENCE_PRECISION_HINT", "f32"),
       "compile");
  need(!api.create_request(compiled, &request), "request");
  auto wrap = [&](Tensor& t) {
    Shape dims = t.shape();
    ov::TensorHandle* handle = nullptr;
    need(!api.wrap_tensor(ov::element_type_of(t.dtype()), {static_cast<int64_t>(dims.size()), dims.data()}, t.data(),
                          &handle),
         "tensor");
    return handle;
  };
  for (size_t i = 0; i < b.in.size(); ++i) need(!api.set_input(request, i, wrap(b.in[i])), "input");
  for (size_t i = 0; i < b.out.size(); ++i) need(!api.set_output(request, i, wrap(b.out[i])), "output");
  return [=] { need(!api.infer(request), "run"); };
}

struct XnnpackOptions {
  int32_t threads;
  uint8_t rest[508];
};

Run direct_tflite(const std::string& library_path, const std::string& model, int threads, Buffers& b) {
  Result<DynamicLibrary> library = DynamicLibrary::open(library_path);
  need(library.ok(), "opening TFLite");
  auto f = [&]<typename F>(F*& function, const char* name) { need(library->bind(function, name).ok(), name); };
  void* (*create_model)(const char*) = nullptr;
  void* (*create_options)() = nullptr;
  void (*set_threads)(void*, int32_t) = nullptr;
  void (*add_delegate)(void*, void*) = nullptr;
  XnnpackOptions (*defaults)() = nullptr;
  void* (*create_delegate)(const XnnpackOptions*) = nullptr;
  void* (*create)(const void*, const void*) = nullptr;
  int (*allocate)(void*) = nullptr;
  int (*invoke)(void*) = nullptr;
  void* (*input)(const void*, int32_t) = nullptr;
  const void* (*output)(const void*, int32_t) = nullptr;
  int (*copy_in)(void*, const void*, size_t) = nullptr;
  int (*copy_out)(const void*, void*, size_t) = nullptr;
  f(create_model, "TfLiteModelCreateFromFile");
  f(create_options, "TfLiteInterpreterOptionsCreate");
  f(set_threads, "TfLiteInterpreterOptionsSetNumThreads");
  f(add_delegate, "TfLiteInterpreterOptionsAddDelegate");
  f(defaults, "TfLiteXNNPackDelegateOptionsDefault");
  f(create_delegate, "TfLiteXNNPackDelegateCreate");
  f(create, "TfLiteInterpreterCreate");
  f(allocate, "TfLiteInterpreterAllocateTensors");
  f(invoke, "TfLiteInterpreterInvoke");
  f(input, "TfLiteInterpreterGetInputTensor");
  f(output, "TfLiteInterpreterGetOutputTensor");
  f(copy_in, "TfLiteTensorCopyFromBuffer");
  f(copy_out, "TfLiteTensorCopyToBuffer");
  void* options = create_options();
  set_threads(options, threads);
  XnnpackOptions xnnpack = defaults();
  xnnpack.threads = threads;
  add_delegate(options, create_delegate(&xnnpack));
  void* interpreter = create(create_model(model.c_str()), options);
  need(interpreter != nullptr && allocate(interpreter) == 0, "interpreter");
  return [=, &b] {
    for (size_t i = 0; i < b.in.size(); ++i) {
      need(!copy_in(input(interpreter, static_cast<int32_t>(i)), b.in[i].data(), b.in[i].byte_size()), "input");
    }
    need(!invoke(interpreter), "run");
    for (size_t i = 0; i < b.out.size(); ++i) {
      need(!copy_out(output(interpreter, static_cast<int32_t>(i)), b.out[i].data(), b.out[i].byte_size()), "output");
    }
  };
}

double milliseconds(const Run& run) {
  auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<int64_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

int measure(const std::string& model, const std::string& name, int threads, int rounds) {
  const RuntimeInfo& info = backend(name).info();
  need(info.available, "finding the engine");
  Result<std::unique_ptr<Session>> session = backend(name).open(model, {threads, "", "f32"});
  if (!session.ok()) {
    fmt::print(stderr, "engine_overhead: {}\n", session.error().message());
    return 1;
  }
  Buffers b{(*session)->inputs(), (*session)->outputs(), {}, {}};
  for (const TensorInfo& t : b.inputs) b.in.emplace_back(t.dtype, t.shape);
  for (const TensorInfo& t : b.outputs) b.out.emplace_back(t.dtype, t.shape);
  Run direct = name == "onnxruntime" ? direct_onnxruntime(info.library, model, threads, b)
               : name == "openvino"  ? direct_openvino(info.library, model, threads, b)
                                     : direct_tflite(info.library, model, threads, b);
  for (size_t i = 0; i < b.in.size(); ++i) need((*session)->input_buffer(i).ok(), "binding");
  Run ours = [&] { need((*session)->run_bound().ok(), "run_bound"); };
  std::vector<double> a, c;
  for (int i = 0; i < 10; ++i) ours(), direct();
  // The order alternates too: whoever comes second finds other caches.
  for (int i = 0; i < rounds; ++i) {
    if (i % 2 == 0) a.push_back(milliseconds(ours));
    c.push_back(milliseconds(direct));
    if (i % 2 == 1) a.push_back(milliseconds(ours));
  }
  for (size_t i = 0; i < b.out.size(); ++i) {
    need((*(*session)->output_view(i))->bytes().size() == b.out[i].byte_size(), "comparing sizes");
    need(std::equal(b.out[i].bytes().begin(), b.out[i].bytes().end(), (*(*session)->output_view(i))->data()),
         "equal outputs");
  }
  fmt::print("{:12} {} threads {}: session {:.3f} ms, direct {:.3f} ms, ratio {:.4f} ({} rounds)\n", name,
             model.substr(model.rfind('/') + 1), threads, median(a), median(c), median(a) / median(c), rounds);
  return 0;
}

}  // namespace
}  // namespace oree

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: engine_overhead MODEL [RUNTIME] [THREADS] [ROUNDS]\n");
    return 2;
  }
  oree::Result<oree::ModelFormat> format = oree::detect_format(argv[1]);
  if (!format.ok()) {
    fmt::print(stderr, "engine_overhead: {}\n", format.error().message());
    return 1;
  }
  oree::Result<std::string> runtime = argc > 2 ? std::string(argv[2]) : oree::default_backend(*format);
  if (!runtime.ok()) return 1;
  return oree::measure(argv[1], *runtime, argc > 3 ? std::atoi(argv[3]) : 1, argc > 4 ? std::atoi(argv[4]) : 200);
}
