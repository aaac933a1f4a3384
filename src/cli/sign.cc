// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/context.h"
#include "cli/keygen.h"
#include "deliver/bundle/bundle.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree sign detector-1.0.0.oree --key release.key\n"
    "Adds a signature to those that are there, or replaces this key's. A damaged bundle is not signed (exit 4).\n";

struct Options {
  std::string bundle, key, out;
};

Status sign(const Context& context, const Options& options) {
  Files& files = *context.ports.files;
  std::string out = options.out.empty() ? options.bundle : options.out;
  OREE_TRY_ASSIGN(SecretKey key, load_secret_key(files, options.key));
  OREE_TRY(sign_bundle(files, options.bundle, out, key));
  std::string id = key_id(public_key(key));
  OREE_TRY_ASSIGN(BundleInfo info, verify_bundle(files, out, {public_key(key)}));
  Json document = Json().set("bundle", out).set("key_id", id).set("digest", info.digest).set("size", info.size);
  print_result(
      context, document,
      fmt::format("signed {} {} by {}\n{}  {}\n", info.manifest.model, info.manifest.version, id, info.digest, out));
  return {};
}

}  // namespace

void add_sign(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, context, "sign", "Sign a bundle", kExamples,
                                  [&context, options] { return sign(context, *options); });
  command->add_option("bundle", options->bundle, "Bundle file")->required();
  command->add_option("--key", options->key, "Secret key, from oree keygen")->required();
  command->add_option("--out", options->out, "Write here instead of into the bundle itself");
}

}  // namespace oree::cli
