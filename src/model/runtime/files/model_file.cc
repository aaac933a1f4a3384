// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/files/model_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "model/ncnn/ncnn_file.h"
#include "model/onnx/onnx_file.h"
#include "model/runtime/files/openvino_file.h"
#include "model/runtime/files/torchscript_file.h"
#include "model/tflite/tflite_file.h"

namespace oree {

const char* format_name(ModelFormat format) {
  switch (format) {
    case ModelFormat::kOnnx: return "onnx";
    case ModelFormat::kTflite: return "tflite";
    case ModelFormat::kOpenvino: return "openvino";
    case ModelFormat::kNcnn: return "ncnn";
    case ModelFormat::kTorchscript: return "torchscript";
    case ModelFormat::kExecutorch: return "executorch";
    case ModelFormat::kOther: return "other";
    case ModelFormat::kUnknown: break;
  }
  return "unknown";
}

const char* no_format_text() {
  return "neither ONNX, TFLite, OpenVINO IR, ncnn, TorchScript, ExecuTorch nor of a plug-in that is here";
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    Code code = errno == ENOENT || errno == ENOTDIR ? Code::kNotFound : Code::kUnavailable;
    return Error(code, fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  }
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return Error(Code::kInvalid, path + " is not a file");
  }
  if (status.st_size == 0 || status.st_size > kModelBytesMax) {
    ::close(fd);
    return Error(Code::kInvalid, status.st_size == 0
                                     ? path + " is empty"
                                     : fmt::format("{} has {}, but the limit is {}", path, human_bytes(status.st_size),
                                                   human_bytes(kModelBytesMax)));
  }
  void* data = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  int why = errno;
  ::close(fd);
  if (data == MAP_FAILED) {
    return Error(Code::kUnavailable, fmt::format("cannot map {}: {}", path, std::strerror(why)));
  }
  MappedFile file;
  file.data_ = static_cast<const uint8_t*>(data);
  file.size_ = static_cast<size_t>(status.st_size);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

ModelFormat format_of(ByteView file, const std::string& path) {
  if (file.size() >= 8 && std::memcmp(file.data() + 4, "TFL3", 4) == 0) return ModelFormat::kTflite;
  if (looks_like_executorch(file)) return ModelFormat::kExecutorch;
  if (looks_like_torchscript(file)) return ModelFormat::kTorchscript;
  if (looks_like_openvino_xml(file)) return ModelFormat::kOpenvino;
  if (looks_like_ncnn(file)) return ModelFormat::kNcnn;
  if (looks_like_onnx(file)) return ModelFormat::kOnnx;
  // The name is asked last: only so that a broken file is called a broken model of its kind.
  std::string name = path;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (name.ends_with(".onnx")) return ModelFormat::kOnnx;
  if (name.ends_with(".tflite")) return ModelFormat::kTflite;
  if (name.ends_with(".xml")) return ModelFormat::kOpenvino;
  if (name.ends_with(".param")) return ModelFormat::kNcnn;
  if (name.ends_with(".pt") || name.ends_with(".pth")) return ModelFormat::kTorchscript;
  if (name.ends_with(".pte")) return ModelFormat::kExecutorch;
  return ModelFormat::kUnknown;
}

Status check_model_file(const std::string& path, const std::vector<ModelFormat>& formats, const std::string& engine) {
  OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  ModelFormat format = format_of(file.bytes(), path);
  // What nobody knows may be of the one who reads other formats.
  if (format == ModelFormat::kUnknown &&
      std::find(formats.begin(), formats.end(), ModelFormat::kOther) != formats.end())
    return {};
  if (format == ModelFormat::kUnknown) return Error(Code::kInvalid, std::string("not a model: ") + no_format_text());
  if (std::find(formats.begin(), formats.end(), format) == formats.end()) {
    return Error(Code::kUnsupported, fmt::format("{} does not read {} files", engine, format_name(format)));
  }
  switch (format) {
    case ModelFormat::kTflite: {
      Result<TfliteFile> parsed = read_tflite(file.bytes());
      return parsed.ok() ? Status() : Status(parsed.error());
    }
    case ModelFormat::kOnnx: {
      Result<OnnxFile> parsed = read_onnx(file.bytes());
      return parsed.ok() ? Status() : Status(parsed.error());
    }
    case ModelFormat::kOpenvino: {
      Result<OpenvinoFile> parsed = read_openvino(file.bytes(), openvino_weights_size(path));
      return parsed.ok() ? Status() : Status(parsed.error());
    }
    case ModelFormat::kNcnn: {
      Result<NcnnFile> parsed = read_ncnn(file.bytes(), ncnn_weights_size(path));
      return parsed.ok() ? Status() : Status(parsed.error());
    }
    case ModelFormat::kTorchscript: {
      Result<TorchscriptFile> parsed = read_torchscript(file.bytes());
      return parsed.ok() ? Status() : Status(parsed.error());
    }
    case ModelFormat::kExecutorch: return check_executorch(file.bytes());
    case ModelFormat::kOther:
    case ModelFormat::kUnknown: break;
  }
  return {};
}

}  // namespace oree
