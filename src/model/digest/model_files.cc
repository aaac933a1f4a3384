// SPDX-License-Identifier: Apache-2.0
#include "model/digest/model_files.h"

#include <fmt/format.h>

#include "core/digest/file_digest.h"
#include "core/io/inner_path.h"
#include "model/inspect/inspect.h"

namespace oree {

Result<std::vector<ModelFile>> model_files(const std::string& model) {
  OREE_TRY_ASSIGN(ModelSummary summary, inspect_model(model));
  std::vector<ModelFile> files{{path_name(model), model}};
  for (const std::string& name : summary.external_files) {
    if (Status safe = check_inner_path(name); !safe.ok()) {
      return Error(Code::kInvalid, fmt::format("{}: its data are in '{}': {}", model, name, safe.error().message()));
    }
    files.push_back({name, path_join(path_parent(model), name)});
  }
  return files;
}

Status add_model(Fingerprint& print, const std::string& model) {
  OREE_TRY_ASSIGN(std::vector<ModelFile> files, model_files(model));
  for (const ModelFile& file : files) print.add("model", file.name).add_path("content", file.file);
  return {};
}

Result<std::string> model_digest(Files& files, const std::string& model) {
  OREE_TRY_ASSIGN(std::vector<ModelFile> parts, model_files(model));
  if (parts.size() == 1) return file_digest(files, model);
  Fingerprint print(files);
  for (const ModelFile& part : parts) {
    OREE_TRY_ASSIGN(std::string digest, file_digest(files, part.file));
    print.add(&part == parts.data() ? "" : part.name, digest);
  }
  return print.finish();
}

Result<int64_t> model_bytes(Files& files, const std::string& model) {
  OREE_TRY_ASSIGN(std::vector<ModelFile> parts, model_files(model));
  int64_t bytes = 0;
  for (const ModelFile& part : parts) {
    OREE_TRY_ASSIGN(FileInfo info, files.info(part.file));
    bytes += info.size;
  }
  return bytes;
}

}  // namespace oree
