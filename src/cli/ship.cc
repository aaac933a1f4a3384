// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/context.h"
#include "cli/output_paths.h"
#include "cli/ship_plan.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree ship --product oree.toml\n"
    "Runs inspect, quantize, tune, bundle, sign, verify and publish as oree.toml asks; what is up to date is skipped. "
    "What the\n"
    "steps make lies in .oree/ beside oree.toml. The exit status is that of the step that failed.\n";

struct Options {
  std::string product = "oree.toml";
  StepOptions steps;
};

Status ship(const Context& context, const Options& options) {
  OREE_TRY_ASSIGN(Product loaded, load_product(*context.ports.files, options.product));
  auto product = std::make_shared<const Product>(std::move(loaded));
  std::unique_ptr<FolderLock> held;
  if (!options.steps.dry_run) {
    OREE_TRY_ASSIGN(held, FolderLock::take(*context.ports.files, product->state_folder));
  }
  StepsReport report;
  {
    Progress progress("ship", 0);
    int64_t step = 0;
    report = run_steps(context.ports, ship_state(*product), ship_steps(context.ports, product, open_model()),
                       options.steps, [&](const std::string& name) { progress.update(++step, name); });
  }
  if (report.steps.empty()) return report.status;
  Json bundles = Json::object();
  for (const ProductTarget& target : product->targets) {
    if (!target.name.empty()) bundles.set(target.name, shipped_bundle(*product, target));
  }
  Json document = Json()
                      .set("product", product->name)
                      .set("model", product->manifest.model)
                      .set("version", product->manifest.version)
                      .set("bundle", shipped_bundle(*product, product->targets[0]))
                      .set("steps", steps_to_json(report.steps));
  if (!bundles.members().empty()) document.set("bundles", bundles);
  print_result(context, document,
               fmt::format("{} {}\n\n{}", product->name, product->manifest.version, steps_text(report.steps)));
  return report.status;
}

}  // namespace

void add_ship(CLI::App& app, Context& context) {
  auto o = std::make_shared<Options>();
  CLI::App* command = add_command(app, context, "ship", "Take a product from model file to fleet, by its oree.toml",
                                  kExamples, [&context, o] { return ship(context, *o); });
  command->add_option("--product", o->product, "The product's file")->capture_default_str();
  command->add_option(
      "--only", o->steps.only,
      "This step alone: inspect, quantize, tune, bundle, sign, verify or publish; \"tune pi5\" for one target");
  command->add_flag("--force", o->steps.force, "Also what is up to date");
  command->add_flag("--dry-run", o->steps.dry_run, "Say what would be done, do nothing");
}

}  // namespace oree::cli
