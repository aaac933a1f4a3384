// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/round_layer.h"

#include "optimize/quantize/graph_fixture.h"
#include "optimize/quantize/weights.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

// One linear layer without a bias.
struct Net {
  Graph graph;
  NodeId node = kNoNode;

  Net(const char* op, Dims input, const Shape& weights, const Attributes& attributes = {}) {
    ValueId x = graph.add_input("x", Dtype::kFloat32, std::move(input));
    graph.add_output(build(graph, op, {x, normal_constant(graph, weights, 3, 0.1f)}, attributes));
    node = graph.order().front();
  }
  // Neighbours alike, positive as after a ReLU.
  Tensor input(uint64_t seed) const {
    Tensor t(Dtype::kFloat32, to_shape(*graph.value(graph.main().inputs[0]).dims));
    double last = 0, shared = next_normal(seed);
    for (float& v : t.as<float>()) {
      last = 0.9 * last + 0.44 * next_normal(seed);
      v = static_cast<float>(std::max(last + shared + 0.5, 0.0));
    }
    return t;
  }
  Tensor run(const Tensor& x) const { return run_graph(graph, {{"x", x}})[0].tensor; }
  Net with(const std::vector<float>& weights) const {
    Net other = *this;
    Shape shape = graph.constant(graph.node(node).inputs[1])->shape();
    other.graph.set_input(node, 1, other.graph.add_constant("q", Constant::of_floats(weights, shape)));
    return other;
  }
};

std::vector<Net> nets() {
  return {
      Net("Conv", {2, 3, 7, 9}, {4, 3, 3, 3}),
      Net("Conv", {1, 6, 8, 8}, {4, 3, 3, 2},
          {{"group", int64_t{2}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 2, 1}}}),
      Net("Conv", {1, 5, 9, 9}, {10, 1, 3, 3},
          {{"group", int64_t{5}}, {"dilations", Ints{2, 2}}, {"pads", Ints{2, 2, 2, 2}}}),
      Net("Conv", {1, 3, 8, 7}, {4, 3, 3, 4}, {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}),
      Net("Conv", {1, 3, 8, 7}, {4, 3, 4, 3}, {{"auto_pad", std::string("SAME_LOWER")}}),
      Net("Conv", {3, 4, 11}, {6, 4, 3}),
      Net("Conv", {1, 2, 4, 5, 6}, {3, 2, 2, 3, 2}, {{"pads", Ints{0, 1, 0, 0, 1, 1}}}),
      Net("Gemm", {20, 12}, {5, 12}, {{"transB", int64_t{1}}}),
      Net("Gemm", {20, 12}, {12, 5}),
      Net("MatMul", {2, 3, 10, 12}, {12, 5}),
  };
}

// The layer's weights as [channels][k].
std::vector<float> rows_of(const Net& net, int64_t k) {
  const Node& node = net.graph.node(net.node);
  const Tensor w = net.graph.constant(node.inputs[1])->to_tensor();
  std::span<const float> v = w.as<float>();
  if (node.is("Conv") || node.integer("transB", 0) != 0) return {v.begin(), v.end()};
  std::vector<float> rows;
  size_t n = static_cast<size_t>(k), channels = v.size() / n;
  for (size_t c = 0; c < channels; ++c) {
    for (size_t i = 0; i < n; ++i) rows.push_back(v[i * channels + c]);
  }
  return rows;
}

}  // namespace

TEST_CASE("a layer's matrix gives the mean and the mean square of each channel that the layer gives") {
  for (const Net& net : nets()) {
    GramMatrix gram = GramMatrix::for_layer(net.graph, net.node, 1 << 20).value();
    std::vector<double> sums, squares;
    double count = 0;
    for (uint64_t seed : {1, 2, 3}) {
      Tensor x = net.input(seed);
      REQUIRE(gram.add(x).ok());
      Tensor y = net.run(x);
      bool last = !net.graph.node(net.node).is("Conv");
      int64_t channels = last ? y.shape().back() : y.shape()[1], inner = 1;
      for (size_t i = 2; !last && i < y.shape().size(); ++i) inner *= y.shape()[i];
      sums.resize(static_cast<size_t>(channels));
      squares.resize(sums.size());
      for (int64_t i = 0; i < y.elements(); ++i) {
        auto v = static_cast<double>(y.as<float>()[static_cast<size_t>(i)]);
        auto c = static_cast<size_t>(i / inner % channels);
        sums[c] += v;
        squares[c] += v * v;
      }
      count += static_cast<double>(y.elements() / channels);
    }
    CHECK(static_cast<double>(gram.columns()) == count);
    std::vector<float> w = rows_of(net, gram.k());
    size_t k = static_cast<size_t>(gram.k()), a_group = sums.size() / static_cast<size_t>(gram.groups());
    REQUIRE(w.size() == sums.size() * k);
    for (size_t c = 0; c < sums.size(); ++c) {
      std::vector<float> g = gram.matrix(static_cast<int64_t>(c / a_group));
      std::vector<float> about = gram.matrix(static_cast<int64_t>(c / a_group), true);
      double square = 0, variance = 0;
      for (size_t i = 0; i < k; ++i) {
        for (size_t j = 0; j < k; ++j) {
          double both = static_cast<double>(w[c * k + i]) * static_cast<double>(w[c * k + j]);
          square += both * static_cast<double>(g[i * k + j]);
          variance += both * static_cast<double>(about[i * k + j]);
        }
      }
      double mean = sums[c] / count, wanted = squares[c] / count;
      CHECK(square == doctest::Approx(wanted).epsilon(1e-3));
      CHECK(std::abs(variance - (wanted - mean * mean)) < 1e-3 * wanted);
    }
  }
}

