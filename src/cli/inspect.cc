// SPDX-License-Identifier: Apache-2.0
// oree inspect: what a model is and costs, and which of this machine's engines open it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/context.h"
#include "cli/inspect_report.h"
#include "cli/shape_options.h"
#include "core/io/files.h"
#include "model/inspect/inspect.h"
#include "model/runtime/registry.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree inspect detector.tflite --html detector.html\n"
    "  oree inspect net.onnx --dim batch=1 --layers\n"
    "  oree inspect net.onnx --no-probe --json";

// Really opens the model: that an engine knows a format does not mean that it has every op.
std::vector<Probe> probe(const std::string& path) {
  std::vector<Probe> out;
  for (const std::string& name : backend_names()) {
    Backend& engine = backend(name);
    if (!engine.info().available) {
      out.push_back({name, "absent", engine.info().absent.at(name)});
      continue;
    }
    Result<std::unique_ptr<Session>> session = engine.open(path, {});
    if (session.ok()) {
      std::map<std::string, std::string> facts = (*session)->facts();
      out.push_back({name, "yes",
                     fmt::format("{} {}, {}, {}", name, engine.info().version, facts["provider"], facts["precision"])});
    } else {
      std::string why = session.error().message();
      if (why.starts_with(path + ": ")) why.erase(0, path.size() + 2);
      out.push_back({name, "no", why});
    }
  }
  return out;
}

struct Options {
  std::string model, html, svg;
  std::vector<std::string> dims, shapes;
  bool layers = false;
  bool no_probe = false;
};

Status write_text(const Context& context, const std::string& path, const std::string& text) {
  return context.ports.files->write_atomic(path, as_bytes(text));
}

Status inspect_command(const Context& context, const Options& options) {
  InspectOptions how;
  OREE_TRY_ASSIGN(how.symbols, parse_dims(options.dims));
  OREE_TRY_ASSIGN(how.inputs, parse_shapes(options.shapes));
  OREE_TRY_ASSIGN(Inspection inspection, inspect(options.model, how));
  Probes probes;
  if (!options.no_probe) probes = {probe(options.model), try_targets(options.model, inspection, how)};
  std::string written;
  if (!options.html.empty() || !options.svg.empty()) {
    Result<Drawing> drawing = inspect_drawing(inspection);
    if (!drawing.ok()) return drawing.error().within(options.model);
    if (!options.html.empty()) {
      OREE_TRY(write_text(context, options.html, inspect_page(options.model, inspection, probes, *drawing)));
      written += options.html + ": written\n";
    }
    if (!options.svg.empty()) {
      OREE_TRY(write_text(context, options.svg, svg_file(*drawing, path_name(options.model))));
      written += options.svg + ": written\n";
    }
  }
  print_result(context, inspect_json(options.model, inspection.summary, probes),
               inspect_text(inspection.summary, probes, options.layers) + (written.empty() ? "" : "\n" + written));
  return {};
}

}  // namespace

void add_inspect(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, context, "inspect", "Show what a model holds and costs, and which engines open it", kExamples,
                  [&context, options] { return inspect_command(context, *options); });
  command->add_option("model", options->model, "ONNX, TFLite, OpenVINO IR, ncnn, TorchScript or ExecuTorch file")
      ->required();
  command->add_flag("--layers", options->layers, "MACs, parameters and live memory of each layer (--json has them)");
  command->add_option("--html", options->html, "Write a page with a drawing to zoom, search and click");
  command->add_option("--svg", options->svg, "Write the drawing alone");
  command->add_option("--dim", options->dims, "Set a free dimension: batch=1; may be given again");
  command->add_option("--shape", options->shapes, "Set an input's whole shape: image=1,3,320,320; may be given again");
  command->add_flag("--no-probe", options->no_probe, "Read the file only; open it in no engine, try no conversion");
}

}  // namespace oree::cli
