// SPDX-License-Identifier: Apache-2.0
// Operators that are composed of TFLite's: written to a file and read again they compute what they did.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "model/ops/inference.h"
#include "model/reference/interpreter.h"
#include "model/tflite/tflite_nodes.h"

namespace oree {
namespace {

Tensor noise(Dtype dtype, const Shape& shape, uint32_t seed) {
  Tensor t(dtype, shape);
  for (int64_t i = 0; i < t.elements(); ++i) {
    seed = seed * 1664525u + 1013904223u;
    const auto k = static_cast<size_t>(i);
    if (dtype == Dtype::kFloat32) t.as<float>()[k] = static_cast<float>(seed >> 8) / 8388608.0F * 4 - 4;
    if (dtype == Dtype::kInt64) t.as<int64_t>()[k] = seed % 5;
    if (dtype == Dtype::kBool) t.data()[k] = seed & 1;
  }
  return t;
}

Constant random_constant(const Shape& shape, uint32_t seed) { return Constant(noise(Dtype::kFloat32, shape, seed)); }

std::vector<double> result_of(const Graph& graph) {
  NamedTensors inputs;
  uint32_t seed = 7;
  for (ValueId v : graph.main().inputs) {
    Shape shape = to_shape(*graph.value(v).dims);
    for (int64_t& d : shape) d = d < 0 ? 2 : d;
    inputs.push_back({graph.value(v).name, noise(*graph.value(v).dtype, shape, seed++)});
  }
  Result<Interpreter> interpreter = Interpreter::create(graph);
  REQUIRE_MESSAGE(interpreter.ok(), (interpreter.ok() ? "" : interpreter.error().message()));
  Result<NamedTensors> outputs = interpreter->run(inputs);
  REQUIRE_MESSAGE(outputs.ok(), (outputs.ok() ? "" : outputs.error().message()));
  return outputs->at(0).tensor.to_doubles();
}

void check_same(const Graph& before, const Graph& after, double tolerance) {
  std::vector<double> a = result_of(before), b = result_of(after);
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  CHECK(worst <= tolerance);
}

Graph through_file(const Graph& graph) {
  Model model;
  model.graph = graph;
  Result<Bytes> file = write_tflite_model(model);
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message()));
  auto held = std::make_shared<Bytes>(std::move(*file));
  Result<Model> read = read_tflite_model(*held, held);
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().message()));
  REQUIRE(infer_types(read->graph).ok());
  return std::move(read->graph);
}

struct Net {
  Graph g;
  ValueId reals(const char* name, Dims dims) { return g.add_input(name, Dtype::kFloat32, std::move(dims)); }
  ValueId ints(std::vector<int64_t> values) { return g.add_constant("ints", Constant::vector(values)); }
  ValueId op(std::string_view name, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return build(g, name, std::move(inputs), std::move(attributes), kMainBlock, "y");
  }
  void proven(ValueId y, double tolerance = 2e-5) {
    g.add_output(y);
    check_same(g, through_file(g), tolerance);
  }
};

Attributes sampling(const char* mode, const char* padding, int64_t corners) {
  return {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}, {"align_corners", corners}};
}

}  // namespace

TEST_CASE("GridSample takes what lies around each place, and pads in every way") {
  for (const char* mode : {"linear", "nearest"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      for (int64_t corners : {0, 1}) {
        CAPTURE(padding);
        Net net;
        ValueId x = net.reals("x", {2, 3, 5, 4}), grid = net.reals("grid", {2, 6, 7, 2});  // far outside, too
        net.proven(net.op("GridSample", {x, grid}, sampling(mode, padding, corners)), 1e-4);
      }
    }
  }
}

TEST_CASE("AffineGrid is a product with the places of its image") {
  for (int64_t corners : {0, 1}) {
    Net flat, solid;
    ValueId theta = flat.reals("theta", {2, 2, 3});
    flat.proven(flat.op("AffineGrid", {theta, flat.ints({2, 1, 3, 4})}, {{"align_corners", corners}}));
    theta = solid.reals("theta", {1, 3, 4});
    solid.proven(solid.op("AffineGrid", {theta, solid.ints({1, 1, 2, 1, 3})}, {{"align_corners", corners}}));
  }
}

TEST_CASE("attention with heads beside each other, causal, of keys that heads share") {
  Net net;
  ValueId q = net.reals("q", {2, 3, 16}), k = net.reals("k", {2, 5, 8}), v = net.reals("v", {2, 5, 6});
  net.proven(net.op(
      "Attention", {q, k, v},
      {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}, {"is_causal", int64_t{1}}, {"softcap", 3.0F}}));
}

TEST_CASE("attention with a mask of flags, under which one query sees nothing") {
  Net net;
  ValueId q = net.reals("q", {1, 2, 3, 4}), k = net.reals("k", {1, 2, 5, 4}), v = net.reals("v", {1, 2, 5, 4});
  ValueId some = net.g.add_input("some", Dtype::kBool, Dims{3, 5});
  ValueId none = net.g.add_constant("rows", Constant(Tensor(Dtype::kBool, {1, 5})));
  ValueId rows = net.op("Concat", {none, net.op("Slice", {some, net.ints({1}), net.ints({3}), net.ints({0})})},
                        {{"axis", int64_t{0}}});
  net.proven(net.op("Attention", {q, k, v, rows}, {{"scale", 0.3F}}));
}

