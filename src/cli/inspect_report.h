// SPDX-License-Identifier: Apache-2.0
// What oree inspect prints, in its three forms. For inspect.cc only.
#pragma once

#include <string>
#include <vector>

#include "core/codec/json.h"
#include "model/draw/svg.h"
#include "model/inspect/inspect.h"
#include "model/inspect/targets.h"

namespace oree::cli {

struct Probe {
  std::string runtime;
  std::string verdict;  // "yes", "no", "absent"
  std::string why;      // facts, or the reason
};

struct Probes {
  std::vector<Probe> engines;
  std::vector<Target> targets;
};

Json inspect_json(const std::string& path, const ModelSummary& summary, const Probes& probes);
std::string inspect_text(const ModelSummary& summary, const Probes& probes, bool layers);

// kUnsupported without a graph, kExhausted when it is too large.
Result<Drawing> inspect_drawing(const Inspection& inspection);
std::string inspect_page(const std::string& path, const Inspection& inspection, const Probes& probes,
                         const Drawing& drawing);

// Lines of "name  value" that text and page share.
std::vector<std::pair<std::string, std::string>> inspect_facts(const ModelSummary& summary);

}  // namespace oree::cli
