// SPDX-License-Identifier: Apache-2.0
#include "model/eval/candidate.h"

#include <fmt/format.h>

#include "core/io/files.h"
#include "model/runtime/session_options.h"

namespace oree {

bool Candidate::operator==(const Candidate& other) const {
  return model == other.model && runtime == other.runtime && options.threads == other.options.threads &&
         options.provider == other.options.provider && options.precision == other.options.precision &&
         options.cpus == other.options.cpus && batch == other.batch;
}

std::string candidate_text(const Candidate& candidate, bool with_model) {
  const SessionOptions& options = candidate.options;
  std::string text =
      fmt::format("{} {} {} {} {}", candidate.runtime, options.provider.empty() ? "cpu" : options.provider,
                  options.threads, options.threads == 1 ? "thread" : "threads", options.precision);
  if (!options.cpus.empty()) text += " on cpus " + cpus_text(options.cpus);
  if (candidate.batch > 1) text += fmt::format(" batch {}", candidate.batch);
  return with_model ? path_name(candidate.model) + " " + text : text;
}

Json candidate_to_json(const Candidate& candidate) {
  Json json = Json::object();
  json.set("model", candidate.model).set("runtime", candidate.runtime);
  Json options = session_options_to_json(candidate.options);
  for (const auto& [key, value] : options.members()) json.set(key, value);
  if (candidate.batch > 1) json.set("batch", candidate.batch);
  return json;
}

Result<Candidate> candidate_from_json(const Json& json) {
  Candidate candidate;
  OREE_TRY_ASSIGN(candidate.model, json.get_string("model"));
  OREE_TRY_ASSIGN(candidate.runtime, json.get_string("runtime"));
  Json options = Json::object();
  for (const auto& [key, value] : json.members()) {
    if (key != "model" && key != "runtime" && key != "batch") options.set(key, value);
  }
  if (json.find("batch") != nullptr) {
    OREE_TRY_ASSIGN(const int64_t batch, json.get_int("batch", 1, kBatchMax));
    candidate.batch = static_cast<int>(batch);
  }
  OREE_TRY_ASSIGN(candidate.options, session_options_from_json(options));
  return candidate;
}

}  // namespace oree
