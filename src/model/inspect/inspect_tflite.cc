// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <set>

#include "model/inspect/summary_parts.h"
#include "model/tflite/tflite_file.h"
#include "model/tflite/tflite_types.h"

namespace oree {
namespace {

class TfliteSummary {
 public:
  TfliteSummary(const TfliteFile& file, ModelSummary& out) : file_(file), out_(out) {}

  void fill() {
    out_.producer = std::string(file_.description.substr(0, 256));
    out_.versions["schema"] = file_.version;
    out_.versions["op (highest)"] = file_.op_version_max;
    auto minimum = file_.metadata.find("min_runtime_version");
    if (minimum != file_.metadata.end()) {
      std::string text(as_text(minimum->second));
      out_.metadata["min runtime"] = text.substr(0, std::min<size_t>(text.find('\0'), 32));
    }
    const TfliteSubgraph& main = file_.subgraphs.front();
    for (int32_t i : main.inputs) out_.inputs.push_back(describe(tensor(main, i)));
    for (int32_t i : main.outputs) out_.outputs.push_back(describe(tensor(main, i)));
    for (const InspectedTensor& input : out_.inputs) {
      for (size_t d = 0; d < input.shape.size(); ++d) {
        if (input.shape[d] < 0) {
          out_.assumptions.push_back(
              fmt::format("dimension {} of '{}' is free: taken as the file's own default", d, input.name));
        }
      }
    }
    for (const TfliteSubgraph& graph : file_.subgraphs) {
      weights(graph);
      ops(graph, &graph == &main);
    }
  }

 private:
  static const TfliteTensor& tensor(const TfliteSubgraph& graph, int32_t index) {
    return graph.tensors[static_cast<size_t>(index)];
  }

  static InspectedTensor describe(const TfliteTensor& t) {
    return {std::string(t.name), tflite_type(t.type).name, t.signature, true};
  }

  void weights(const TfliteSubgraph& graph) {
    for (const TfliteTensor& t : graph.tensors) {
      if (t.scales() > 0) {
        ++out_.quantized_tensors;
        if (t.scales() > 1) ++out_.quantized_per_channel;
      }
      auto bytes = static_cast<int64_t>(file_.buffers[t.buffer].size());
      if (bytes == 0 || !counted_.insert(t.buffer).second) continue;
      ElementType element = tflite_type(t.type);
      out_.weight_bytes[element.name] += bytes;
      bool small_integer = element.bits > 0 && element.bits <= 8 && element.dtype != Dtype::kBool;
      bool real = std::string_view(element.name).find("float") != std::string_view::npos;
      if (real || small_integer || t.scales() > 0) out_.parameters += std::max<int64_t>(0, volume(t.shape));
    }
  }

  void ops(const TfliteSubgraph& graph, bool main) {
    for (const TfliteOp& op : graph.ops) {
      std::string name = tflite_op_name(op);
      if (++out_.ops[name] == 1 && op.code == kTfliteCustom) out_.custom_ops.push_back(name);
      int64_t macs = cost(graph, op);
      if (macs == 0) continue;
      add_macs(out_, name, main ? macs : -1);  // how often another subgraph runs is not in the file
    }
  }

  // Shape of an op's i-th input or output; unknown when it is absent.
  static Shape shape_of(const TfliteSubgraph& graph, const std::vector<int32_t>& indices, size_t i) {
    if (i >= indices.size() || indices[i] < 0) return {-1};
    return tensor(graph, indices[i]).shape;
  }

  // Layouts: activations NHWC; CONV_2D weights OHWI; DEPTHWISE 1HWO; TRANSPOSE_CONV OHWI with inputs
  // (output shape, weights, x); FULLY_CONNECTED weights OI.
  static int64_t cost(const TfliteSubgraph& graph, const TfliteOp& op) {
    auto in = [&](size_t i) { return shape_of(graph, op.inputs, i); };
    Shape out = shape_of(graph, op.outputs, 0);
    switch (op.code) {
      case 3: return times(volume(out), volume(in(1), 1));
      case 4: {
        Shape w = in(1);
        return w.size() == 4 ? times(volume(out), times(w[1], w[2])) : -1;
      }
      case 9: {
        Shape w = in(1);
        return w.size() == 2 ? times(volume(out), w[1]) : -1;
      }
      case 67: {
        Shape w = in(1);
        return w.size() == 4 ? times(volume(in(2)), times(w[0], times(w[1], w[2]))) : -1;
      }
      case 126: {
        Shape a = in(0);
        if (a.size() < 2) return -1;
        Result<uint8_t> transposed = op.options.scalar<uint8_t>(0, 0);
        bool adjoint = transposed.ok() && *transposed != 0;
        return times(volume(out), a[a.size() - (adjoint ? 2 : 1)]);
      }
      case 132: {  // weights DHWIO
        Shape w = in(1);
        return w.size() == 5 ? times(volume(out), volume({w[0], w[1], w[2], w[3]})) : -1;
      }
      case 27: {  // SVDF: features over the input, then time over the memory
        int64_t features = volume(in(1)), time = volume(in(2));
        return features < 0 || time < 0 || in(0).empty() ? -1 : times(in(0)[0], features + time);
      }
      case 44: return sequence_lstm(graph, op);
      case 16:
      case 24:
      case 35:
      case 46:
      case 52:
      case 141: return -1;  // recurrent ops without a formula here
      default: return 0;
    }
  }

  // Inputs 1 to 8 are the four input and four recurrent matrices, 16 the projection; an input gate may be absent.
  static int64_t sequence_lstm(const TfliteSubgraph& graph, const TfliteOp& op) {
    Shape x = shape_of(graph, op.inputs, 0);
    if (x.size() != 3) return -1;
    int64_t weights = 0;
    for (size_t i : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
      if (i >= op.inputs.size() || op.inputs[i] < 0) continue;
      int64_t elements = volume(shape_of(graph, op.inputs, i));
      if (elements < 0) return -1;
      weights += elements;
    }
    return times(times(x[0], x[1]), weights);
  }

  const TfliteFile& file_;
  ModelSummary& out_;
  std::set<uint32_t> counted_;
};

}  // namespace

Status summarise_tflite(ByteView bytes, ModelSummary& summary) {
  OREE_TRY_ASSIGN(TfliteFile file, read_tflite(bytes));
  TfliteSummary(file, summary).fill();
  return {};
}

}  // namespace oree
