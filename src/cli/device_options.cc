// SPDX-License-Identifier: Apache-2.0
#include "cli/device_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "cli/publish.h"
#include "model/remote/remote_target.h"

namespace oree::cli {
namespace {

constexpr char kTokenVariable[] = "OREE_DEVICE_TOKEN";

// For others who find the device busy.
std::string who() {
  const char* user = std::getenv("USER");
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) != 0) host[0] = 0;
  std::string text = fmt::format("{}@{}", user != nullptr && *user != 0 ? user : "somebody", *host != 0 ? host : "?");
  return text.substr(0, 200);
}

}  // namespace

void DeviceOptions::add(CLI::App& command) {
  command.add_option("--device", url, "Measure on the device whose agent lends it at this URL, not on this machine");
  command.add_option("--device-token-file", token_file,
                     fmt::format("Its token; default: the environment variable {}", kTokenVariable));
  command.add_option("--device-ca", ca_file, "Authority that signed its certificate (PEM); default: the system's");
}

Result<std::unique_ptr<Target>> open_target(const Ports& ports, const DeviceOptions& options) {
  if (!options.remote()) {
    if (!options.token_file.empty() || !options.ca_file.empty())
      return Error(Code::kUsage, "--device-token-file and --device-ca need --device URL");
    return std::unique_ptr<Target>(std::make_unique<LocalTarget>(ports));
  }
  if (auto url = parse_url(options.url); !url.ok())
    return Error(Code::kUsage, fmt::format("--device: {}", url.error().message()));
  RemoteSettings settings;
  settings.url = options.url;
  settings.by = who();
  OREE_TRY_ASSIGN(settings.token, find_token(*ports.files, "", options.token_file, kTokenVariable));
  if (settings.token.empty()) {
    return Error(Code::kUsage,
                 fmt::format("--device: its token is needed, by --device-token-file or {}", kTokenVariable));
  }
  if (!options.ca_file.empty()) OREE_TRY(ports.files->info(options.ca_file));
  ports.http->set_ca_file(options.ca_file);
  return std::unique_ptr<Target>(std::make_unique<RemoteTarget>(ports, std::move(settings)));
}

std::string target_text(const TargetDescription& description) {
  const SystemIdentity& m = description.machine;
  std::string text = fmt::format("measured on {}: ", description.name);
  if (!m.cpu_model.empty()) text += m.cpu_model + ", ";
  text += fmt::format("{} {}, {}", m.cpu_cores, m.cpu_cores == 1 ? "core" : "cores", m.architecture);
  return m.os.empty() ? text : text + ", " + m.os;
}

Json target_to_json(const TargetDescription& description) {
  const SystemIdentity& m = description.machine;
  return Json()
      .set("name", description.name)
      .set("cpu_model", m.cpu_model)
      .set("cpu_cores", m.cpu_cores)
      .set("architecture", m.architecture)
      .set("os", m.os)
      .set("memory_total_bytes", m.memory_total_bytes);
}

}  // namespace oree::cli
