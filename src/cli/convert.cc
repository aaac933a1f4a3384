// SPDX-License-Identifier: Apache-2.0
// oree convert: one format to another, and the proof that it computes the same.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/context.h"
#include "cli/convert_page.h"
#include "cli/output_paths.h"
#include "cli/shape_options.h"
#include "core/base/shown_name.h"
#include "core/base/text.h"
#include "core/io/scratch_folder.h"
#include "model/convert/convert.h"
#include "model/convert/self_check.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree convert detector.tflite detector.onnx\n"
    "  oree convert net.onnx net.tflite --shape image=1,3,320,320\n"
    "  oree convert net.onnx net.ncnn.param --dim batch=1\n"
    "  oree convert net.onnx net-fp16.onnx --fp16 --dim batch=1 --check-input samples.npz --report";

struct Options {
  std::string source, result;
  std::string html;
  std::vector<std::string> dims, shapes;
  ConvertOptions convert;
  bool plain = false;
  bool check = true;
  bool report = false;
  std::string check_input;
  uint64_t seed = 1;
  double tolerance = 0;  // 0: by the kind of conversion
};

Status read_settings(Options& options) {
  OREE_TRY_ASSIGN(options.convert.symbols, parse_dims(options.dims));
  OREE_TRY_ASSIGN(options.convert.inputs, parse_shapes(options.shapes));
  options.convert.optimise = !options.plain;
  return {};
}

// Weights of 16 bits, and integers of 8 in two engines (two or three steps of 255), agree to a hundredth of the range.
double default_tolerance(const ConvertOptions& options, const Graph& source) {
  return options.float16 || is_quantized(source) ? 1e-2 : 1e-4;
}

Json check_json(const SelfCheck& check) {
  Json engines = Json::array();
  for (const EngineCheck& e : check.engines) {
    Json engine = Json().set("runtime", e.runtime);
    if (e.refused) {
      engines.push(engine.set("refused", e.refused->message()));
      continue;
    }
    Json outputs = Json::array();
    for (const OutputCheck& o : e.outputs) {
      outputs.push(Json()
                       .set("name", o.name)
                       .set("max_abs_error", o.max_abs_error)
                       .set("max_relative_error", o.max_relative_error)
                       .set("agrees", o.agrees));
    }
    if (e.fused) engine.set("fused", Json().set("runtime", e.fused->runtime).set("max_relative_error", e.fused->error));
    engines.push(engine.set("against", e.reference).set("agrees", e.agrees()).set("outputs", outputs));
  }
  return Json().set("reference", check.reference).set("agrees", check.agrees()).set("engines", engines);
}

std::string check_text(const SelfCheck& check) {
  TextTable table{{"engine", "source in", "output", "largest difference", "over the range", "verdict"}, {}, {}};
  for (const EngineCheck& e : check.engines) {
    if (e.refused) table.rows.push_back({e.runtime, "", "", "", "", "cannot run it: " + e.refused->message()});
    for (const OutputCheck& o : e.outputs) {
      table.rows.push_back({e.runtime, e.reference, shown_name(o.name), fmt::format("{:.3g}", o.max_abs_error),
                            fmt::format("{:.3g}", o.max_relative_error), o.agrees ? "agrees" : "DIFFERS"});
    }
  }
  std::string text = "checked against the source:\n" + table.text();
  for (const EngineCheck& e : check.engines) {
    if (e.fused) text += fused_text(e) + "\n";
  }
  return text;
}

std::string layers_text(const std::vector<LayerCheck>& layers) {
  TextTable table{{"layer", "operator", "over the range", "SQNR dB"}, {}, {}};
  for (const LayerCheck& l : layers) {
    table.rows.push_back({shown_name(l.name), l.op, fmt::format("{:.3g}", l.max_relative_error),
                          std::isinf(l.sqnr_db) ? "equal" : fmt::format("{:.1f}", l.sqnr_db)});
  }
  return table.text();
}

Json layers_json(const std::vector<LayerCheck>& layers) {
  Json list = Json::array();
  for (const LayerCheck& l : layers) {
    Json layer = Json().set("name", l.name).set("op", l.op).set("max_relative_error", l.max_relative_error);
    list.push(std::isfinite(l.sqnr_db) ? layer.set("sqnr_db", l.sqnr_db) : layer);
  }
  return list;
}

// What a run found, for the text, the JSON document and the page.
struct Findings {
  ConvertPage page;
  std::string text;
  Json document;
  std::optional<Error> verdict;  // the result does not compute what its source does
};

Findings after_passes(const Options& options, const ConvertSteps& steps, const Graph& result) {
  Findings f{{options.source, options.result, steps, options.tolerance, {}, {}, {}}, "", {}, {}};
  Json passes = Json::object();
  for (const auto& [name, places] : steps.passes) {
    passes.set(name, places);
    f.text += fmt::format("{}: {} places\n", name, places);
  }
  f.document = Json()
                   .set("source", options.source)
                   .set("result", options.result)
                   .set("passes", passes)
                   .set("nodes", static_cast<int64_t>(result.all_nodes().size()));
  return f;
}

