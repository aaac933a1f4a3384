// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/inspect/onnx_shapes.h"
#include "model/inspect/summary_parts.h"
#include "model/onnx/onnx_element.h"

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
    OnnxShapes shapes(file_, assume(constants));
    graph(file_.graph, &shapes);
    out_.external_files.assign(external_.begin(), external_.end());
  }

 private:
  static InspectedTensor describe(const OnnxValue& v) {
    return {std::string(v.name), v.tensor ? onnx_element(v.element).name : "not a tensor", v.shape, v.has_shape};
  }

  // A free outermost dimension is the batch in every exporter's habit; one item is what a run on a device has.
  std::map<std::string, int64_t> assume(const std::set<std::string_view>& constants) {
    std::map<std::string, int64_t> free;
    for (const OnnxValue& v : file_.graph.inputs) {
      if (constants.contains(v.name) || v.shape.empty() || v.shape[0] >= 0) continue;
      free[v.symbols[0].empty() ? std::string(v.name) + "#0" : std::string(v.symbols[0])] = 1;
      out_.assumptions.push_back(fmt::format("dimension 0 of '{}' is free: taken as 1", v.name));
    }
    return free;
  }

  // `shapes` is null inside of a branch or loop: how often that runs is not in the file.
  void graph(const OnnxGraph& g, const OnnxShapes* shapes) {
    for (const OnnxTensor& t : g.initializers) weight(t);
    for (const OnnxNode& node : g.nodes) {
      for (const OnnxAttribute& a : node.attributes) {
        for (const OnnxTensor& t : a.tensors) weight(t);
        for (const OnnxGraph& inner : a.graphs) graph(inner, nullptr);
      }
      if (node.op == "Constant" && node.domain.empty()) continue;
      std::string name = op_name(node);
      bool own = node.domain.empty() || node.domain == "ai.onnx.ml";
      if (++out_.ops[name] == 1 && !own) out_.custom_ops.push_back(name);
      quantization(node, shapes);
      int64_t macs = cost(node, shapes);
      if (macs != 0) add_macs(out_, name, macs);
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

  void quantization(const OnnxNode& node, const OnnxShapes* shapes) {
    size_t scale = 1;
    if (node.op == "QLinearConv" || node.op == "QLinearMatMul") {
      scale = 4;
    } else if (node.op != "QuantizeLinear" && node.op != "DequantizeLinear" && node.op != "DynamicQuantizeLinear") {
      return;
    }
    ++out_.quantized_tensors;
    if (shapes == nullptr || scale >= node.inputs.size()) return;
    std::optional<Shape> s = shapes->shape(node.inputs[scale]);
    if (s && volume(*s) > 1) ++out_.quantized_per_channel;
  }

  // Layouts of ONNX: X NCHW, W OIHW (ConvTranspose IOHW), recurrent X [time, batch, size].
  static int64_t cost(const OnnxNode& node, const OnnxShapes* shapes) {
    const std::string_view op = node.op;
    bool quantized = op == "QLinearConv" || op == "QLinearMatMul";
    auto in = [&](size_t i) -> Shape {
      std::optional<Shape> s;
      if (shapes != nullptr && i < node.inputs.size()) s = shapes->shape(node.inputs[i]);
      return s.value_or(Shape{-1});
    };
    Shape out{-1};
    if (shapes != nullptr && !node.outputs.empty()) out = shapes->shape(node.outputs[0]).value_or(Shape{-1});
    if (op == "Conv" || op == "ConvInteger" || op == "FusedConv" || op == "QLinearConv") {
      return times(volume(out), volume(in(quantized ? 3 : 1), 1));
    }
    if (op == "ConvTranspose") return times(volume(in(0)), volume(in(1), 1));
    if (op == "Gemm") {
      Shape a = in(0);
      return a.size() == 2 ? times(volume(out), a[node.integer("transA", 0) != 0 ? 0 : 1]) : -1;
    }
    if (op == "MatMul" || op == "MatMulInteger" || op == "FusedMatMul" || op == "QLinearMatMul") {
      Shape a = in(0);
      bool swapped = op == "FusedMatMul" && node.integer("transA", 0) != 0;
      if (a.empty() || swapped) return -1;
      return times(volume(out), a.back());
    }
    if (op == "LSTM" || op == "GRU" || op == "RNN") {
      Shape x = in(0);
      int64_t w = volume(in(1)), r = volume(in(2));
      return x.size() == 3 && w >= 0 && r >= 0 ? times(times(x[0], x[1]), w + r) : -1;
    }
    for (const char* unknown : {"Einsum", "Attention", "MultiHeadAttention", "GroupQueryAttention", "QAttention",
                                "MatMulNBits", "DeformConv", "FusedGemm", "ConvTransposeInteger",
                                "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "DynamicQuantizeLSTM", "QGemm"}) {
      if (op == unknown) return -1;
    }
    return 0;
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
