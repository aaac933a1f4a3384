// SPDX-License-Identifier: Apache-2.0
#include "cli/publish.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/context.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  OREE_TOKEN=… oree publish detector-1.0.0.oree --server https://fleet.example.org\n"
    "Sends the bundle unless the server has it, then names it as a release. Doing it again changes nothing. Exit 9 "
    "when\n"
    "this version is there with other content, 2 when the token is not accepted, 6 when there is no server.\n";

struct Options {
  PublishPlan plan;
  std::string token, token_file;
};

Status publish(const Context& context, Options& options) {
  OREE_TRY_ASSIGN(options.plan.token,
                  find_token(*context.ports.files, options.token, options.token_file, "OREE_TOKEN"));
  OREE_TRY_ASSIGN(PublishResult result, publish_bundle(context.ports, options.plan));
  const Manifest& m = result.info.manifest;
  Json document = Json()
                      .set("model", m.model)
                      .set("version", m.version)
                      .set("digest", result.info.digest)
                      .set("size", result.info.size)
                      .set("server", options.plan.server)
                      .set("uploaded", result.uploaded)
                      .set("released", result.released);
  print_result(context, document,
               fmt::format("{} {} {} on {}\nblob sha256:{} {}\n", m.model, m.version,
                           result.released ? "is released" : "was released before", options.plan.server,
                           result.info.digest, result.uploaded ? "sent" : "was there"));
  return {};
}

}  // namespace

void add_publish(CLI::App& app, Context& context) {
  auto o = std::make_shared<Options>();
  CLI::App* command = add_command(app, context, "publish", "Bring a bundle to a fleet server", kExamples,
                                  [&context, o] { return publish(context, *o); });
  command->add_option("bundle", o->plan.bundle, "Bundle file")->required();
  command->add_option("--server", o->plan.server, "Address of the server")->required();
  command->add_option("--token", o->token,
                      "Operator's token; better --token-file or OREE_TOKEN: others can see a command line");
  command->add_option("--token-file", o->token_file, "File whose first line is the token");
  command->add_option("--ca", o->plan.ca_file, "PEM file of the authorities to trust instead of the system's");
  command->add_option("--device-type", o->plan.device_types, "Only for these of the bundle's device types")
      ->allow_extra_args(false);
  command->add_option("--notes", o->plan.notes, "What changed, for people");
}

}  // namespace oree::cli
