// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/inspect/summary_parts.h"
#include "model/onnx/onnx_element.h"
#include "model/onnx/onnx_file.h"
#include "model/ops/costs.h"

namespace oree {
namespace {

std::string op_name(const OnnxNode& node) {
  std::string op(node.op.substr(0, 128));
  return node.domain.empty() ? op : std::string(node.domain.substr(0, 128)) + "." + op;
}

class OnnxSummary {
 public:
  OnnxSummary(const OnnxFile& file, ModelSummary& out) : file_(file), out_(out) {}

  void fill() {
    out_.producer = std::string(file_.producer.substr(0, 128));
    if (!file_.producer_version.empty()) out_.producer += " " + std::string(file_.producer_version.substr(0, 64));
    out_.versions["ir"] = file_.ir_version;
    for (const auto& [domain, version] : file_.opsets) {
      out_.versions[domain.empty() ? "opset" : "opset " + domain.substr(0, 128)] = version;
    }
    std::set<std::string_view> constants;
    for (const OnnxTensor& t : file_.graph.initializers) constants.insert(t.name);
    for (const OnnxValue& v : file_.graph.inputs) {
      if (!constants.contains(v.name)) out_.inputs.push_back(describe(v));
    }
    for (const OnnxValue& v : file_.graph.outputs) out_.outputs.push_back(describe(v));
    graph(file_.graph);
    out_.external_files.assign(external_.begin(), external_.end());
  }

 private:
  static InspectedTensor describe(const OnnxValue& v) {
    return {std::string(v.name), v.tensor ? onnx_element(v.element).name : "not a tensor", v.shape, v.has_shape};
  }

  void graph(const OnnxGraph& g) {
    std::set<std::string_view> rows;  // constants of several elements
    for (const OnnxTensor& t : g.initializers) {
      weight(t);
      if (volume(t.dims) > 1) rows.insert(t.name);
    }
    for (const OnnxNode& node : g.nodes) {
      for (const OnnxAttribute& a : node.attributes) {
        for (const OnnxTensor& t : a.tensors) {
          weight(t);
          if (node.op == "Constant" && !node.outputs.empty() && volume(t.dims) > 1) rows.insert(node.outputs[0]);
        }
        for (const OnnxGraph& inner : a.graphs) graph(inner);
      }
      if (node.op == "Constant" && node.domain.empty()) continue;
      std::string name = op_name(node);
      bool own = node.domain.empty() || node.domain == "ai.onnx.ml";
      if (++out_.ops[name] == 1 && !own) out_.custom_ops.push_back(name);
      quantization(node, rows);
    }
  }

  void weight(const OnnxTensor& t) {
    ElementType element = onnx_element(t.element);
    int64_t elements = volume(t.dims);
    if (elements < 0) return;
    out_.weight_bytes[element.name] += (elements * element.bits + 7) / 8;
    bool real = std::string_view(element.name).find("float") != std::string_view::npos;
    bool small_integer = element.bits > 0 && element.bits <= 8 && element.dtype != Dtype::kBool;
    if (real || small_integer) out_.parameters += elements;
    if (t.external.empty()) return;
    external_.insert(std::string(t.external));
    out_.external_bytes =
        t.external_bytes > 0 && out_.external_bytes >= 0 && out_.external_bytes <= INT64_MAX - t.external_bytes
            ? out_.external_bytes + t.external_bytes
            : -1;
  }

  void quantization(const OnnxNode& node, const std::set<std::string_view>& rows) {
    size_t scale = 1;
    if (node.op == "QLinearConv" || node.op == "QLinearMatMul") {
      scale = 4;
    } else if (node.op != "QuantizeLinear" && node.op != "DequantizeLinear" && node.op != "DynamicQuantizeLinear") {
      return;
    }
    ++out_.quantized_tensors;
    if (scale < node.inputs.size() && rows.contains(node.inputs[scale])) ++out_.quantized_per_channel;
  }

  const OnnxFile& file_;
  ModelSummary& out_;
  std::set<std::string> external_;
};

}  // namespace

Status summarise_onnx(ByteView bytes, ModelSummary& summary) {
  OREE_TRY_ASSIGN(OnnxFile file, read_onnx(bytes));
  OnnxSummary(file, summary).fill();
  return {};
}

}  // namespace oree
