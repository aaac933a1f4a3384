// SPDX-License-Identifier: Apache-2.0
#include "direct.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "model/runtime/backends/dynamic_library.h"
#include "model/runtime/backends/onnxruntime_api.h"
#include "model/runtime/backends/openvino_api.h"

namespace oree {

void need(bool ok, const char* what) {
  if (ok) return;
  fmt::print(stderr, "{} failed\n", what);
  std::exit(1);
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

namespace {

Direct direct_onnxruntime(const std::string& library_path, const std::string& model, int threads, Buffers& b) {
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
  auto run = [=]() mutable {
    need(!api.run(session, nullptr, in_names.data(), in.data(), in.size(), out_names.data(), out.size(), out.data()),
         "run");
  };
  return {[] {}, run, [] {}};
}

Direct direct_openvino(const std::string& library_path, const std::string& model, int threads, Buffers& b) {
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
  return {[] {}, [=] { need(!api.infer(request), "run"); }, [] {}};
}

struct XnnpackOptions {
  int32_t threads;
  uint8_t rest[508];
};

Direct direct_tflite(const std::string& library_path, const std::string& model, int threads, Buffers& b) {
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
  auto put = [=, &b] {
    for (size_t i = 0; i < b.in.size(); ++i) {
      need(!copy_in(input(interpreter, static_cast<int32_t>(i)), b.in[i].data(), b.in[i].byte_size()), "input");
    }
  };
  auto get = [=, &b] {
    for (size_t i = 0; i < b.out.size(); ++i) {
      need(!copy_out(output(interpreter, static_cast<int32_t>(i)), b.out[i].data(), b.out[i].byte_size()), "output");
    }
  };
  return {put, [=] { need(!invoke(interpreter), "run"); }, get};
}

}  // namespace

Direct open_direct(const std::string& runtime, const std::string& library, const std::string& model, int threads,
                   Buffers& buffers) {
  need(runtime == "onnxruntime" || runtime == "openvino" || runtime == "tflite", "knowing the engine");
  return runtime == "onnxruntime" ? direct_onnxruntime(library, model, threads, buffers)
         : runtime == "openvino"  ? direct_openvino(library, model, threads, buffers)
                                  : direct_tflite(library, model, threads, buffers);
}

}  // namespace oree
