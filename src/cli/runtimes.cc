// SPDX-License-Identifier: Apache-2.0
// oree runtimes: what this machine, or a device, can run models with, and how to get what it lacks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/device_options.h"
#include "core/base/text.h"
#include "model/runtime/runtime_info.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree runtimes\n  oree runtimes --device http://localhost:8733 --device-token-file token";

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out.empty() ? "-" : out;
}

Status runtimes(Context& context, const DeviceOptions& device) {
  OREE_TRY_ASSIGN(std::unique_ptr<Target> target, open_target(context.ports, device));
  OREE_TRY_ASSIGN(TargetDescription description, target->describe());
  TextTable table{{"engine", "version", "from", "providers", "reads", "precisions"}, {}, {}};
  std::string libraries, missing;
  for (const RuntimeInfo& info : description.runtimes) {
    const std::string& name = info.name;
    for (const auto& [what, why] : info.absent)
      missing += fmt::format("  {}: {}\n", what == name ? name : name + "/" + what, why);
    if (!info.available) {
      table.rows.push_back({name, "absent", "-", "-", join(info.formats), "-"});
      continue;
    }
    table.rows.push_back(
        {name, info.version, info.origin, join(info.providers), join(info.formats), join(info.precisions)});
    libraries += fmt::format("  {}: {}\n", name, info.library);
  }
  std::string text = table.text();
  if (!libraries.empty()) text += "\nLibraries:\n" + libraries;
  if (!missing.empty()) text += "\nNot here:\n" + missing;
  Json document = Json().set("runtimes", runtimes_to_json(description.runtimes));
  if (device.remote()) document.set("target", target_to_json(description));
  print_result(context, document, text);
  return {};
}

}  // namespace

void add_runtimes(CLI::App& app, Context& context) {
  auto device = std::make_shared<DeviceOptions>();
  CLI::App* command =
      add_command(app, context, "runtimes", "List the inference engines of this machine, or of a device", kExamples,
                  [&context, device] { return runtimes(context, *device); });
  device->add(*command);
}

}  // namespace oree::cli
