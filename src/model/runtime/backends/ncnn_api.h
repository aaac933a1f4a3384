// SPDX-License-Identifier: Apache-2.0
// ncnn's C interface in our own declarations; handles are opaque. Internal to model/runtime/backends.
#pragma once

#include <cstddef>

#include "model/runtime/backends/dynamic_library.h"

namespace oree {

struct NcnnNetHandle;
struct NcnnOption;
struct NcnnExtractor;
struct NcnnMat;
struct NcnnAllocator;

struct NcnnApi {
  const char* (*version)();
  NcnnNetHandle* (*create_net)();
  void (*destroy_net)(NcnnNetHandle*);
  NcnnOption* (*option_of)(NcnnNetHandle*);  // the net's own, not a copy
  int (*load_param)(NcnnNetHandle*, const char* path);
  int (*load_model)(NcnnNetHandle*, const char* path);

  void (*set_threads)(NcnnOption*, int);
  void (*set_fp16_packed)(NcnnOption*, int);
  void (*set_fp16_storage)(NcnnOption*, int);
  void (*set_fp16_arithmetic)(NcnnOption*, int);
  void (*set_bf16_storage)(NcnnOption*, int);
  int (*fp16_storage)(const NcnnOption*);
  int (*fp16_arithmetic)(const NcnnOption*);
  int (*bf16_storage)(const NcnnOption*);

  NcnnExtractor* (*create_extractor)(NcnnNetHandle*);
  void (*destroy_extractor)(NcnnExtractor*);
  int (*input)(NcnnExtractor*, const char* name, const NcnnMat*);
  int (*extract)(NcnnExtractor*, const char* name, NcnnMat**);

  NcnnMat* (*create_1d)(int w, NcnnAllocator*);
  NcnnMat* (*create_2d)(int w, int h, NcnnAllocator*);
  NcnnMat* (*create_3d)(int w, int h, int c, NcnnAllocator*);
  NcnnMat* (*create_4d)(int w, int h, int d, int c, NcnnAllocator*);
  void (*destroy_mat)(NcnnMat*);
  int (*dims)(const NcnnMat*);
  int (*w)(const NcnnMat*);
  int (*h)(const NcnnMat*);
  int (*d)(const NcnnMat*);
  int (*c)(const NcnnMat*);
  size_t (*element_size)(const NcnnMat*);
  int (*element_pack)(const NcnnMat*);
  void* (*data)(const NcnnMat*);
  void* (*channel)(const NcnnMat*, int);

  // Later than the rest, and only where it is: bf16 in packs.
  void (*set_bf16_packed)(NcnnOption*, int);
};

Result<NcnnApi> load_ncnn(const DynamicLibrary& library);

}  // namespace oree
