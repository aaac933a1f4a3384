// SPDX-License-Identifier: Apache-2.0
// oree runtimes: what this machine can run models with, and how to get what it lacks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/context.h"
#include "core/base/text.h"
#include "model/runtime/registry.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] = "  oree runtimes\n  oree runtimes --json";

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out.empty() ? "-" : out;
}

Json list(const std::vector<std::string>& words) {
  Json out = Json::array();
  for (const std::string& word : words) out.push(word);
  return out;
}

Status runtimes(const Context& context) {
  Json engines = Json::array();
  TextTable table{{"engine", "version", "from", "providers", "reads", "precisions"}, {}, {}};
  std::string libraries, missing;
  for (const std::string& name : backend_names()) {
    const RuntimeInfo& info = backend(name).info();
    Json absent = Json::object();
    for (const auto& [what, why] : info.absent) {
      absent.set(what, why);
      missing += fmt::format("  {}: {}\n", what == name ? name : name + "/" + what, why);
    }
    engines.push(Json()
                     .set("name", name)
                     .set("available", info.available)
                     .set("version", info.version)
                     .set("library", info.library)
                     .set("origin", info.origin)
                     .set("providers", list(info.providers))
                     .set("formats", list(info.formats))
                     .set("precisions", list(info.precisions))
                     .set("absent", absent));
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
  print_result(context, Json().set("runtimes", engines), text);
  return {};
}

}  // namespace

void add_runtimes(CLI::App& app, Context& context) {
  add_command(app, context, "runtimes", "List the inference engines of this machine", kExamples,
              [&context] { return runtimes(context); });
}

}  // namespace oree::cli
