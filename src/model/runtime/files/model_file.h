// SPDX-License-Identifier: Apache-2.0
// A model file, mapped read-only, and the check that goes before any engine sees it: engines are written for files
// from their own exporters and may crash on hostile bytes, so what is malformed is refused here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "model/runtime/registry.h"

namespace oree {

// The file's bytes for as long as the object lives. The file must not be truncated meanwhile.
class MappedFile {
 public:
  // kNotFound, kInvalid (a folder, empty, over kModelBytesMax), kUnavailable.
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  ByteView bytes() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

ModelFormat format_of(ByteView file, const std::string& path);

// kUnsupported when the format is not among `formats`, kInvalid when the structure is broken.
Status check_model_file(const std::string& path, const std::vector<ModelFormat>& formats, const std::string& engine);

}  // namespace oree
