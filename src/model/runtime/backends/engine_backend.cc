// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/engine_backend.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/runtime/backends/confine.h"
#include "model/runtime/backends/session_base.h"
#include "model/runtime/files/model_file.h"

namespace oree {

EngineBackend::EngineBackend(std::string name, std::vector<ModelFormat> formats) : formats_(std::move(formats)) {
  info_.name = std::move(name);
  for (ModelFormat format : formats_) info_.formats.emplace_back(format_name(format));
  info_.precisions = {"f32", "default"};
}

bool EngineBackend::find_engine(const LibrarySearch& search, const char* how_to_get,
                                const std::function<Status(const DynamicLibrary&)>& start) {
  return take_engine(open_first(search, start), how_to_get);
}

bool EngineBackend::take_engine(const Result<LibraryCandidate>& found, const std::string& how_to_get) {
  if (!found.ok()) {
    info_.absent[info_.name] = found.error().message() + ". " + how_to_get;
    return false;
  }
  info_.available = true;
  info_.library = found->path;
  info_.origin = found->origin;
  return true;
}

Status EngineBackend::check_provider(const std::string& provider) const {
  if (std::find(info_.providers.begin(), info_.providers.end(), provider) != info_.providers.end()) return {};
  auto why = info_.absent.find(provider);
  return Error(Code::kUnsupported, fmt::format("{} has no provider '{}'{}", info_.name, provider,
                                               why == info_.absent.end() ? "" : ": " + why->second));
}

Result<std::unique_ptr<Session>> EngineBackend::open(const std::string& model_path, const SessionOptions& options) {
  OREE_TRY(check_options(options));
  if (!info_.available) return Error(Code::kUnavailable, info_.absent.at(info_.name));
  Status sound = check_model_file(model_path, formats_, info_.name);
  if (!sound.ok()) return sound.error().within(model_path);
  OREE_TRY(confine_thread(options.cpus));
  Result<std::unique_ptr<Session>> session = open_checked(model_path, options);
  if (!session.ok()) return session.error().within(model_path);
  return session;
}

}  // namespace oree
