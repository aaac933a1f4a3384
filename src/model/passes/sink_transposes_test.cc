// SPDX-License-Identifier: Apache-2.0
#include "model/passes/permutation.h"
#include "model/passes/reshape_push.h"
#include "model/passes/rewrite.h"
#include "model/passes/test_passes.h"

namespace oree {
namespace {

const Permutation kToNchw{0, 3, 1, 2}, kToNhwc{0, 2, 3, 1};

// What a reader of an NHWC format makes: each convolution between two transposes.
struct NhwcNet {
  Graph g;
  uint32_t seed = 100;

  ValueId input(Dims dims) { return g.add_input("image", Dtype::kFloat32, std::move(dims)); }
  ValueId conv(ValueId x, int64_t in, int64_t out) {
    ValueId w = g.add_constant("w", random_constant({out, in, 3, 3}, seed++));
    ValueId t = build(g, "Transpose", {x}, {{"perm", kToNchw}});
    ValueId y = build(g, "Conv", {t, w}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
    return build(g, "Transpose", {y}, {{"perm", kToNhwc}});
  }
  ValueId ints(std::vector<int64_t> values) { return g.add_constant("ints", Constant::vector(values)); }
};

}  // namespace

TEST_CASE("a residual block keeps only the transposes at its border") {
  NhwcNet net;
  ValueId x = net.input({1, 5, 6, 3});
  ValueId a = build(net.g, "Relu", {net.conv(x, 3, 4)});
  ValueId b = build(net.g, "Relu", {net.conv(a, 4, 4)});
  ValueId sum = build(net.g, "Add", {b, a});
  ValueId bias = net.g.add_constant("bias", random_constant({4}, 5));
  ValueId y = net.conv(build(net.g, "Mul", {sum, bias}), 4, 2);
  net.g.add_output(y);
  Graph before = net.g;
  CHECK(sink_transposes(net.g).value() > 0);
  CHECK(count_nodes(net.g, "Transpose") == 2);
  check_same(before, net.g);
  CHECK(sink_transposes(net.g).value() == 0);
}

TEST_CASE("axes of Concat, Softmax, Slice, Pad, Split and reductions are renamed") {
  NhwcNet net;
  ValueId x = net.input({1, 4, 4, 3});
  ValueId a = net.conv(x, 3, 4), b = net.conv(x, 3, 2);
  ValueId joined = build(net.g, "Concat", {a, b}, {{"axis", int64_t{3}}});
  ValueId padded = build(net.g, "Pad", {joined, net.ints({0, 1, 0, 0, 0, 0, 2, 0})});
  ValueId cut = build(net.g, "Slice", {padded, net.ints({1}), net.ints({4}), net.ints({-2})});
  ValueId scale = build(net.g, "ReduceMean", {cut, net.ints({1, 2})});
  ValueId gated = build(net.g, "Mul", {cut, build(net.g, "Sigmoid", {scale})});
  ValueId soft = build(net.g, "Softmax", {gated}, {{"axis", int64_t{-1}}});
  ValueId y = net.conv(soft, 6, 2);
  net.g.add_output(y);
  Graph before = net.g;
  REQUIRE(sink_transposes(net.g).ok());
  CHECK(count_nodes(net.g, "Transpose") == 2);
  check_same(before, net.g, 1e-6);
}

TEST_CASE("a shuffle of channels keeps one transposition") {
  NhwcNet net;
  ValueId x = net.input({Dim("N"), 5, 6, 3});
  ValueId a = net.conv(x, 3, 6);
  ValueId nchw = build(net.g, "Transpose", {a}, {{"perm", kToNchw}});
  ValueId split = build(net.g, "Reshape", {nchw, net.ints({0, 2, 3, 5, 6})});
  ValueId swapped = build(net.g, "Transpose", {split}, {{"perm", Permutation{0, 2, 1, 3, 4}}});
  ValueId merged = build(net.g, "Reshape", {swapped, net.ints({0, 6, 5, 6})});
  ValueId y = net.conv(build(net.g, "Transpose", {merged}, {{"perm", kToNhwc}}), 6, 2);
  net.g.add_output(y);
  Graph before = net.g;
  REQUIRE(sink_transposes(net.g).ok());
  CHECK(count_nodes(net.g, "Transpose") == 3);  // at the picture, at the output, and the shuffle's own
  check_same(before, net.g);
  CHECK(sink_transposes(net.g).value() == 0);
}

TEST_CASE("shuffles in a row, each with a half that skips a convolution, are computed in the convolutions' layout") {
  NhwcNet net;
  ValueId x = net.input({1, 5, 6, 3});
  ValueId y = build(net.g, "Transpose", {net.conv(x, 3, 8)}, {{"perm", kToNchw}});
  for (int unit = 0; unit < 3; ++unit) {
    ValueId skips = build(net.g, "Slice", {y, net.ints({0}), net.ints({4}), net.ints({1})});
    ValueId half = build(net.g, "Slice", {y, net.ints({4}), net.ints({8}), net.ints({1})});
    ValueId convolved = net.conv(build(net.g, "Transpose", {half}, {{"perm", kToNhwc}}), 4, 4);
    convolved = build(net.g, "Transpose", {convolved}, {{"perm", kToNchw}});
    ValueId joined = build(net.g, "Concat", {skips, convolved}, {{"axis", int64_t{1}}});
    ValueId split = build(net.g, "Reshape", {joined, net.ints({1, 2, 4, 5, 6})});
    ValueId swapped = build(net.g, "Transpose", {split}, {{"perm", Permutation{0, 2, 1, 3, 4}}});
    y = build(net.g, "Reshape", {swapped, net.ints({1, 8, 5, 6})});
  }
  net.g.add_output(net.conv(build(net.g, "Transpose", {y}, {{"perm", kToNhwc}}), 8, 2));
  Graph before = net.g;
  REQUIRE(sink_transposes(net.g).ok());
  CHECK(count_nodes(net.g, "Transpose") == 5);  // at the picture, at the output, and each shuffle's own
  check_same(before, net.g);
  CHECK(sink_transposes(net.g).value() == 0);
}

TEST_CASE("a transposition goes below a Reshape of whole blocks, and no other") {
  Dims nhwc{1, 5, 6, 8};
  std::optional<ReshapePush> flat = push_through_reshape(nhwc, {1, 30, 8}, kToNhwc);  // N C H W before
  REQUIRE(flat);
  CHECK(flat->before == Permutation{0, 1, 2, 3});
  CHECK(flat->target == std::vector<int64_t>{1, 8, 30});
  CHECK(flat->after == Permutation{0, 2, 1});
  CHECK(!push_through_reshape(nhwc, {1, 240}, kToNhwc));  // H, W and C are one block: nothing is left to move
  CHECK(!push_through_reshape({1, 4, 9}, {1, 6, 6}, {0, 2, 1}));
  CHECK(!push_through_reshape({Dim("N"), 4}, {4, Dim("N")}, {1, 0}));
}

TEST_CASE("a transposition goes below a product by one matrix when it leaves the last axis in its place") {
  for (const Permutation& perm : {Permutation{0, 2, 1, 3}, Permutation{0, 2, 3, 1}}) {
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 5, 3, 8});
    ValueId t = build(g, "Transpose", {x}, {{"perm", perm}});
    ValueId w = g.add_constant("w", random_constant({to_shape(*g.value(t).dims).back(), 2}, 3));
    ValueId shares = build(g, "Softmax", {t}, {{"axis", int64_t{-1}}});
    ValueId y = build(g, "MatMul", {shares, w}, {{"tflite.hybrid", int64_t{1}}});
    g.add_output(build(g, "Transpose", {y}, {{"perm", Permutation{0, 2, 1, 3}}}, kMainBlock, "y"));
    Graph before = g;
    CHECK(sink_transposes(g).ok());
    CHECK(count_nodes(g, "Transpose") == (perm[3] == 3 ? 0 : 2));
    for (NodeId n : g.order()) CHECK(g.node(n).integer("tflite.hybrid", 0) == (g.node(n).is("MatMul") ? 1 : 0));
    check_same(before, g);
    CHECK(sink_transposes(g).value() == 0);
  }
}

