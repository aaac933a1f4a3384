// SPDX-License-Identifier: Apache-2.0
// The part of ONNX Runtime's C interface that we use, in our own declarations: no header of the engine is needed to
// build. The library hands out one table of function pointers that only ever grows at its end, so a function is known
// by its place in it. The places were checked against the header of release 1.21; all exist since release 1.12.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/tensor.h"
#include "model/runtime/backends/dynamic_library.h"

namespace oree::ort {

struct Status;
struct Env;
struct SessionOptions;
struct Session;
struct RunOptions;
struct Value;
struct MemoryInfo;
struct TypeInfo;
struct TensorInfo;
struct Allocator;
struct ProviderOptions;  // of CUDA or TensorRT

inline constexpr uint32_t kApiVersion = 12;

using Logger = void(void* param, int severity, const char* category, const char* id, const char* where,
                    const char* message);

struct Api {
  int (*error_code)(const Status*);
  const char* (*error_message)(const Status*);
  Status* (*create_env)(Logger*, void* param, int severity, const char* id, Env**);
  Status* (*create_session)(const Env*, const char* path, const SessionOptions*, Session**);
  Status* (*run)(Session*, const RunOptions*, const char* const* input_names, const Value* const* inputs,
                 size_t input_count, const char* const* output_names, size_t output_count, Value** outputs);
  Status* (*create_options)(SessionOptions**);
  Status* (*set_execution_mode)(SessionOptions*, int mode);
  Status* (*set_optimization)(SessionOptions*, int level);
  Status* (*set_intra_threads)(SessionOptions*, int);
  Status* (*set_inter_threads)(SessionOptions*, int);
  Status* (*input_count)(const Session*, size_t*);
  Status* (*output_count)(const Session*, size_t*);
  Status* (*input_type)(const Session*, size_t, TypeInfo**);
  Status* (*output_type)(const Session*, size_t, TypeInfo**);
  Status* (*input_name)(const Session*, size_t, Allocator*, char**);
  Status* (*output_name)(const Session*, size_t, Allocator*, char**);
  Status* (*wrap_tensor)(const MemoryInfo*, void* data, size_t bytes, const int64_t* shape, size_t rank, int type,
                         Value**);
  Status* (*is_tensor)(const Value*, int*);
  Status* (*tensor_data)(Value*, void**);
  Status* (*as_tensor_type)(const TypeInfo*, const TensorInfo**);  // null when the type is not a tensor; borrowed
  Status* (*element_type)(const TensorInfo*, int*);
  Status* (*rank)(const TensorInfo*, size_t*);
  Status* (*dimensions)(const TensorInfo*, int64_t*, size_t rank);
  Status* (*tensor_type_of)(const Value*, TensorInfo**);
  Status* (*cpu_memory)(int allocator, int kind, MemoryInfo**);
  Status* (*allocator_free)(Allocator*, void*);
  Status* (*default_allocator)(Allocator**);  // borrowed
  void (*release_status)(Status*);
  void (*release_memory_info)(MemoryInfo*);
  void (*release_session)(Session*);
  void (*release_value)(Value*);
  void (*release_type)(TypeInfo*);
  void (*release_tensor_type)(TensorInfo*);
  void (*release_options)(SessionOptions*);
  Status* (*available_providers)(char***, int*);
  Status* (*release_providers)(char**, int);
  Status* (*append_tensorrt)(SessionOptions*, const ProviderOptions*);
  Status* (*create_tensorrt_options)(ProviderOptions**);
  Status* (*update_tensorrt_options)(ProviderOptions*, const char* const* keys, const char* const* values, size_t);
  void (*release_tensorrt_options)(ProviderOptions*);
  Status* (*append_cuda)(SessionOptions*, const ProviderOptions*);
  Status* (*create_cuda_options)(ProviderOptions**);
  Status* (*update_cuda_options)(ProviderOptions*, const char* const* keys, const char* const* values, size_t);
  void (*release_cuda_options)(ProviderOptions*);
  Status* (*append_provider)(SessionOptions*, const char* name, const char* const* keys, const char* const* values,
                             size_t);
  const char* version;
};

// kUnsupported when the library is older than kApiVersion or is not ONNX Runtime.
Result<Api> load_api(const DynamicLibrary& library);

// ONNX's element types (onnx.proto, TensorProto.DataType), which the engine uses unchanged.
Result<Dtype> dtype_of(int element_type);
int element_type_of(Dtype dtype);

}  // namespace oree::ort