TEST_CASE("attention behind a past, with a mask of reals") {
  Net net;
  ValueId q = net.reals("q", {1, 2, 3, 4}), k = net.reals("k", {1, 2, 3, 4}), v = net.reals("v", {1, 2, 3, 4});
  ValueId mask = net.reals("mask", {1, 1, 3, 5}), past_k = net.reals("past_k", {1, 2, 2, 4});
  ValueId past_v = net.reals("past_v", {1, 2, 2, 4});
  net.proven(net.op("Attention", {q, k, v, mask, past_k, past_v}, {{"is_causal", int64_t{1}}}));
}

TEST_CASE("rotary embedding turns halves or neighbours, of all numbers or the first") {
  for (int64_t interleaved : {0, 1}) {
    for (int64_t turned : {0, 4}) {
      Net net;
      const int64_t half = turned == 0 ? 4 : turned / 2;
      ValueId x = net.reals("x", {2, 3, 16}), c = net.reals("c", {7, half}), s = net.reals("s", {7, half});
      ValueId places = net.g.add_input("places", Dtype::kInt64, Dims{2, 3});
      net.proven(net.op("RotaryEmbedding", {x, c, s, places},
                        {{"num_heads", int64_t{2}}, {"interleaved", interleaved}, {"rotary_embedding_dim", turned}}));
    }
  }
}

TEST_CASE("a slice of more axes than TFLite has, where few are sliced") {
  Net net;
  ValueId x = net.reals("x", {2, 3, 2, 2, 4, 3});
  net.proven(net.op("Slice", {x, net.ints({1, -1}), net.ints({4, INT64_MIN}), net.ints({4, -1}), net.ints({2, -1})}),
             0);
}

TEST_CASE("a normalisation of groups leaves the channels of an image where they are") {
  Net net;
  auto conv = [&](ValueId v, uint32_t seed) {
    return net.op("Conv", {v, net.g.add_constant("w", random_constant({4, 4, 1, 1}, seed))});
  };
  ValueId split = net.op("Reshape", {conv(net.reals("x", {2, 4, 5, 3}), 3), net.ints({2, 2, -1})});
  ValueId one = net.g.add_constant("one", Constant::of_floats(std::vector<float>{1, 1}, {2}));
  ValueId zero = net.g.add_constant("zero", Constant::of_floats(std::vector<float>{0, 0}, {2}));
  ValueId normal = net.op("InstanceNormalization", {split, one, zero});
  ValueId joined = net.op("Reshape", {normal, net.ints({2, 4, 5, 3})});
  net.proven(conv(joined, 4), 1e-4);
  Model model;
  model.graph = net.g;
  auto file = std::make_shared<Bytes>(write_tflite_model(model).value());
  const Graph written = read_tflite_nodes(*file, file).value().graph;
  auto transposes =
      std::ranges::count_if(written.all_nodes(), [&](NodeId n) { return written.node(n).op == "TRANSPOSE"; });
  CHECK(transposes == 2);  // at the picture and at the output
}

TEST_CASE("a transposed convolution of a free batch comes back") {
  Net net;
  ValueId x = net.reals("x", {Dim("N"), 2, 5, 3});
  ValueId w = net.g.add_constant("w", random_constant({2, 4, 3, 3}, 8));
  net.proven(net.op("ConvTranspose", {x, w},
                    {{"strides", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}}));
  // After reading nothing of TFLite's own is left.
  for (NodeId id : through_file(net.g).all_nodes()) CHECK(through_file(net.g).node(id).domain.empty());
}

TEST_CASE("all boxes are asked for by the largest number there is") {
  Net net;
  ValueId boxes = net.reals("boxes", {1, 6, 4}), scores = net.reals("scores", {1, 1, 6});
  ValueId most = net.g.add_constant("most", Constant::scalar(INT64_MAX));
  ValueId overlap = net.g.add_constant("overlap", Constant::scalar(0.5F));
  net.g.add_output(net.op("NonMaxSuppression", {boxes, scores, most, overlap}));
  Model model;
  model.graph = net.g;
  CHECK(write_tflite_model(model).ok());
}

TEST_CASE("for TFLite Micro an operator that it has not is refused by its name") {
  Model model;
  Graph& g = model.graph;
  const ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 8});
  g.add_output(build(g, "Tanh", {build(g, "Gelu", {x}, {}, kMainBlock, "bent")}));
  CHECK(write_tflite_model(model).ok());
  TfliteWriteOptions options;
  options.micro = true;
  const Result<Bytes> file = write_tflite_model(model, options);
  REQUIRE_FALSE(file.ok());
  CHECK(file.error().code() == Code::kUnsupported);
  CHECK(file.error().message().starts_with("TFLite Micro has no GELU"));
}

}  // namespace oree
