// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_states.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/limits.h"

namespace oree {
namespace {

constexpr std::string_view kPrefix = "oree.state.";
constexpr std::string_view kInitial = ".initial";

// Names may hold what separates them.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '%' || c == ',' || c == '=') {
      const auto byte = static_cast<uint8_t>(c);
      out += "%" + to_hex({&byte, 1});
    } else {
      out += c;
    }
  }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    Result<Bytes> byte = text[i] == '%' ? from_hex(text.substr(i + 1, 2)) : Result<Bytes>(Bytes{});
    if (byte.ok() && byte->size() == 1) {
      out += static_cast<char>((*byte)[0]);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::map<std::string, std::string> fields(std::string_view line) {
  std::map<std::string, std::string> out;
  while (!line.empty()) {
    std::string_view field = line.substr(0, line.find(','));
    line.remove_prefix(std::min(field.size() + 1, line.size()));
    size_t at = field.find('=');
    if (at != std::string_view::npos) out[std::string(field.substr(0, at))] = unescaped(field.substr(at + 1));
  }
  return out;
}

bool all_zero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](uint8_t b) { return b == 0; });
}

// The state's first value: zeros unless the metadata has others.
std::optional<Constant> initial_of(const Model& model, const Value& input, const std::string& key, int64_t& budget) {
  std::optional<Shape> shape = input.dims ? known_shape(*input.dims) : std::nullopt;
  if (!shape || !input.dtype) return std::nullopt;
  Result<int64_t> elements = shape_elements(*shape);
  if (!elements.ok()) return std::nullopt;
  // Nothing in the file pays for zeros.
  budget -= static_cast<int64_t>(dtype_bytes(*input.dtype, *elements));
  if (budget < 0) return std::nullopt;
  auto given = model.metadata.find(key + std::string(kInitial));
  if (given == model.metadata.end()) return Constant(Tensor(*input.dtype, *shape));
  Result<Bytes> bytes = from_base64(given->second);
  if (!bytes.ok()) return std::nullopt;
  Result<Tensor> tensor = Tensor::from_bytes(*input.dtype, *shape, *std::move(bytes));
  if (!tensor.ok()) return std::nullopt;
  return Constant(*std::move(tensor));
}

bool restore(Model& model, const std::string& key, int64_t& budget) {
  Graph& graph = model.graph;
  std::map<std::string, std::string> line = fields(model.metadata.at(key));
  ValueId input = graph.find(line["input"]), output = graph.find(line["output"]);
  std::vector<ValueId> inputs = graph.main().inputs, outputs = graph.main().outputs;
  auto output_at = std::ranges::find(outputs, output);
  if (input == kNoValue || output_at == outputs.end() || std::erase(inputs, input) != 1) return false;
  std::optional<Constant> initial = initial_of(model, graph.value(input), key, budget);
  if (!initial) return false;
  graph.set_inputs(kMainBlock, std::move(inputs));
  graph.remove_output(kMainBlock, static_cast<size_t>(output_at - outputs.begin()));
  graph.add_state({line["name"], input, output, *std::move(initial)});
  return true;
}

}  // namespace

std::vector<OnnxState> expose_states(Graph& graph) {
  std::vector<OnnxState> out;
  std::vector<State> states = graph.states();
  graph.clear_states();
  std::vector<ValueId> inputs = graph.main().inputs;
  for (const State& s : states) {
    inputs.push_back(s.input);
    graph.add_output(s.output);
    out.push_back({s.name, graph.value(s.input).name, graph.value(s.output).name, s.initial});
  }
  graph.set_inputs(kMainBlock, std::move(inputs));
  return out;
}

void describe_states(const std::vector<OnnxState>& states, std::map<std::string, std::string>& metadata) {
  for (size_t i = 0; i < states.size(); ++i) {
    const OnnxState& s = states[i];
    std::string key = std::string(kPrefix) + std::to_string(i);
    metadata[key] = "name=" + escaped(s.name) + ",input=" + escaped(s.input) + ",output=" + escaped(s.output);
    if (!all_zero(s.initial.bytes())) metadata[key + std::string(kInitial)] = to_base64(s.initial.bytes());
  }
}

void restore_states(Model& model) {
  int64_t budget = kModelStateBytesMax;
  for (size_t i = 0;; ++i) {
    std::string key = std::string(kPrefix) + std::to_string(i);
    if (!model.metadata.contains(key)) return;
    if (!restore(model, key, budget)) continue;
    model.metadata.erase(key);
    model.metadata.erase(key + std::string(kInitial));
  }
}

}  // namespace oree
