// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/integer_products.h"

#include <algorithm>

#include "model/passes/permutation.h"
#include "model/passes/rewrite.h"
#include "optimize/quantize/rows.h"

namespace oree {
namespace {

class Products {
 public:
  Products(Graph& graph, NodeId id, const LayerWeights& weights)
      : graph_(graph),
        id_(id),
        node_(graph.node(id)),
        w_(weights),
        result_(graph.value(node_.outputs[0])),
        dims_(result_.dims),
        rows_(of_one_tap(graph, node_)),
        last_(rows_ ? channels_last(result_.dims->size()) : Permutation()),
        conv_(node_.is("Conv") && !rows_) {}

  void put(const ProductOperand& x) {
    Node product;
    product.op = conv_ ? "ConvInteger" : "MatMulInteger";
    for (const char* kept : {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}) {
      if (const Attribute* a = conv_ ? node_.find(kept) : nullptr) product.attributes.emplace(kept, *a);
    }
    if (rows_) dims_ = permuted(*result_.dims, last_);
    product.inputs = {rows_ ? transposed(graph_, x.integers, last_, kMainBlock) : x.integers, weights(), x.zero_point};
    graph_.remove_node(id_);
    Node cast;
    cast.op = "Cast";
    cast.inputs = {behind(std::move(product), "_sums", Dtype::kInt32)};
    cast.attributes.emplace("to", int64_t{1});  // FLOAT
    Node scale;
    scale.op = "Mul";
    scale.inputs = {behind(std::move(cast), "_reals", Dtype::kFloat32), scales(x)};
    if (w_.bias.empty()) {
      finish(std::move(scale));
      return;
    }
    Node add;
    add.op = "Add";
    add.inputs = {behind(std::move(scale), "_scaled", Dtype::kFloat32), by_channel(bias_name(), w_.bias)};
    finish(std::move(add));
  }

 private:
  ValueId behind(Node node, const char* suffix, Dtype dtype) {
    return put_node(graph_, std::move(node), result_.name + suffix, dtype, dims_);
  }

  void finish(Node node) {
    if (rows_) {
      const ValueId rows = behind(std::move(node), "_by_rows", Dtype::kFloat32);
      return put_transpose(graph_, rows, inverse(last_), node_.outputs[0], kMainBlock);
    }
    node.outputs = {node_.outputs[0]};
    graph_.add_node(std::move(node));
  }

  ValueId scales(const ProductOperand& x) {
    std::vector<float> scales = w_.scales;
    for (float& s : scales) s *= x.known_scale;
    const ValueId constant = by_channel(result_.name + "_scale", scales);
    if (x.scale == kNoValue) return constant;
    Node product;
    product.op = "Mul";
    product.inputs = {x.scale, constant};
    return put_node(graph_, std::move(product), result_.name + "_scales", Dtype::kFloat32, graph_.value(constant).dims);
  }

  // As MatMulInteger and ConvInteger take them.
  ValueId weights() {
    const Value constant = graph_.value(node_.inputs[1]);
    Shape shape = constant.constant->shape();
    if (rows_) shape.resize(2);
    const std::string name = constant.name + "_quantized";
    if (!rows_ && (!node_.is("Gemm") || node_.integer("transB", 0) == 0)) return graph_.add_constant(name, w_.integers);
    const std::vector<int32_t> by_row = unpack_integers(w_.integers);
    std::vector<int32_t> integers(by_row.size());
    for (int64_t r = 0; r < shape[0]; ++r) {
      for (int64_t c = 0; c < shape[1]; ++c)
        integers[static_cast<size_t>(c * shape[0] + r)] = by_row[static_cast<size_t>(r * shape[1] + c)];
    }
    return graph_.add_constant(name, pack_integers(integers, {shape[1], shape[0]}, w_.integers.dtype()));
  }

  // One number a channel, of the shape that broadcasts to the result's channels: axis 1 of a convolution, else the
  // last.
  ValueId by_channel(const std::string& name, const std::vector<float>& numbers) {
    Shape shape{static_cast<int64_t>(numbers.size())};
    if (conv_ && numbers.size() > 1) shape.resize(result_.dims->size() - 1, 1);
    return graph_.add_constant(name, Constant::of_floats(numbers, shape));
  }

  std::string bias_name() const {
    if (node_.input(2) != kNoValue) return graph_.value(node_.inputs[2]).name;
    return result_.name + "_bias";
  }

  Graph& graph_;
  NodeId id_;
  const Node node_;  // as it was
  const LayerWeights& w_;
  const Value result_;
  std::optional<Dims> dims_;  // of the sums
  bool rows_;
  Permutation last_;  // of rows: channels last
  bool conv_;         // ConvInteger, not a matrix product
};

}  // namespace

void put_products(Graph& graph, NodeId node, const LayerWeights& weights, const ProductOperand& x) {
  Products(graph, node, weights).put(x);
}

}  // namespace oree
