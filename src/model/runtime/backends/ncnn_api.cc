// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/ncnn_api.h"

namespace oree {
namespace {

Status bind_options(const DynamicLibrary& library, NcnnApi& api) {
  OREE_TRY(library.bind(api.set_threads, "ncnn_option_set_num_threads"));
  OREE_TRY(library.bind(api.set_fp16_packed, "ncnn_option_set_use_fp16_packed"));
  OREE_TRY(library.bind(api.set_fp16_storage, "ncnn_option_set_use_fp16_storage"));
  OREE_TRY(library.bind(api.set_fp16_arithmetic, "ncnn_option_set_use_fp16_arithmetic"));
  OREE_TRY(library.bind(api.set_bf16_storage, "ncnn_option_set_use_bf16_storage"));
  OREE_TRY(library.bind(api.fp16_storage, "ncnn_option_get_use_fp16_storage"));
  OREE_TRY(library.bind(api.fp16_arithmetic, "ncnn_option_get_use_fp16_arithmetic"));
  OREE_TRY(library.bind(api.bf16_storage, "ncnn_option_get_use_bf16_storage"));
  if (!library.bind(api.set_bf16_packed, "ncnn_option_set_use_bf16_packed").ok()) api.set_bf16_packed = nullptr;
  return {};
}

Status bind_mats(const DynamicLibrary& library, NcnnApi& api) {
  OREE_TRY(library.bind(api.create_1d, "ncnn_mat_create_1d"));
  OREE_TRY(library.bind(api.create_2d, "ncnn_mat_create_2d"));
  OREE_TRY(library.bind(api.create_3d, "ncnn_mat_create_3d"));
  OREE_TRY(library.bind(api.create_4d, "ncnn_mat_create_4d"));
  OREE_TRY(library.bind(api.destroy_mat, "ncnn_mat_destroy"));
  OREE_TRY(library.bind(api.dims, "ncnn_mat_get_dims"));
  OREE_TRY(library.bind(api.w, "ncnn_mat_get_w"));
  OREE_TRY(library.bind(api.h, "ncnn_mat_get_h"));
  OREE_TRY(library.bind(api.d, "ncnn_mat_get_d"));
  OREE_TRY(library.bind(api.c, "ncnn_mat_get_c"));
  OREE_TRY(library.bind(api.element_size, "ncnn_mat_get_elemsize"));
  OREE_TRY(library.bind(api.element_pack, "ncnn_mat_get_elempack"));
  OREE_TRY(library.bind(api.data, "ncnn_mat_get_data"));
  return library.bind(api.channel, "ncnn_mat_get_channel_data");
}

}  // namespace

Result<NcnnApi> load_ncnn(const DynamicLibrary& library) {
  NcnnApi api{};
  OREE_TRY(library.bind(api.version, "ncnn_version"));
  OREE_TRY(library.bind(api.create_net, "ncnn_net_create"));
  OREE_TRY(library.bind(api.destroy_net, "ncnn_net_destroy"));
  OREE_TRY(library.bind(api.option_of, "ncnn_net_get_option"));
  OREE_TRY(library.bind(api.load_param, "ncnn_net_load_param"));
  OREE_TRY(library.bind(api.load_model, "ncnn_net_load_model"));
  OREE_TRY(library.bind(api.create_extractor, "ncnn_extractor_create"));
  OREE_TRY(library.bind(api.destroy_extractor, "ncnn_extractor_destroy"));
  OREE_TRY(library.bind(api.input, "ncnn_extractor_input"));
  OREE_TRY(library.bind(api.extract, "ncnn_extractor_extract"));
  OREE_TRY(bind_options(library, api));
  OREE_TRY(bind_mats(library, api));
  return api;
}

}  // namespace oree
