// SPDX-License-Identifier: Apache-2.0
// oree profile: the kinds of devices that are known, and which of them a model needs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/profile_report.h"
#include "model/profile/profiles.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree profile\n"
    "  oree profile --device raspberry-pi-4\n"
    "  oree profile detector.tflite keywords.onnx\n"
    "  oree profile net.onnx --device jetson-orin-nano --json\n"
    "  oree profile net.onnx --profiles my-devices/";

struct Options {
  std::vector<std::string> models;
  std::string device, profiles;
};

ModelVerdicts judge(const ModelNeeds& needs, const std::vector<DeviceProfile>& profiles, const DeviceProfile* only,
                    const SystemIdentity& machine) {
  ModelVerdicts out;
  out.needs = needs;
  if (only != nullptr) {
    out.devices.push_back(assess(needs, *only));
    return out;
  }
  for (const DeviceProfile& p : profiles) out.devices.push_back(assess(needs, p));
  out.level = level_needed(out.devices);
  if (const DeviceProfile* here = match_profile(profiles, machine); here != nullptr) {
    out.devices.insert(out.devices.begin(), assess(needs, *here, machine.memory_total_bytes));
    out.here = true;
  }
  return out;
}

Status judge_models(const Context& context, const Options& options, const std::vector<DeviceProfile>& profiles,
                    const DeviceProfile* only) {
  const SystemIdentity machine = context.ports.sensors->identity();
  Json models = Json::array();
  std::string text, refused;
  for (const std::string& path : options.models) {
    OREE_TRY_ASSIGN(ModelNeeds needs, needs_of(path));
    const ModelVerdicts verdicts = judge(needs, profiles, only, machine);
    models.push(verdicts_json(verdicts));
    text += (text.empty() ? "" : "\n") + verdicts_text(verdicts);
    const Assessment& last = verdicts.devices.back();
    if (only != nullptr && last.fit == Fit::kNo && refused.empty()) {
      refused = fmt::format("{}: does not fit {}: {}", path, only->name, last.why);
    }
  }
  print_result(context, Json().set("models", models), text);
  return refused.empty() ? Status() : Status(Error(Code::kRefused, refused));
}

Status profile_command(const Context& context, const Options& options) {
  std::vector<DeviceProfile> profiles = shipped_profiles();
  if (!options.profiles.empty()) {
    OREE_TRY_ASSIGN(profiles, load_profiles(*context.ports.files, options.profiles));
  }
  const DeviceProfile* only = nullptr;
  if (!options.device.empty()) {
    OREE_TRY_ASSIGN(only, find_profile(profiles, options.device));
  }
  if (!options.models.empty()) return judge_models(context, options, profiles, only);
  if (only != nullptr) {
    print_result(context, profile_json(*only), profile_text(*only));
    return {};
  }
  const SystemIdentity machine = context.ports.sensors->identity();
  const DeviceProfile* here = match_profile(profiles, machine);
  print_result(context, profiles_json(profiles, here, machine), profiles_text(profiles, here, machine));
  return {};
}

}  // namespace

void add_profile(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, context, "profile", "Show kinds of devices, and which of them a model needs",
                                  kExamples, [&context, options] { return profile_command(context, *options); });
  command->add_option("model", options->models, "ONNX, TFLite or OpenVINO IR files; without any: list the profiles");
  command->add_option("--device", options->device, "This profile alone: in full, or whether the models fit it");
  command->add_option("--profiles", options->profiles, "Profiles of your own: a .toml file, or a folder of them");
}

}  // namespace oree::cli
