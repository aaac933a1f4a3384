// SPDX-License-Identifier: Apache-2.0
// The report for programs and for a terminal.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/shown_name.h"
#include "core/base/text.h"
#include "optimize/quantize/quantize_file.h"

namespace oree {
namespace {

constexpr size_t kWorstShown = 8;

Json decibels(std::optional<double> db) {
  if (!db) return {};
  return std::isinf(*db) ? Json("equal") : Json(*db);
}

Json layers_json(const QuantizeReport& report) {
  Json layers = Json::array();
  for (const LayerReport& l : report.layers) {
    Json layer = Json().set("name", l.name).set("op", l.op).set("macs", l.macs).set("integer", l.integer);
    if (!l.because.empty()) layer.set("because", l.because);
    if (!l.weights.empty()) layer.set("weights", l.weights);
    if (l.sqnr_db) layer.set("sqnr_db", decibels(l.sqnr_db));
    if (l.seen.low < l.seen.high) layer.set("seen", Json().push(l.seen.low).push(l.seen.high));
    if (l.taken.low < l.taken.high) layer.set("taken", Json().push(l.taken.low).push(l.taken.high));
    layers.push(layer);
  }
  return layers;
}

Json calibration_json(const QuantizeRequest& request, const QuantizeReport& report) {
  Json bad = Json::array();
  for (const std::string& message : report.bad.messages) bad.push(message);
  return Json()
      .set("engine", report.calibration_engine)
      .set("samples", static_cast<int64_t>(report.samples))
      .set("random", report.random)
      .set("ranges", range_method_name(request.quantize.plan.ranges.method))
      .set("skipped", static_cast<int64_t>(report.bad.count))
      .set("skipped_because", bad);
}

std::string calibration_text(const QuantizeReport& report) {
  std::string text;
  const char* what = calibrates(report.precision) ? "calibrated" : "measured";
  if (report.random) text += fmt::format("{} with random data: measure accuracy before use\n", what);
  if (report.bad.count == 0) return text;
  text += fmt::format("{} bad samples left out:\n", report.bad.count);
  for (const std::string& message : report.bad.messages) text += "  " + message + "\n";
  if (report.bad.count > report.bad.messages.size())
    text += fmt::format("  and {} more\n", report.bad.count - report.bad.messages.size());
  return text;
}

std::string samples_text(const QuantizeReport& r) {
  const std::string macs = fmt::format("{:.1f} % of {:.1f} M multiply-accumulates in integers\n",
                                       100 * r.integer_share(), static_cast<double>(r.macs) / 1e6);
  if (calibrates(r.precision))
    return fmt::format("{}: {} samples, calibrated in {}; {}", precision_name(r.precision), r.samples,
                       r.calibration_engine, macs);
  auto stored = std::ranges::count_if(r.layers, [](const LayerReport& l) { return !l.weights.empty(); });
  return fmt::format("{}: the weights of {} of {} layers; {}", precision_name(r.precision), stored, r.layers.size(),
                     macs);
}

// The layers whose results are furthest from float, and those with weights that are in float.
std::string layers_text(const QuantizeReport& report) {
  std::vector<const LayerReport*> shown;
  for (const LayerReport& l : report.layers) {
    if (l.sqnr_db) shown.push_back(&l);
  }
  std::ranges::stable_sort(shown, {}, [](const LayerReport* l) { return *l->sqnr_db; });
  shown.resize(std::min(shown.size(), kWorstShown));
  for (const LayerReport& l : report.layers) {
    if (!l.integer && l.macs > 0 && l.weights.empty()) shown.push_back(&l);
  }
  if (shown.empty()) return "";
  TextTable table{{"layer", "operator", "MACs", "SQNR dB", ""}, {false, false, true, true, false}, {}};
  for (const LayerReport* l : shown) {
    table.rows.push_back({shown_name(l->name), l->op, fmt::format("{}", l->macs), decibels_text(l->sqnr_db),
                          !l->weights.empty() ? "weights " + l->weights
                          : l->integer        ? ""
                                              : "in float: " + l->because});
  }
  return "furthest from float, and what stays in float:\n" + table.text() + "\n";
}

Json drops_json(const QuantizeReport& report) {
  Json drops = Json::array();
  for (const DropTrial& t : report.drops) {
    drops.push(Json()
                   .set("layers_float", static_cast<int64_t>(t.layers_float))
                   .set("metric", t.drop.metric)
                   .set("against", t.drop.agreement ? "float" : "labels")
                   .set("float", t.drop.wanted)
                   .set("quantized", t.drop.found)
                   .set("drop", t.drop.lost())
                   .set("samples", t.drop.samples));
  }
  return drops;
}

Json port_json(const Port& port) {
  Json json =
      Json().set("name", port.name).set("kind", port.input ? "input" : "output").set("dtype", dtype_name(port.dtype));
  if (port.quantized)
    json.set("scale", static_cast<double>(port.affine.scale)).set("zero_point", port.affine.zero_point);
  if (!port.because.empty()) json.set("because", port.because);
  return json;
}

std::string ports_text(const QuantizeReport& report) {
  bool plain = std::ranges::all_of(report.ports, [](const Port& p) { return !p.quantized && p.because.empty(); });
  if (plain) return "";
  TextTable table{{"", "", "dtype", "scale", "zero point", ""}, {false, false, false, true, true, false}, {}};
  for (const Port& p : report.ports) {
    table.rows.push_back({p.input ? "input" : "output", p.name, dtype_name(p.dtype),
                          p.quantized ? fmt::format("{:.6g}", p.affine.scale) : "",
                          p.quantized ? fmt::format("{}", p.affine.zero_point) : "", p.because});
  }
  return "real = scale * (integer - zero point):\n" + table.text() + "\n";
}

Json join_json(const Join& join) {
  Json operands = Json::array();
  for (const JoinOperand& o : join.operands)
    operands.push(Json().set("name", o.name).set("seen", Json().push(o.range.low).push(o.range.high)));
  return Json()
      .set("name", join.name)
      .set("op", join.op)
      .set("operands", operands)
      .set("last", join.last)
      .set("in_float", join.in_float)
      .set("steps_least", join.steps_least());
}

std::string joins_text(const QuantizeReport& report) {
  if (report.joins.empty()) return "";
  std::string text = "joins of unlike ranges, which TFLite brings to one scale:\n";
  for (const Join& j : report.joins) {
    std::string operands;
    for (const JoinOperand& o : j.operands)
      operands += fmt::format("{}{} {:.4g} … {:.4g}", operands.empty() ? "" : ", ", o.name, o.range.low, o.range.high);
    text += fmt::format("  {} ({}) of {}: {}\n", j.name, j.op, operands, join_fate(j));
  }
  return text + "\n";
}

std::string outputs_text(const QuantizeReport& report) {
  TextTable table{
      {"output", "all in integers", "as chosen", report.measured_in.empty() ? "" : "in " + report.measured_in},
      {false, true, true, true},
      {}};
  for (const OutputReport& o : report.outputs) {
    table.rows.push_back(
        {o.name, decibels_text(o.all_integer_db), decibels_text(o.mixed_db), decibels_text(o.engine_db)});
  }
  return "SQNR in dB against float:\n" + table.text() + "\n";
}

}  // namespace

std::string join_fate(const Join& join) {
  if (join.in_float) {
    return fmt::format(
        "left in float at the network's end; in 8 bits the narrowest would keep {:.1f} of 255 steps "
        "(--split-outputs gives the operands out instead)",
        join.steps_least());
  }
  return fmt::format("in integers, the narrowest has {:.1f} of 255 steps", join.steps_least());
}

std::string decibels_text(std::optional<double> db) {
  if (!db) return "";
  return std::isinf(*db) ? "equal" : fmt::format("{:.1f}", *db);
}

Json quantize_to_json(const QuantizeRequest& request, const QuantizedFile& file) {
  const QuantizeReport& r = file.report;
  Json outputs = Json::array(), trials = Json::array();
  for (const OutputReport& o : r.outputs) {
    Json output = Json()
                      .set("name", o.name)
                      .set("all_integer_sqnr_db", decibels(o.all_integer_db))
                      .set("sqnr_db", decibels(o.mixed_db));
    if (o.engine_db) output.set("engine_sqnr_db", decibels(o.engine_db));
    outputs.push(output);
  }
  for (const TrialReport& t : r.trials) {
    trials.push(Json()
                    .set("name", t.name)
                    .set("noise_left", t.noise_left)
                    .set("macs_share", t.macs_share)
                    .set("border_elements", t.border_elements)
                    .set("kept_float", t.kept));
  }
  Json steps = Json::array();
  for (const StepReport& s : r.steps)
    steps.push(Json().set("name", s.name).set("noise_left", s.noise_left).set("kept", s.kept));
  Json ports = Json::array();
  for (const Port& p : r.ports) ports.push(port_json(p));
  Json measured = Json().set("engine", r.measured_in);
  if (!r.not_measured.empty()) measured.set("not_measured", r.not_measured);
  Json document;
  document.set("source", request.source)
      .set("result", file.path)
      .set("engine", r.engine)
      .set("precision", precision_name(r.precision))
      .set("calibration", calibration_json(request, r))
      .set("measured", measured)
      .set("macs", r.macs)
      .set("macs_integer", r.macs_integer)
      .set("bytes_before", file.bytes_before)
      .set("bytes_after", file.bytes_after)
      .set("outputs", outputs)
      .set("steps", steps)
      .set("drops", drops_json(r))
      .set("trials", trials)
      .set("layers", layers_json(r))
      .set("io", ports);
  Json joins = Json::array();
  for (const Join& j : r.joins) joins.push(join_json(j));
  document.set("joins", joins);
  if (file.edge_tpu) document.set("edge_tpu", edge_tpu_json(*file.edge_tpu));
  return document;
}

std::string quantize_text(const QuantizeRequest& request, const QuantizedFile& file) {
  const QuantizeReport& r = file.report;
  std::string text = outputs_text(r) + layers_text(r) + ports_text(r) + joins_text(r);
  if (file.edge_tpu) text += edge_tpu_text(*file.edge_tpu);
  for (const StepReport& s : r.steps)
    text += fmt::format("{}: {:.0f} % of the noise, {}\n", s.name, 100 * s.noise_left, s.kept ? "kept" : "not kept");
  if (!r.drops.empty()) {
    text += fmt::format("{}, with {} layers in float for it; allowed are {:.2f} points\n",
                        drop_text(r.drops.back().drop), r.drops.back().layers_float, 100 * request.drop->max);
  }
  text += samples_text(r);
  text += calibration_text(r);
  if (!r.not_measured.empty()) text += fmt::format("not measured in {}: {}\n", r.engine, r.not_measured);
  return text + fmt::format("{}: {:.2f} MB, was {:.2f} MB\n", file.path, static_cast<double>(file.bytes_after) / 1e6,
                            static_cast<double>(file.bytes_before) / 1e6);
}

}  // namespace oree
