// SPDX-License-Identifier: Apache-2.0
// The part of OpenVINO's C interface that we use, in our own declarations: no header of the engine is needed to build.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/tensor.h"
#include "model/runtime/backends/dynamic_library.h"

namespace oree::ov {

struct Core;
struct Model;
struct Compiled;
struct Request;
struct Port;
struct TensorHandle;

struct Version {
  const char* build;
  const char* description;
};
struct Devices {
  char** names;
  size_t count;
};
struct FixedShape {
  int64_t rank;
  int64_t* dims;
};
struct Dimension {
  int64_t min;
  int64_t max;
};
struct PartialShape {
  Dimension rank;  // min == max unless the rank is unknown
  Dimension* dims;
};

// Functions return 0 or a negative status.
struct Api {
  int (*version)(Version*);
  void (*free_version)(Version*);
  const char* (*last_error)();
  void (*free_text)(const char*);
  int (*create_core)(Core**);
  void (*free_core)(Core*);
  int (*devices)(const Core*, Devices*);
  void (*free_devices)(Devices*);
  int (*core_property)(const Core*, const char* device, const char* key, char** value);
  int (*read_model)(const Core*, const char* path, const char* weights, Model**);
  void (*free_model)(Model*);
  // Then `argument_count` texts: key, value, key, value …
  int (*compile)(const Core*, const Model*, const char* device, size_t argument_count, Compiled**, ...);
  void (*free_compiled)(Compiled*);
  int (*property)(const Compiled*, const char* key, char** value);
  int (*input_count)(const Compiled*, size_t*);
  int (*output_count)(const Compiled*, size_t*);
  int (*input)(const Compiled*, size_t, Port**);
  int (*output)(const Compiled*, size_t, Port**);
  int (*input_by_name)(const Compiled*, const char*, Port**);
  int (*output_by_name)(const Compiled*, const char*, Port**);
  void (*free_port)(Port*);
  int (*port_name)(const Port*, char**);
  int (*port_shape)(const Port*, PartialShape*);
  int (*port_type)(const Port*, int*);
  void (*free_partial_shape)(PartialShape*);
  int (*create_request)(const Compiled*, Request**);
  void (*free_request)(Request*);
  int (*set_input)(Request*, size_t, const TensorHandle*);
  int (*set_output)(Request*, size_t, const TensorHandle*);
  int (*get_output)(const Request*, size_t, TensorHandle**);
  int (*infer)(Request*);
  int (*wrap_tensor)(int type, FixedShape, void* data, TensorHandle**);
  void (*free_tensor)(TensorHandle*);
  int (*tensor_shape)(const TensorHandle*, FixedShape*);
  int (*free_shape)(FixedShape*);
  int (*tensor_type)(const TensorHandle*, int*);
  int (*tensor_data)(const TensorHandle*, void**);
};

// kUnsupported when the library lacks a function or is older than 2025.0, whose element types have other numbers.
Result<Api> load_api(const DynamicLibrary& library, std::string& version);

Result<Dtype> dtype_of(int element_type);
int element_type_of(Dtype dtype);

}  // namespace oree::ov