TEST_CASE("a mean over the picture takes any layout") {
  NhwcNet net;
  ValueId x = net.input({1, 4, 4, 3});
  ValueId y = build(net.g, "ReduceMean", {build(net.g, "Relu", {net.conv(x, 3, 4)}), net.ints({1, 2})},
                    {{"keepdims", int64_t{0}}});
  net.g.add_output(y);
  Graph before = net.g;
  REQUIRE(sink_transposes(net.g).ok());
  CHECK(count_nodes(net.g, "Transpose") == 1);
  check_same(before, net.g, 1e-6);
}

TEST_CASE("a mean that goes through small Reshapes beside what it is of takes any layout") {
  NhwcNet net;
  ValueId x = build(net.g, "Transpose", {net.conv(net.input({1, 5, 6, 3}), 3, 4)}, {{"perm", kToNchw}});
  ValueId mean = build(net.g, "ReduceMean", {x, net.ints({2, 3})}, {{"keepdims", int64_t{1}}});
  (void)build(net.g, "Reshape", {x, net.ints({1, 2, -1})});  // for nobody
  ValueId groups = build(net.g, "Relu", {build(net.g, "Reshape", {mean, net.ints({1, 2, 2})})});
  ValueId back = build(net.g, "Reshape", {groups, net.ints({1, 4, 1, 1})});
  ValueId y = build(net.g, "Sub", {x, back});
  net.g.add_output(net.conv(build(net.g, "Transpose", {y}, {{"perm", kToNhwc}}), 4, 2));
  Graph before = net.g;
  REQUIRE(sink_transposes(net.g).ok());
  int moving = 0;  // the others are of one element an axis but one, and become Reshapes
  for (NodeId id : net.g.all_nodes()) {
    const Node& node = net.g.node(id);
    if (!node.is("Transpose")) continue;
    moving += !moves_nothing(*transpose_permutation(net.g, node), *net.g.value(node.inputs[0]).dims);
  }
  CHECK(moving == 2);
  check_same(before, net.g, 1e-6);
}

