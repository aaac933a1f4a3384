// SPDX-License-Identifier: Apache-2.0
// Candidate: one way to run a model on this machine. What bench and tune compare, and what a worker opens.
#pragma once

#include <string>
#include <vector>

#include "core/codec/json.h"
#include "model/runtime/backend.h"

namespace oree {

inline constexpr int kBatchMax = 1024;

struct Candidate {
  std::string model;    // path
  std::string runtime;  // backend name
  SessionOptions options;
  int batch = 1;  // samples that one inference computes, 1..kBatchMax; above 1 for models of a free first dimension
  bool operator==(const Candidate& other) const;
};

// "openvino cpu 2 threads bf16", "… batch 4"; with the file's name in front when `with_model`. An unnamed provider is
// "cpu".
std::string candidate_text(const Candidate& candidate, bool with_model = false);

Json candidate_to_json(
    const Candidate& candidate);  // {"model", "runtime", "threads", "provider", "precision"}, "cpus" and "batch"
Result<Candidate> candidate_from_json(const Json& json);  // kInvalid names the key; accepts exactly what is written

}  // namespace oree
