// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/inspect.h"

#include "model/inspect/summary_parts.h"
#include "model/runtime/files/model_file.h"
#include "model/runtime/files/openvino_file.h"

namespace oree {

int64_t times(int64_t a, int64_t b) {
  constexpr int64_t kMax = int64_t{1} << 62;
  if (a < 0 || b < 0) return -1;
  if (b != 0 && a > kMax / b) return -1;
  return a * b;
}

int64_t volume(const Shape& shape, size_t from) {
  int64_t out = 1;
  for (size_t i = from; i < shape.size(); ++i) out = times(out, shape[i]);
  return out;
}

void add_macs(ModelSummary& summary, const std::string& op, int64_t macs) {
  constexpr int64_t kMax = int64_t{1} << 62;
  if (macs < 0 || macs > kMax - summary.macs) {
    ++summary.macs_unknown[op];
    return;
  }
  summary.macs += macs;
  summary.macs_by_op[op] += macs;
}

Result<ModelSummary> inspect_model(const std::string& path) {
  OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  ModelSummary summary;
  summary.format = format_of(file.bytes(), path);
  summary.file_bytes = static_cast<int64_t>(file.bytes().size());
  Status read;
  switch (summary.format) {
    case ModelFormat::kOnnx: read = summarise_onnx(file.bytes(), summary); break;
    case ModelFormat::kTflite: read = summarise_tflite(file.bytes(), summary); break;
    case ModelFormat::kOpenvino: {
      int64_t weights = openvino_weights_size(path);
      read = summarise_openvino(file.bytes(), weights, summary);
      if (weights >= 0) {
        std::string weights_path = openvino_weights_path(path);
        summary.external_files = {weights_path.substr(weights_path.rfind('/') + 1)};
        summary.external_bytes = weights;
      }
      break;
    }
    case ModelFormat::kUnknown:
      return Error(Code::kInvalid, path + ": not a model: neither ONNX, TFLite nor OpenVINO IR");
  }
  if (!read.ok()) return read.error().within(path);
  return summary;
}

}  // namespace oree
