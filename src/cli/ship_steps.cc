// SPDX-License-Identifier: Apache-2.0
#include "cli/ship_steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/digest/file_digest.h"

namespace oree::cli {
namespace {

constexpr int kStateFormat = 1;

struct StepState {
  std::string fingerprint, result;
  std::vector<std::pair<std::string, std::string>> outputs;  // path, digest
};

class State {
 public:
  State(Files& files, std::string path) : files_(files), path_(std::move(path)), json_(load()) {}

  StepState get(const std::string& step) const {
    const Json& stored = json_["steps"][step];
    StepState state{stored["fingerprint"].as_string(), stored["result"].as_string(), {}};
    for (const auto& [path, digest] : stored["outputs"].members()) {
      state.outputs.emplace_back(path.starts_with('/') ? path : path_join(path_parent(path_), path),
                                 digest.as_string());
    }
    return state;
  }

  Status put(const std::string& step, const StepState& state) {
    Json outputs = Json::object();
    // Relative to the state's folder where they lie in it: the product may be shipped from any working directory.
    std::string folder = path_parent(path_) + "/";
    for (const auto& [path, digest] : state.outputs) {
      outputs.set(path.starts_with(folder) ? path.substr(folder.size()) : path, digest);
    }
    Json steps = json_["steps"].is_object() ? json_["steps"] : Json::object();
    steps.set(step, Json().set("fingerprint", state.fingerprint).set("result", state.result).set("outputs", outputs));
    json_.set("format", kStateFormat).set("steps", steps);
    OREE_TRY(files_.make_dirs(path_parent(path_)));
    return files_.write_atomic(path_, as_bytes(json_.dump(2) + "\n"));
  }

 private:
  Json load() {
    auto bytes = files_.read(path_, kConfigBytesMax);
    if (!bytes.ok()) return Json::object();
    auto json = Json::parse(as_text(*bytes));
    return json.ok() && (*json)["format"].as_int() == kStateFormat ? *json : Json::object();
  }

  Files& files_;
  std::string path_;
  Json json_;
};

bool outputs_stand(Files& files, const StepState& state) {
  return std::all_of(state.outputs.begin(), state.outputs.end(), [&](const auto& output) {
    auto digest = file_digest(files, output.first);
    return digest.ok() && *digest == output.second;
  });
}

Result<StepState> run_step(Files& files, const Step& step, const std::string& fingerprint) {
  OREE_TRY_ASSIGN(StepOutcome outcome, step.run());
  StepState state{fingerprint, outcome.result, {}};
  for (const std::string& path : outcome.outputs) {
    OREE_TRY_ASSIGN(std::string digest, file_digest(files, path));
    state.outputs.emplace_back(path, digest);
  }
  return state;
}

}  // namespace

StepsReport run_steps(const Ports& ports, const std::string& state_file, const std::vector<Step>& steps,
                      const StepOptions& options, const std::function<void(const std::string& step)>& announce) {
  StepsReport report;
  bool known = options.only.empty();
  std::string names;
  // "tune" is every target's, "tune pi5" is one's.
  auto wanted = [&](const Step& step) {
    return options.only.empty() || step.name == options.only || step.name.starts_with(options.only + " ");
  };
  for (const Step& step : steps) {
    known = known || wanted(step);
    names += (names.empty() ? "" : ", ") + step.name;
    report.steps.push_back({step.name, "not reached", 0, {}});
  }
  if (!known) {
    return {{}, Error(Code::kUsage, fmt::format("there is no step '{}'; this product has {}", options.only, names))};
  }
  Files& files = *ports.files;
  State state(files, state_file);
  bool pending = false;  // a dry run passed a step that would run: what follows it would too
  for (size_t i = 0; i < steps.size(); ++i) {
    StepReport& line = report.steps[i];
    if (!wanted(steps[i])) {
      line.status = "left out";
      continue;
    }
    if (pending) {
      line.status = "would run";
      continue;
    }
    if (announce) announce(line.name);
    int64_t start_ns = ports.clock->monotonic_ns();
    auto fingerprint = steps[i].fingerprint();
    StepState before = state.get(line.name);
    Status done = fingerprint.ok() ? Status() : Status(fingerprint.error());
    if (done.ok() && !options.force && before.fingerprint == *fingerprint && outputs_stand(files, before)) {
      line.status = "up to date";
      line.result = before.result;
      continue;
    }
    if (done.ok() && options.dry_run) {
      line.status = "would run";
      pending = true;
      continue;
    }
    if (done.ok()) {
      auto after = run_step(files, steps[i], *fingerprint);
      if (after.ok()) line.result = after->result;
      done = after.ok() ? state.put(line.name, *after) : Status(after.error());
    }
    line.seconds = static_cast<double>(ports.clock->monotonic_ns() - start_ns) * 1e-9;
    line.status = done.ok() ? "done" : "failed";
    if (done.ok()) continue;
    line.result = done.error().message();
    report.status = done.error().within(line.name);
    break;
  }
  return report;
}

Json text_list(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const std::string& text : texts) list.push(text);
  return list;
}

Json steps_to_json(const std::vector<StepReport>& steps) {
  Json list = Json::array();
  for (const StepReport& s : steps) {
    list.push(Json().set("step", s.name).set("status", s.status).set("seconds", s.seconds).set("result", s.result));
  }
  return list;
}

std::string steps_text(const std::vector<StepReport>& steps) {
  TextTable table{{"step", "status", "time", "result"}, {false, false, true}, {}};
  for (const StepReport& s : steps) {
    table.rows.push_back({s.name, s.status,
                          s.status == "done" || s.status == "failed" ? fmt::format("{:.1f} s", s.seconds) : "",
                          s.result});
  }
  return table.text();
}

}  // namespace oree::cli
