// SPDX-License-Identifier: Apache-2.0
// oree inspect: what a model is and costs, and which of this machine's engines open it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/context.h"
#include "core/base/text.h"
#include "model/inspect/inspect.h"
#include "model/runtime/registry.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree inspect detector.tflite\n"
    "  oree inspect net.onnx --no-probe --json";

struct Probe {
  std::string runtime;
  std::string verdict;  // "yes", "no", "absent"
  std::string why;      // facts, or the reason
};

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

std::string human_count(int64_t n) {
  double v = static_cast<double>(n);
  if (n >= 1'000'000'000) return fmt::format("{:.2f} G", v / 1e9);
  if (n >= 1'000'000) return fmt::format("{:.2f} M", v / 1e6);
  if (n >= 10'000) return fmt::format("{:.1f} k", v / 1e3);
  return std::to_string(n);
}

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

Json document(const std::string& path, const ModelSummary& s, const std::vector<Probe>& probes) {
  Json runtimes = Json::array();
  for (const Probe& p : probes) {
    runtimes.push(
        Json().set("runtime", p.runtime).set("opens", p.verdict == "yes").set("verdict", p.verdict).set("why", p.why));
  }
  Json metadata = Json::object();
  for (const auto& [key, value] : s.metadata) metadata.set(key, value);
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
      .set("weight_bytes", counts(s.weight_bytes))
      .set("macs", s.macs)
      .set("macs_by_op", counts(s.macs_by_op))
      .set("macs_exact", s.macs_unknown.empty())
      .set("macs_unknown_ops", counts(s.macs_unknown))
      .set("assumptions", texts(s.assumptions))
      .set("file_bytes", s.file_bytes)
      .set("external_files", texts(s.external_files))
      .set("external_bytes", s.external_bytes)
      .set("quantized_tensors", s.quantized_tensors)
      .set("quantized_per_channel", s.quantized_per_channel)
      .set("metadata", metadata)
      .set("runtimes", runtimes);
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
  std::string out = (s.macs_unknown.empty() ? "" : "at least ") + human_count(s.macs);
  if (s.macs_unknown.empty()) return out;
  std::string unknown;
  for (const auto& [op, n] : s.macs_unknown) unknown += fmt::format("{}{} {}", unknown.empty() ? "" : ", ", n, op);
  return out + " (not counted: " + unknown + ")";
}

std::string quantization_text(const ModelSummary& s) {
  if (s.quantized_tensors == 0) return "none";
  return fmt::format("{} tensors, {} of them per channel", s.quantized_tensors, s.quantized_per_channel);
}

std::string report(const ModelSummary& s, const std::vector<Probe>& probes) {
  std::string versions;
  for (const auto& [key, value] : s.versions)
    versions += fmt::format("{}{} {}", versions.empty() ? "" : ", ", key, value);
  std::string out = fmt::format("format        {} ({})\n", format_name(s.format), versions);
  if (!s.producer.empty()) out += fmt::format("producer      {}\n", s.producer);
  out += fmt::format("file          {}\n", human_bytes(s.file_bytes));
  for (const std::string& file : s.external_files) out += fmt::format("weights in    {}\n", file);
  out += fmt::format("parameters    {}\n", human_count(s.parameters));
  out += fmt::format("weights       {}\n", weights_text(s));
  out += fmt::format("MACs          {}\n", macs_text(s));
  out += fmt::format("quantization  {}\n", quantization_text(s));
  for (const auto& [key, value] : s.metadata) out += fmt::format("{:<13} {}\n", key, value);
  for (const std::string& text : s.assumptions) out += fmt::format("assumed       {}\n", text);
  for (const std::string& op : s.custom_ops) out += fmt::format("custom op     {}\n", op);

  TextTable io{{"", "name", "dtype", "shape"}, {}, {}};
  for (const InspectedTensor& t : s.inputs) io.rows.push_back({"input", t.name, t.dtype, shape_of(t)});
  for (const InspectedTensor& t : s.outputs) io.rows.push_back({"output", t.name, t.dtype, shape_of(t)});
  out += "\n" + io.text();

  std::vector<std::pair<std::string, int64_t>> ops(s.ops.begin(), s.ops.end());
  std::stable_sort(ops.begin(), ops.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  TextTable table{{"op", "count", "MACs"}, {false, true, true}, {}};
  for (const auto& [op, n] : ops) {
    auto macs = s.macs_by_op.find(op);
    table.rows.push_back({op, std::to_string(n), macs == s.macs_by_op.end() ? "" : human_count(macs->second)});
  }
  out += "\n" + table.text();

  if (probes.empty()) return out;
  TextTable opens{{"runtime", "opens it", ""}, {}, {}};
  for (const Probe& p : probes) opens.rows.push_back({p.runtime, p.verdict, p.why.substr(0, 160)});
  return out + "\n" + opens.text();
}

}  // namespace

void add_inspect(CLI::App& app, Context& context) {
  struct Options {
    std::string model;
    bool no_probe = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, context, "inspect", "Show what a model holds and costs, and which engines open it", kExamples,
                  [&context, options]() -> Status {
                    OREE_TRY_ASSIGN(ModelSummary summary, inspect_model(options->model));
                    std::vector<Probe> probes;
                    if (!options->no_probe) probes = probe(options->model);
                    print_result(context, document(options->model, summary, probes), report(summary, probes));
                    return {};
                  });
  command->add_option("model", options->model, "ONNX, TFLite or OpenVINO IR file")->required();
  command->add_flag("--no-probe", options->no_probe, "Read the file only; open it in no engine");
}

}  // namespace oree::cli
