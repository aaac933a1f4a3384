// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/openvino_api.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace oree::ov {
namespace {

constexpr char kVersionMin[] = "2025.0.0";

struct Element {
  Dtype dtype;
  int code;
};
constexpr Element kElements[] = {{Dtype::kBool, 1},   {Dtype::kFloat16, 3}, {Dtype::kFloat32, 4}, {Dtype::kFloat64, 5},
                                 {Dtype::kInt8, 7},   {Dtype::kInt16, 8},   {Dtype::kInt32, 9},   {Dtype::kInt64, 10},
                                 {Dtype::kUint8, 16}, {Dtype::kUint16, 17}, {Dtype::kUint32, 18}, {Dtype::kUint64, 19}};

}  // namespace

Result<Dtype> dtype_of(int element_type) {
  for (const Element& e : kElements) {
    if (e.code == element_type) return e.dtype;
  }
  return Error(Code::kUnsupported,
               fmt::format("OpenVINO element type {} is not one that orée exchanges", element_type));
}

int element_type_of(Dtype dtype) {
  for (const Element& e : kElements) {
    if (e.dtype == dtype) return e.code;
  }
  return 0;
}

Result<Api> load_api(const DynamicLibrary& library, std::string& version) {
  Api api{};
  OREE_TRY(library.bind(api.version, "ov_get_openvino_version"));
  OREE_TRY(library.bind(api.free_version, "ov_version_free"));
  Version raw{};
  if (api.version(&raw) != 0) return Error(Code::kUnsupported, library.path() + " does not tell its version");
  std::string build = raw.build != nullptr ? raw.build : "";
  api.free_version(&raw);
  version = build.substr(0, build.find('-'));
  if (compare_versions(version, kVersionMin) < 0) {
    return Error(Code::kUnsupported,
                 fmt::format("{} is OpenVINO {}, but {} or newer is needed", library.path(), version, kVersionMin));
  }
  OREE_TRY(library.bind(api.last_error, "ov_get_last_err_msg"));
  OREE_TRY(library.bind(api.free_text, "ov_free"));
  OREE_TRY(library.bind(api.create_core, "ov_core_create"));
  OREE_TRY(library.bind(api.free_core, "ov_core_free"));
  OREE_TRY(library.bind(api.devices, "ov_core_get_available_devices"));
  OREE_TRY(library.bind(api.free_devices, "ov_available_devices_free"));
  OREE_TRY(library.bind(api.core_property, "ov_core_get_property"));
  OREE_TRY(library.bind(api.read_model, "ov_core_read_model"));
  OREE_TRY(library.bind(api.free_model, "ov_model_free"));
  OREE_TRY(library.bind(api.compile, "ov_core_compile_model"));
  OREE_TRY(library.bind(api.free_compiled, "ov_compiled_model_free"));
  OREE_TRY(library.bind(api.property, "ov_compiled_model_get_property"));
  OREE_TRY(library.bind(api.input_count, "ov_compiled_model_inputs_size"));
  OREE_TRY(library.bind(api.output_count, "ov_compiled_model_outputs_size"));
  OREE_TRY(library.bind(api.input, "ov_compiled_model_input_by_index"));
  OREE_TRY(library.bind(api.output, "ov_compiled_model_output_by_index"));
  OREE_TRY(library.bind(api.input_by_name, "ov_compiled_model_input_by_name"));
  OREE_TRY(library.bind(api.output_by_name, "ov_compiled_model_output_by_name"));
  OREE_TRY(library.bind(api.free_port, "ov_output_const_port_free"));
  OREE_TRY(library.bind(api.port_name, "ov_port_get_any_name"));
  OREE_TRY(library.bind(api.port_shape, "ov_port_get_partial_shape"));
  OREE_TRY(library.bind(api.port_type, "ov_port_get_element_type"));
  OREE_TRY(library.bind(api.free_partial_shape, "ov_partial_shape_free"));
  OREE_TRY(library.bind(api.create_request, "ov_compiled_model_create_infer_request"));
  OREE_TRY(library.bind(api.free_request, "ov_infer_request_free"));
  OREE_TRY(library.bind(api.set_input, "ov_infer_request_set_input_tensor_by_index"));
  OREE_TRY(library.bind(api.set_output, "ov_infer_request_set_output_tensor_by_index"));
  OREE_TRY(library.bind(api.get_output, "ov_infer_request_get_output_tensor_by_index"));
  OREE_TRY(library.bind(api.infer, "ov_infer_request_infer"));
  OREE_TRY(library.bind(api.wrap_tensor, "ov_tensor_create_from_host_ptr"));
  OREE_TRY(library.bind(api.free_tensor, "ov_tensor_free"));
  OREE_TRY(library.bind(api.tensor_shape, "ov_tensor_get_shape"));
  OREE_TRY(library.bind(api.free_shape, "ov_shape_free"));
  OREE_TRY(library.bind(api.tensor_type, "ov_tensor_get_element_type"));
  OREE_TRY(library.bind(api.tensor_data, "ov_tensor_data"));
  return api;
}

}  // namespace oree::ov
