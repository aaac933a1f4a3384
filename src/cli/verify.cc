// SPDX-License-Identifier: Apache-2.0
#include "cli/verify.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/context.h"
#include "cli/keygen.h"
#include "core/base/text.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree verify detector-1.0.0.oree --key release.key.pub\n"
    "Checks signatures and every digest as a device does, then shows the manifest. Exit 4 when a device would refuse "
    "it\n"
    "for its signature or a digest, 3 when it is no bundle at all.\n";

struct Options {
  std::string bundle;
  std::vector<std::string> keys;
  int threshold = 1;
};

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out.empty() ? "-" : out;
}

std::string bound(double value, std::string_view unit) {
  return value > 0 ? fmt::format("{} {}", value, unit) : "none";
}

Status verify(const Context& context, const Options& options) {
  Files& files = *context.ports.files;
  OREE_TRY_ASSIGN(std::vector<PublicKey> keys, load_public_keys(files, options.keys));
  OREE_TRY_ASSIGN(BundleInfo info, verify_bundle(files, options.bundle, keys, options.threshold));
  print_result(context, bundle_json(info), bundle_text(info));
  return {};
}

}  // namespace

std::string bundle_text(const BundleInfo& info) {
  const Manifest& m = info.manifest;
  const GoldenRules& g = m.golden;
  TextTable facts{{"bundle", m.model + " " + m.version}, {}, {}};
  auto row = [&](const char* key, std::string value) { facts.rows.push_back({key, std::move(value)}); };
  row("digest", "sha256:" + info.digest);
  row("size", human_bytes(info.size));
  row("signed by", joined(info.signed_by));
  row("device types", joined(m.device_types));
  row("runtime", fmt::format("{} {} {} threads {}", m.runtime, m.options.provider.empty() ? "cpu" : m.options.provider,
                             m.options.threads, m.options.precision));
  row("created", m.created.empty() ? "-" : m.created);
  if (!m.description.empty()) row("description", m.description);
  row("golden samples", fmt::format("{}{}, relative error <= {}, cosine >= {}", g.samples,
                                    g.random_inputs ? " (random inputs)" : "", g.relative_error_max, g.cosine_min));
  row("latency p95 bound", bound(g.latency_ms_p95_max, "ms"));
  row("memory bound", g.memory_bytes_max > 0 ? human_bytes(g.memory_bytes_max) : "none");
  row("probation", fmt::format("{} s", m.probation_seconds));
  TextTable members{{"member", "size", "sha256"}, {false, true}, {}};
  for (const BundleMember& member : m.members) {
    members.rows.push_back({member.path, human_bytes(member.size), member.sha256.substr(0, 16) + "…"});
  }
  return facts.text() + "\n" + members.text();
}

Json bundle_json(const BundleInfo& info) {
  Json signers = Json::array();
  for (const std::string& id : info.signed_by) signers.push(id);
  return Json()
      .set("digest", info.digest)
      .set("size", info.size)
      .set("signed_by", signers)
      .set("manifest", manifest_to_json(info.manifest));
}

void add_verify(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, context, "verify", "Check a bundle as a device does and show its manifest",
                                  kExamples, [&context, options] { return verify(context, *options); });
  command->add_option("bundle", options->bundle, "Bundle file")->required();
  command->add_option("--key", options->keys, "Trusted public key; may be given several times")
      ->required()
      ->allow_extra_args(false);
  command->add_option("--threshold", options->threshold, "Signatures needed")->check(CLI::Range(1, 64));
}

}  // namespace oree::cli
