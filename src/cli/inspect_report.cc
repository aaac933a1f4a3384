// SPDX-License-Identifier: Apache-2.0
#include "cli/inspect_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/shown_name.h"
#include "core/base/text.h"

namespace oree::cli {
namespace {

std::string shape_of(const InspectedTensor& t) { return t.rank_known ? shape_text(t.shape) : "unknown"; }

Json counts(const std::map<std::string, int64_t>& map) {
  Json out = Json::object();
  for (const auto& [key, value] : map) out.set(key, value);
  return out;
}

Json texts(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const std::string& text : list) out.push(text);
  return out;
}

Json texts(const std::map<std::string, std::string>& map) {
  Json out = Json::object();
  for (const auto& [key, value] : map) out.set(key, value);
  return out;
}

Json tensors(const std::vector<InspectedTensor>& list) {
  Json out = Json::array();
  for (const InspectedTensor& t : list) {
    Json shape;
    if (t.rank_known) {
      shape = Json::array();
      for (int64_t d : t.shape) shape.push(d);
    }
    out.push(Json().set("name", t.name).set("dtype", t.dtype).set("shape", shape));
  }
  return out;
}

Json layers_json(const std::vector<InspectedLayer>& layers) {
  Json out = Json::array();
  for (const InspectedLayer& l : layers) {
    out.push(Json()
                 .set("name", l.name)
                 .set("op", l.op)
                 .set("dtype", l.dtype)
                 .set("shape", l.shape)
                 .set("arithmetic", l.arithmetic)
                 .set("macs", l.macs < 0 ? Json() : Json(l.macs))
                 .set("parameters", l.parameters)
                 .set("live_bytes", l.live_bytes));
  }
  return out;
}

std::string weights_text(const ModelSummary& s) {
  int64_t total = 0;
  std::string kinds;
  for (const auto& [dtype, bytes] : s.weight_bytes) {
    total += bytes;
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", dtype, human_bytes(bytes));
  }
  return human_bytes(total) + (kinds.empty() ? "" : " (" + kinds + ")");
}

std::string macs_text(const ModelSummary& s) {
  std::string out = (s.macs_unknown.empty() ? "" : "at least ") + short_count(s.macs), kinds;
  if (s.macs > 0) {
    for (const auto& [kind, macs] : s.macs_by_arithmetic) {
      const double percent = 100 * static_cast<double>(macs) / static_cast<double>(s.macs);
      kinds += fmt::format("{}{:.{}f} % {}", kinds.empty() ? "" : ", ", percent, percent > 99.9 ? 0 : 1, kind);
    }
  }
  if (!kinds.empty()) out += " (" + kinds + ")";
  if (s.macs_unknown.empty()) return out;
  std::string unknown;
  for (const auto& [op, n] : s.macs_unknown) unknown += fmt::format("{}{} {}", unknown.empty() ? "" : ", ", n, op);
  return out + " (not counted: " + unknown + ")";
}

std::string quantization_text(const ModelSummary& s) {
  if (s.quantized_tensors == 0) return "none";
  return fmt::format("{} tensors, {} of them per channel", s.quantized_tensors, s.quantized_per_channel);
}

std::string memory_text(const ModelSummary& s) {
  if (s.live_bytes_peak < 0) return "not known";
  std::string out = (s.live_values_unknown == 0 ? "" : "at least ") + human_bytes(s.live_bytes_peak);
  if (!s.peak_layer.empty()) out += " at " + shown_name(s.peak_layer);
  return s.live_values_unknown == 0 ? out : out + fmt::format(" ({} values of unknown size)", s.live_values_unknown);
}

std::string values_text(const ModelSummary& s) {
  std::string out;
  for (const auto& [dtype, n] : s.values_by_dtype) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", n, dtype);
  return out;
}

std::string ops_table(const ModelSummary& s) {
  std::map<std::string, int64_t> all = s.ops;
  for (const auto& [op, macs] : s.macs_by_op) all.try_emplace(op, 0);  // those of functions, or of ONNX's operators
  std::vector<std::pair<std::string, int64_t>> ops(all.begin(), all.end());
  std::ranges::stable_sort(ops, std::ranges::greater(), [](const auto& op) { return op.second; });
  TextTable table{{"op", "count", "MACs", "parameters"}, {false, true, true, true}, {}};
  for (const auto& [op, n] : ops) {
    auto macs = s.macs_by_op.find(op);
    auto parameters = s.parameters_by_op.find(op);
    const bool some = parameters != s.parameters_by_op.end() && parameters->second > 0;
    table.rows.push_back({op, n == 0 ? "" : std::to_string(n),
                          macs == s.macs_by_op.end() ? "" : short_count(macs->second),
                          some ? short_count(parameters->second) : ""});
  }
  return table.text();
}

std::string layers_table(const ModelSummary& s) {
  TextTable table{
      {"layer", "op", "output", "MACs", "parameters", "live memory", ""}, {false, false, false, true, true, true}, {}};
  for (const InspectedLayer& l : s.layers) {
    table.rows.push_back({shown_name(l.name), l.op, l.shape + " " + l.dtype,
                          l.macs == 0  ? ""
                          : l.macs < 0 ? "?"
                                       : short_count(l.macs),
                          l.parameters == 0 ? "" : short_count(l.parameters), human_bytes(l.live_bytes),
                          l.name == s.peak_layer && l.live_bytes == s.live_bytes_peak ? "peak" : ""});
  }
  return table.text();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> inspect_facts(const ModelSummary& s) {
  std::string versions;
  for (const auto& [key, value] : s.versions)
    versions += fmt::format("{}{} {}", versions.empty() ? "" : ", ", key, value);
  std::vector<std::pair<std::string, std::string>> out;
  out.emplace_back("format", fmt::format("{} ({})", format_name(s.format), versions));
  if (!s.producer.empty()) out.emplace_back("producer", s.producer);
  out.emplace_back("file", human_bytes(s.file_bytes));
  for (const std::string& file : s.external_files) out.emplace_back("weights in", file);
  out.emplace_back("parameters", short_count(s.parameters));
  out.emplace_back("weights", weights_text(s));
  out.emplace_back("MACs", macs_text(s));
  out.emplace_back("live memory", memory_text(s));
  if (!s.values_by_dtype.empty()) out.emplace_back("values", values_text(s));
  out.emplace_back("quantization", quantization_text(s));
  for (const auto& [key, value] : s.metadata) out.emplace_back(key, value);
  for (const auto& [symbol, where] : s.symbols)
    out.emplace_back("dimension", fmt::format("{}: {} (set it with --dim {}=N)", symbol, where, symbol));
  for (const std::string& text : s.assumptions) out.emplace_back("assumed", text);
  for (const std::string& op : s.custom_ops) out.emplace_back("custom op", op);
  if (!s.graph_refused.empty()) out.emplace_back("no graph", s.graph_refused);
  return out;
}

Json inspect_json(const std::string& path, const ModelSummary& s, const Probes& probes) {
  Json runtimes = Json::array();
  for (const Probe& p : probes.engines) {
    runtimes.push(
        Json().set("runtime", p.runtime).set("opens", p.verdict == "yes").set("verdict", p.verdict).set("why", p.why));
  }
  Json conversions = Json::array();
  for (const Target& t : probes.targets) {
    conversions.push(Json().set("to", t.name).set("possible", t.possible).set("why", t.why));
  }
  return Json()
      .set("model", path)
      .set("format", format_name(s.format))
      .set("producer", s.producer)
      .set("versions", counts(s.versions))
      .set("inputs", tensors(s.inputs))
      .set("outputs", tensors(s.outputs))
      .set("ops", counts(s.ops))
      .set("custom_ops", texts(s.custom_ops))
      .set("parameters", s.parameters)
      .set("parameters_by_op", counts(s.parameters_by_op))
      .set("weight_bytes", counts(s.weight_bytes))
      .set("macs", s.macs)
      .set("macs_by_op", counts(s.macs_by_op))
      .set("macs_by_arithmetic", counts(s.macs_by_arithmetic))
      .set("macs_exact", s.macs_unknown.empty())
      .set("macs_unknown_ops", counts(s.macs_unknown))
      .set("live_bytes_peak", s.live_bytes_peak < 0 ? Json() : Json(s.live_bytes_peak))
      .set("live_bytes_exact", s.live_bytes_peak >= 0 && s.live_values_unknown == 0)
      .set("peak_layer", s.peak_layer)
      .set("values_by_dtype", counts(s.values_by_dtype))
      .set("symbols", texts(s.symbols))
      .set("assumptions", texts(s.assumptions))
      .set("file_bytes", s.file_bytes)
      .set("external_files", texts(s.external_files))
      .set("external_bytes", s.external_bytes)
      .set("quantized_tensors", s.quantized_tensors)
      .set("quantized_per_channel", s.quantized_per_channel)
      .set("metadata", texts(s.metadata))
      .set("graph_refused", s.graph_refused)
      .set("layers", layers_json(s.layers))
      .set("runtimes", runtimes)
      .set("conversions", conversions);
}

std::string inspect_text(const ModelSummary& s, const Probes& probes, bool layers) {
  std::string out;
  for (const auto& [name, value] : inspect_facts(s)) out += fmt::format("{:<13} {}\n", name, value);
  TextTable io{{"", "name", "dtype", "shape"}, {}, {}};
  for (const InspectedTensor& t : s.inputs) io.rows.push_back({"input", t.name, t.dtype, shape_of(t)});
  for (const InspectedTensor& t : s.outputs) io.rows.push_back({"output", t.name, t.dtype, shape_of(t)});
  out += "\n" + io.text() + "\n" + ops_table(s);
  if (layers && !s.layers.empty()) out += "\n" + layers_table(s);
  if (!probes.engines.empty()) {
    TextTable opens{{"runtime", "opens it", ""}, {}, {}};
    for (const Probe& p : probes.engines) opens.rows.push_back({p.runtime, p.verdict, p.why.substr(0, 160)});
    out += "\n" + opens.text();
  }
  if (!probes.targets.empty()) {
    TextTable table{{"convert to", "possible", ""}, {}, {}};
    for (const Target& t : probes.targets) {
      table.rows.push_back({t.name, t.possible ? "yes" : "no", utf8_text(t.why.substr(0, 160))});
    }
    out += "\n" + table.text();
  }
  return out;
}

}  // namespace oree::cli
