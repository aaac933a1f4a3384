// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/onnxruntime_api.h"

#include <fmt/format.h>

namespace oree::ort {
namespace {

struct ApiBase {
  const void* const* (*table)(uint32_t version);
  const char* (*version)();
};

template <typename F>
void take(F*& function, const void* const* table, size_t place) {
  function = reinterpret_cast<F*>(const_cast<void*>(table[place]));
}

struct Element {
  Dtype dtype;
  int code;
};
constexpr Element kElements[] = {{Dtype::kFloat32, 1},  {Dtype::kUint8, 2},   {Dtype::kInt8, 3},
                                 {Dtype::kUint16, 4},   {Dtype::kInt16, 5},   {Dtype::kInt32, 6},
                                 {Dtype::kInt64, 7},    {Dtype::kBool, 9},    {Dtype::kFloat16, 10},
                                 {Dtype::kFloat64, 11}, {Dtype::kUint32, 12}, {Dtype::kUint64, 13}};

}  // namespace

Result<Dtype> dtype_of(int element_type) {
  for (const Element& e : kElements) {
    if (e.code == element_type) return e.dtype;
  }
  return Error(Code::kUnsupported, fmt::format("ONNX element type {} is not one that orée exchanges", element_type));
}

int element_type_of(Dtype dtype) {
  for (const Element& e : kElements) {
    if (e.dtype == dtype) return e.code;
  }
  return 0;
}

Result<Api> load_api(const DynamicLibrary& library) {
  const ApiBase* (*get_base)() = nullptr;
  OREE_TRY(library.bind(get_base, "OrtGetApiBase"));
  const ApiBase* base = get_base();
  Api api{};
  api.version = base->version();
  const void* const* t = base->table(kApiVersion);
  if (t == nullptr) {
    return Error(Code::kUnsupported, fmt::format("{} is ONNX Runtime {}, but 1.{} or newer is needed", library.path(),
                                                 api.version, kApiVersion));
  }
  take(api.error_code, t, 1);
  take(api.error_message, t, 2);
  take(api.create_env, t, 4);
  take(api.create_session, t, 7);
  take(api.run, t, 9);
  take(api.create_options, t, 10);
  take(api.set_execution_mode, t, 13);
  take(api.set_optimization, t, 23);
  take(api.set_intra_threads, t, 24);
  take(api.set_inter_threads, t, 25);
  take(api.input_count, t, 30);
  take(api.output_count, t, 31);
  take(api.input_type, t, 33);
  take(api.output_type, t, 34);
  take(api.input_name, t, 36);
  take(api.output_name, t, 37);
  take(api.wrap_tensor, t, 49);
  take(api.is_tensor, t, 50);
  take(api.tensor_data, t, 51);
  take(api.as_tensor_type, t, 55);
  take(api.element_type, t, 60);
  take(api.rank, t, 61);
  take(api.dimensions, t, 62);
  take(api.tensor_type_of, t, 65);
  take(api.cpu_memory, t, 69);
  take(api.allocator_free, t, 76);
  take(api.default_allocator, t, 78);
  take(api.release_status, t, 93);
  take(api.release_memory_info, t, 94);
  take(api.release_session, t, 95);
  take(api.release_value, t, 96);
  take(api.release_type, t, 98);
  take(api.release_tensor_type, t, 99);
  take(api.release_options, t, 100);
  take(api.available_providers, t, 125);
  take(api.release_providers, t, 126);
  take(api.append_tensorrt, t, 170);
  take(api.create_tensorrt_options, t, 171);
  take(api.update_tensorrt_options, t, 172);
  take(api.release_tensorrt_options, t, 174);
  take(api.append_cuda, t, 204);
  take(api.create_cuda_options, t, 205);
  take(api.update_cuda_options, t, 206);
  take(api.release_cuda_options, t, 208);
  take(api.append_provider, t, 216);
  return api;
}

}  // namespace oree::ort