TEST_CASE("of a large input so many places are taken as asked for, from everywhere and the same each time") {
  Net net("Conv", {1, 1, 64, 64}, {1, 1, 1, 1});
  Tensor x(Dtype::kFloat32, {1, 1, 64, 64});
  // Rows and columns that are told apart by the mean of what is seen.
  for (size_t i = 0; i < 4096; ++i) x.as<float>()[i] = static_cast<float>(i % 64) - 31.5f;
  GramMatrix gram = GramMatrix::for_layer(net.graph, net.node, 64).value(), again = gram;
  for (int i = 0; i < 10; ++i) {
    REQUIRE(gram.add(x).ok());
    REQUIRE(again.add(x).ok());
  }
  CHECK(gram.columns() == 640);
  CHECK(gram.matrix(0) == again.matrix(0));
  CHECK(gram.matrix(0, true) == again.matrix(0, true));
  // The whole picture's mean is 0, its mean square 341.25.
  double square = gram.matrix(0)[0], variance = gram.matrix(0, true)[0];
  CHECK(square == doctest::Approx(341.25).epsilon(0.05));
  CHECK(square - variance < 4);
}

TEST_CASE("what is no linear layer, too large or of another shape is refused by what it is") {
  auto refused = [](const Net& net) {
    Result<GramMatrix> gram = GramMatrix::for_layer(net.graph, net.node);
    REQUIRE(!gram.ok());
    CHECK(gram.error().code() == Code::kUnsupported);
    return gram.error().message();
  };
  CHECK(refused(Net("ConvTranspose", {1, 3, 4, 4}, {3, 2, 2, 2})).find("ConvTranspose") != std::string::npos);
  CHECK(refused(Net("Conv", {1, 600, 3, 3}, {1, 600, 3, 3})).find("4608") != std::string::npos);
  CHECK(refused(Net("MatMul", {2, 3, 4}, {2, 4, 5})).find("2x4x5") != std::string::npos);
  Net net("Conv", {1, 3, 5, 5}, {4, 3, 3, 3});
  GramMatrix gram = GramMatrix::for_layer(net.graph, net.node).value();
  CHECK(gram.add(Tensor(Dtype::kFloat32, {1, 4, 5, 5})).error().code() == Code::kInvalid);
  CHECK(gram.add(Tensor(Dtype::kFloat32, {1, 3, 5})).error().code() == Code::kInvalid);
  CHECK(gram.add(Tensor(Dtype::kInt8, {1, 3, 5, 5})).error().code() == Code::kInvalid);
  Tensor bad(Dtype::kFloat32, {1, 3, 5, 5});
  bad.as<float>()[70] = std::nanf("");
  CHECK(gram.add(bad).error().code() == Code::kInvalid);
  REQUIRE(gram.add(Tensor(Dtype::kFloat32, {1, 3, 2, 2})).ok());  // smaller than the kernel: no place
  CHECK(gram.columns() == 0);
  CHECK(round_layer(net.graph, net.node, gram, std::vector<float>{1}, int8_grid()).error().code() == Code::kInvalid);
}

TEST_CASE("a layer so rounded gives what the float one gives, nearer than by nearest rounding") {
  for (const Net& net : nets()) {
    GramMatrix gram = GramMatrix::for_layer(net.graph, net.node).value();
    for (uint64_t seed = 1; seed <= 20; ++seed) REQUIRE(gram.add(net.input(seed)).ok());
    const Node& node = net.graph.node(net.node);
    const Tensor w = net.graph.constant(node.inputs[1])->to_tensor();
    int axis = node.is("Conv") || node.integer("transB", 0) != 0 ? 0 : 1;
    for (int channels : {axis, -1}) {
      IntegerGrid grid = symmetric_int4_grid();
      std::vector<float> scales = weight_scales(w.as<float>(), w.shape(), channels, grid).value();
      std::vector<int32_t> nearest = quantize_weights(w.as<float>(), w.shape(), channels, scales, grid);
      std::vector<int32_t> chosen = round_layer(net.graph, net.node, gram, scales, grid).value();
      auto gap = [&](const std::vector<int32_t>& q) {
        Net rounded = net.with(dequantize_weights(q, w.shape(), channels, scales));
        double sum = 0;
        for (uint64_t seed = 101; seed <= 110; ++seed) {
          std::vector<double> a = net.run(net.input(seed)).to_doubles(), b = rounded.run(net.input(seed)).to_doubles();
          for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
        }
        return sum;
      };
      CAPTURE(shape_text(w.shape()));
      CHECK(gap(chosen) < 0.8 * gap(nearest));
    }
  }
}

TEST_CASE("where a bias follows, what is left varies less") {
  Net net("Conv", {1, 6, 8, 8}, {8, 6, 3, 3});
  GramMatrix gram = GramMatrix::for_layer(net.graph, net.node).value();
  for (uint64_t seed = 1; seed <= 30; ++seed) REQUIRE(gram.add(net.input(seed)).ok());
  const Tensor w = net.graph.constant(net.graph.node(net.node).inputs[1])->to_tensor();
  IntegerGrid grid = symmetric_int4_grid();
  std::vector<float> scales = weight_scales(w.as<float>(), w.shape(), 0, grid).value();
  auto error = [&](bool follows, bool about_mean) {
    LayerRounding how;
    how.bias_follows = follows;
    std::vector<int32_t> q = round_layer(net.graph, net.node, gram, scales, grid, how).value();
    return reconstruction_error(w.as<float>(), q, 8, 54, gram.matrix(0, about_mean), scales);
  };
  CHECK(error(true, true) < error(false, true));
}

}  // namespace oree