// A verdict names the first layer that differs.
void add_layers(const Options& options, Result<std::vector<LayerCheck>> layers, Findings& f) {
  if (!layers.ok()) {
    f.page.layers_refused = layers.error().message();
    f.text += "no layers compared: " + f.page.layers_refused + "\n";
    return;
  }
  f.page.layers = std::move(*layers);
  f.document.set("layers", layers_json(f.page.layers));
  if (options.report) f.text += layers_text(f.page.layers);
  auto differs = [&](const LayerCheck& l) { return l.max_relative_error > options.tolerance; };
  auto first = std::ranges::find_if(f.page.layers, differs);
  if (!f.verdict || first == f.page.layers.end()) return;
  f.verdict = Error(Code::kRefused, fmt::format("{}; the first layer that differs is '{}' ({})", f.verdict->message(),
                                                first->name, first->op));
}

Status add_check(const Context& context, const Options& options, const Model& source, const Model& result,
                 Findings& f) {
  OREE_TRY_ASSIGN(const ScratchFolder scratch, ScratchFolder::beside(*context.ports.files, options.result));
  const SelfCheckPlan plan{options.source, options.result,    options.check_input,
                           options.seed,   options.tolerance, scratch.path()};
  OREE_TRY_ASSIGN(SelfCheck check, self_check(context.ports, WorkerSettings{}, source, result, plan));
  f.document.set("check", check_json(check));
  f.text += check_text(check);
  if (!check.agrees()) {
    f.verdict = Error(Code::kRefused, fmt::format("{} does not compute what {} does (bound {:.3g} of the range)",
                                                  options.result, options.source, options.tolerance));
  }
  if (options.report || f.verdict || !options.html.empty()) {
    add_layers(options, compare_layers(source.graph, result.graph, check.inputs), f);
  }
  f.page.check = std::move(check);
  return {};
}

Status convert(const Context& context, Options options) {
  OREE_TRY(read_settings(options));
  OREE_TRY(check_result_name(options.result));
  OREE_TRY(check_outputs(
      *context.ports.files, {{"--html", options.html}},
      {{"the source", options.source}, {"the result", options.result}, {"--check-input", options.check_input}}));
  OREE_TRY_ASSIGN(const Model source, load_model(options.source));
  if (options.tolerance <= 0) options.tolerance = default_tolerance(options.convert, source.graph);
  Model model = source;
  Result<ConvertSteps> steps = prepare(model, options.convert);
  if (!steps.ok()) return steps.error().within(options.source);
  OREE_TRY(write_model(*context.ports.files, model, options.result, options.convert));
  Findings f = after_passes(options, *steps, model.graph);
  if (options.check) OREE_TRY(add_check(context, options, source, model, f));
  if (!options.html.empty()) {
    OREE_TRY_ASSIGN(std::string html, convert_page(f.page, model.graph));
    OREE_TRY(context.ports.files->write_atomic(options.html, as_bytes(html)));
  }
  print_result(context, f.document, f.text + fmt::format("{}: written\n", options.result));
  return f.verdict ? Status(*f.verdict) : Status();
}

}  // namespace

void add_convert(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, context, "convert", "Convert a model, and prove that it computes the same",
                                  kExamples, [&context, options] { return convert(context, *options); });
  command->add_option("source", options->source, "ONNX or TFLite file")->required();
  command
      ->add_option("result", options->result,
                   "ONNX, TFLite or ncnn file (.onnx, .tflite, .ncnn.param with its .bin); replaced atomically")
      ->required();
  command->add_option("--opset", options->convert.opset,
                      "Opset of an ONNX result; 17, or the lowest above that the model needs");
  command->add_option("--dim", options->dims, "Set a free dimension: batch=1; may be given again");
  command->add_option("--shape", options->shapes, "Set an input's whole shape: image=1,3,320,320; may be given again");
  command->add_flag("--fp16", options->convert.float16, "Store weights as float16");
  command->add_flag("--plain", options->plain, "Leave batch normalizations and written-out activations as they are");
  command->add_flag("!--no-check", options->check, "Do not run source and result against each other");
  command->add_option("--check-input", options->check_input, "x.npz for the check, keyed by input name; else noise");
  command->add_option("--seed", options->seed, "Of that noise")->capture_default_str();
  command->add_option("--tolerance", options->tolerance,
                      "Largest difference over the output's range; 1e-4, with --fp16 or a quantized source 1e-2");
  command->add_flag("--report", options->report, "Agreement layer by layer, in our own interpreter");
  command->add_option("--html", options->html, "Write that report as a page, with the result drawn by its errors");
}

}  // namespace oree::cli