TEST_CASE("layers of one dimension keep the layout of the images that their convolutions see") {
  NhwcNet net;
  auto conv = [&](ValueId x, int64_t in) {  // of [1, 6, in]
    ValueId image = build(net.g, "Reshape", {x, net.ints({1, 1, 6, in})});
    return build(net.g, "Reshape", {net.conv(image, in, 4), net.ints({1, 6, 4})});
  };
  ValueId x = conv(net.input({1, 6, 3}), 3);
  for (int i = 0; i < 3; ++i) {
    ValueId y = build(net.g, "Elu", {conv(build(net.g, "Pad", {x, net.ints({0, 0, 0, 0, 0, 0})}), 4)});
    x = build(net.g, "Add", {conv(x, 4), y});
  }
  net.g.add_output(x);
  Graph before = net.g;
  REQUIRE(sink_transposes(net.g).ok());
  CHECK(count_nodes(net.g, "Transpose") == 2);
  check_same(before, net.g, 1e-5);
}

TEST_CASE("a transposition that an output needs stays, under the output's name") {
  NhwcNet net;
  ValueId x = net.input({1, 4, 4, 3});
  ValueId a = net.conv(x, 3, 4);
  ValueId y = build(net.g, "Relu", {a}, {}, kMainBlock, "features");
  net.g.add_output(y);
  net.g.add_output(net.conv(y, 4, 2));
  Graph before = net.g;
  REQUIRE(sink_transposes(net.g).ok());
  CHECK(count_nodes(net.g, "Transpose") == 3);
  CHECK(net.g.value(net.g.main().outputs[0]).name == "features");
  check_same(before, net.g);
}

TEST_CASE("what is cheaper to transpose is transposed") {
  // The branch is small, the trunk large: the trunk's layout wins.
  NhwcNet net;
  ValueId x = net.input({1, 16, 16, 3});
  ValueId trunk = net.conv(x, 3, 4);
  ValueId gate = net.g.add_input("gate", Dtype::kFloat32, Dims{1, 1, 1, 4});
  ValueId y = net.conv(build(net.g, "Mul", {trunk, gate}), 4, 2);
  net.g.add_output(y);
  Graph before = net.g;
  REQUIRE(sink_transposes(net.g).ok());
  CHECK(count_nodes(net.g, "Transpose") == 3);
  for (NodeId id : net.g.all_nodes()) {
    if (net.g.node(id).is("Mul")) CHECK(*net.g.value(net.g.node(id).outputs[0]).dims == Dims{1, 4, 16, 16});
  }
  check_same(before, net.g);
}

TEST_CASE("per-axis quantization moves with its axis") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kInt8, Dims{2, 3, 4});
  g.set_quantization(x, Quantization{{0.5f, 1.0f, 2.0f}, {0, 0, 0}, 1});
  ValueId t = build(g, "Transpose", {x}, {{"perm", std::vector<int64_t>{2, 0, 1}}});
  g.set_quantization(t, Quantization{{0.5f, 1.0f, 2.0f}, {0, 0, 0}, 2});
  ValueId back = build(g, "Transpose", {t}, {{"perm", std::vector<int64_t>{2, 0, 1}}});
  g.set_quantization(back, Quantization{{0.5f, 1.0f, 2.0f}, {0, 0, 0}, 0});
  g.add_output(back);
  CHECK(sink_transposes(g).value() > 0);
  REQUIRE(count_nodes(g, "Transpose") == 1);
  CHECK(g.value(g.main().outputs[0]).quantization->axis == 0);
}

TEST_CASE("an identity between an input and an output stays: both names are seen") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{2, 3});
  ValueId t = build(g, "Transpose", {x}, {{"perm", std::vector<int64_t>{1, 0}}});
  ValueId y = build(g, "Transpose", {t}, {{"perm", std::vector<int64_t>{1, 0}}}, kMainBlock, "y");
  g.add_output(y);
  Graph before = g;
  REQUIRE(sink_transposes(g).ok());
  check_same(before, g);
}

}  // namespace oree
