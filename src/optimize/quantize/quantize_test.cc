// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/quantize.h"

#include "core/codec/npy.h"
#include "optimize/quantize/compare.h"
#include "optimize/quantize/emit.h"
#include "optimize/quantize/engines_fixture.h"
#include "optimize/quantize/prepare.h"
#include "optimize/quantize/quantize_file.h"

namespace oree {
namespace {

constexpr const char* kEngines[] = {"onnxruntime", "openvino", "tflite"};

ValueId dense(Graph& g, ValueId x, int64_t to, uint64_t seed) {
  int64_t from = to_shape(*g.value(x).dims).back();
  auto deviation = static_cast<float>(1 / std::sqrt(static_cast<double>(from)));
  return build(g, "MatMul", {x, normal_constant(g, {from, to}, seed, deviation)});
}

// Convolution, depthwise convolution, a sum, a pool over all, a matrix: of the sizes of trained ones.
Graph small_net() {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 3, 16, 16});
  Attributes padded{{"pads", Ints{1, 1, 1, 1}}}, depthwise{{"pads", Ints{1, 1, 1, 1}}, {"group", int64_t{16}}};
  ValueId a = build(g, "Conv", {x, normal_constant(g, {16, 3, 3, 3}, 1, 0.2f), normal_constant(g, {16}, 2)}, padded);
  a = build(g, "Relu", {a});
  ValueId b = build(g, "Conv", {a, normal_constant(g, {16, 1, 3, 3}, 3, 0.3f), normal_constant(g, {16}, 4)}, depthwise);
  ValueId sum = build(g, "Add", {build(g, "Relu", {b}), a});
  ValueId c = build(g, "Relu", {build(g, "Conv", {sum, normal_constant(g, {32, 16, 1, 1}, 5, 0.25f)})});
  ValueId flat = build(g, "Flatten", {build(g, "GlobalAveragePool", {c})});
  g.add_output(build(g, "Gemm", {flat, normal_constant(g, {32, 10}, 6, 0.2f), normal_constant(g, {10}, 7)}, {},
                     kMainBlock, "scores"));
  return g;
}

Graph transformer() {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{1, 12, 32});
  auto norm = [&](ValueId v, uint64_t seed) {
    ValueId scale = g.add_constant("scale", Constant::of_floats(std::vector<float>(32, 1.5f), {32}));
    return build(g, "LayerNormalization", {v, scale, normal_constant(g, {32}, seed, 0.1f)});
  };
  ValueId n = norm(x, 1), q = dense(g, n, 32, 2), k = dense(g, n, 32, 3), v = dense(g, n, 32, 4);
  ValueId products = build(g, "MatMul", {q, build(g, "Transpose", {k}, {{"perm", Ints{0, 2, 1}}})});
  products = build(g, "Mul", {products, g.add_constant("by", Constant::scalar(0.17f))});
  ValueId heeded = build(g, "MatMul", {build(g, "Softmax", {products}, {{"axis", int64_t{-1}}}), v});
  ValueId y = build(g, "Add", {x, dense(g, heeded, 32, 5)});
  ValueId inner = build(g, "Gelu", {dense(g, norm(y, 6), 64, 7)});
  g.add_output(build(g, "Add", {y, dense(g, inner, 32, 8)}));
  return g;
}

Graph hard_swish_net(uint64_t layers = 4) {
  Graph g;
  ValueId x = picture(g);
  for (uint64_t seed = 1; seed < layers; ++seed) x = build(g, "HardSwish", {conv(g, x, 8, seed)});
  g.add_output(conv(g, x, 8, layers, "last"));
  return g;
}

struct Work {
  PosixFiles files;
  TestFolder folder;

  Result<Quantized> run(const Graph& net, QuantizeOptions options, std::vector<size_t> bad = {}) {
    options.scratch = folder.path;
    Model model;
    model.graph = net;
    OREE_TRY(prepare_for_quantization(model, {}, options.engine == "tflite"));
    NormalSamples samples(model.graph, 20, std::move(bad));
    return quantize(files, model.graph, samples, options);
  }
  Quantized done(const Graph& net, const QuantizeOptions& options) {
    Result<Quantized> result = run(net, options);
    REQUIRE_MESSAGE(result.ok(), options.engine, ": ", (result.ok() ? "" : result.error().message()));
    CHECK(validate(result->graph).ok());
    return std::move(*result);
  }
};

double integer_share(const QuantizeReport& r) {
  return static_cast<double>(r.macs_integer) / static_cast<double>(r.macs);
}

}  // namespace

TEST_CASE("a small network is in integers, and in the engine near to float; threads change nothing") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  for (const char* engine : kEngines) {
    if (!engine_is_here(engine)) continue;
    CAPTURE(std::string(engine));
    Quantized one = work.done(small_net(), {.engine = engine}),
              two = work.done(small_net(), {.engine = engine, .threads = 2});
    CHECK(one.report.samples == 20);
    CHECK(one.report.measured_in == engine);
    REQUIRE(one.report.outputs.size() == 1);
    CHECK(one.report.outputs[0].name == "scores");
    CHECK(one.report.outputs[0].engine_db.value_or(0) >= 25);
    CHECK(one.report.outputs[0].mixed_db >= 25);
    CHECK(integer_share(one.report) >= 0.95);
    Model a, b;
    a.graph = std::move(one.graph);
    b.graph = std::move(two.graph);
    const char* name = engine == std::string_view("tflite") ? "a.tflite" : "a.onnx";
    REQUIRE(write_model(work.files, a, work.folder / name, {}).ok());
    Bytes first = work.files.read(work.folder / name, 1 << 24).value();
    REQUIRE(write_model(work.files, b, work.folder / name, {}).ok());
    CHECK(first == work.files.read(work.folder / name, 1 << 24).value());
  }
}

TEST_CASE("transformers and other activations go through, too") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  for (const char* engine : kEngines) {
    if (!engine_is_here(engine)) continue;
    for (bool attention : {true, false}) {
      CAPTURE(std::string(engine));
      CAPTURE(attention);
      Quantized q = work.done(attention ? transformer() : hard_swish_net(), {.engine = engine});
      CHECK(q.report.outputs[0].engine_db.value_or(0) >= 25);
      CHECK(integer_share(q.report) >= 0.9);
    }
  }
}

TEST_CASE("nothing stays in float for accuracy when nothing may, and what shall stay does") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  Quantized q = work.done(small_net(), {.float_macs_max = 0.0, .measure = false});
  CHECK(integer_share(q.report) == 1);
  CHECK(q.report.trials.empty());
  CHECK(q.report.outputs[0].mixed_db == q.report.outputs[0].all_integer_db);
  CHECK(q.report.measured_in.empty());
  Quantized kept = work.done(small_net(), {.keep_float = {"scores"}, .measure = false});
  CHECK(kept.report.macs - kept.report.macs_integer == 320);
  Result<Quantized> misspelled = work.run(small_net(), {.keep_float = {"score"}, .measure = false});
  REQUIRE(!misspelled.ok());
  CHECK(misspelled.error().code() == Code::kUsage);
  CHECK(misspelled.error().message().find("'score'") != std::string::npos);
}

TEST_CASE("beside the result come one all in integers and one with more in float, where they are others") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  const Graph deep = hard_swish_net(9);
  QuantizeOptions options{.float_macs_max = 0.32, .also_whole = true, .also_float_macs = 0.9, .measure = false};
  Quantized q = work.done(deep, options);
  REQUIRE(q.whole);
  REQUIRE(q.more);
  CHECK(integer_share(q.report) >= 0.68);
  CHECK(integer_share(q.whole->report) > integer_share(q.report));
  CHECK(integer_share(q.more->report) < integer_share(q.report));
  CHECK(integer_share(q.more->report) >= 0.1);
  auto decibels = [](const Quantized& of) { return of.report.outputs.at(0).mixed_db; };
  CHECK(decibels(*q.whole) < decibels(q));
  CHECK(decibels(q) < decibels(*q.more));
  // Each is what it would be alone.
  options = {.float_macs_max = 0.0, .measure = false};
  CHECK(decibels(*q.whole) == decibels(work.done(deep, options)));
  // Not a second time the same, and none that no bound was asked for.
  options = {.float_macs_max = 0.0, .also_whole = true, .measure = false};
  Quantized none = work.done(deep, options);
  CHECK(!none.whole);
  CHECK(!none.more);
}

TEST_CASE("of a network that gives out indices, what they are found among is looked at") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  Graph g = small_net();
  const ValueId scores = g.main().outputs[0];
  g.remove_output(kMainBlock, 0);
  g.add_output(build(g, "ArgMax", {scores}, {{"axis", int64_t{-1}}}, kMainBlock, "class"));
  for (const char* engine : kEngines) {
    if (!engine_is_here(engine)) continue;
    Quantized q = work.done(g, {.engine = engine});
    REQUIRE(q.report.outputs.size() == 1);
    CHECK(q.report.outputs[0].name == "scores");
    CHECK(q.report.outputs[0].mixed_db >= 25);
    CHECK(q.report.outputs[0].engine_db.value_or(0) >= 25);
    CHECK(q.graph.value(q.graph.main().outputs[0]).name == "class");
  }
}

TEST_CASE("a thorough run is never further from float than a quick one") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  Graph chain;
  ValueId x = picture(chain);
  for (uint64_t seed : {1, 2, 3}) x = build(chain, "Relu", {conv(chain, x, 16, seed)});
  chain.add_output(conv(chain, x, 8, 4, "last"));
  for (const Graph& net : {chain, transformer()}) {
    QuantizeOptions options{.float_macs_max = 0.0, .measure = false};  // which layers help is another matter
    double quick = work.done(net, options).report.outputs[0].mixed_db;
    options.thorough = true;
    Quantized q = work.done(net, options);
    CHECK(std::ranges::any_of(
        q.report.steps, [](const StepReport& s) { return s.name.find("rounded for what") != std::string::npos; }));
    CHECK(q.report.steps.size() > 1);
    // What a quick run reports is from before its last biases were corrected.
    CHECK(q.report.outputs[0].mixed_db >= quick - 0.1);
  }
}

TEST_CASE("what else a thorough run tries costs nothing that there is already") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  size_t judged = 0;
  QuantizeOptions options{.thorough = true, .drop_max = 0.01, .measure = false};
  // The first network is as good as float, every other one is lost.
  options.judge = [&](const Graph&) -> Result<Drop> {
    return Drop{.metric = "top1", .found = judged++ == 0 ? 1.0 : 0.0, .samples = 1};
  };
  Quantized q = work.done(small_net(), options);
  CHECK(judged >= 1);
  REQUIRE(q.report.drops.size() == 1);
  CHECK(q.report.drops[0].layers_float == 0);
  CHECK(q.report.drops[0].drop.found == 1);
}

TEST_CASE("weights that are rounded for their layers keep the bound of neighbours") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  Graph g;
  ValueId x = picture(g);
  x = build(g, "Relu", {conv(g, x, 16, 1)});
  for (uint64_t seed : {2, 3}) x = build(g, "Relu", {conv(g, x, 16, seed)});
  g.add_output(conv(g, x, 8, 4, "last"));
  Quantized q = work.done(g, {.cpu = TargetCpu::kX86, .measure = false});
  REQUIRE(!q.report.steps.empty());
  REQUIRE(q.report.steps[0].kept);
  int filters = 0, tight = 0;
  for (NodeId n : q.graph.order()) {
    const Node& node = q.graph.node(n);
    const Constant* stored = nullptr;
    if (node.is("DequantizeLinear")) stored = q.graph.constant(node.inputs[0]);
    if (stored == nullptr || stored->dtype() != Dtype::kInt8 || stored->shape().size() != 4) continue;
    ++filters;
    const std::vector<double> w = stored->to_doubles();
    const auto inputs = static_cast<size_t>(stored->shape()[1]);
    for (size_t at = 0; at < w.size(); ++at) {
      if (at / 9 % inputs % 2 != 0) continue;
      const auto a = static_cast<int32_t>(w[at]), b = static_cast<int32_t>(w[at + 9]);
      REQUIRE(pair_fits(a, b));
      tight += std::abs(a + b) == 128;
    }
  }
  CHECK(filters == 3);  // the last gives sums
  CHECK(tight > 10);    // or the bound was none
}

namespace {

// Sums of the largest products of a layer's integers and the largest inputs, in the engine; the layer is not the last,
// which is computed otherwise.
double largest_products_db(const char* engine, int64_t group, int64_t per_group, const Shape& kernel, bool alike) {
  Graph g;
  Dims dims{1, group * per_group};
  Shape shape{32, per_group};
  for (int64_t k : kernel) {
    dims.push_back(12);
    shape.push_back(k);
  }
  const auto taps = static_cast<size_t>(shape_elements(kernel).value());
  ValueId x = g.add_input("x", Dtype::kFloat32, dims);
  std::vector<float> weights(static_cast<size_t>(shape_elements(shape).value()), 1.0F);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!alike && i / taps % 2 != 0) weights[i] = 0.008F;  // one of two neighbours may be as large as it likes
    if (i < weights.size() / 2) weights[i] *= i % 7 == 0 ? -0.5F : -1.0F;
  }
  ValueId y = build(g, "Conv", {x, g.add_constant("w", Constant::of_floats(weights, shape))}, {{"group", group}});
  const Shape ones = kernel.size() == 1 ? Shape{1, 32, 1} : Shape{1, 32, 1, 1};
  g.add_output(
      build(g, "Conv",
            {build(g, "Relu", {y}), g.add_constant("one", Constant::of_floats(std::vector<float>(32, 0.03F), ones))}));
  PosixFiles files;
  TestFolder folder;
  Statistics statistics;
  const Dialect d = dialect_for(engine).value();
  GraphPlacement placement = place(g, d, {});
  NamedTensors inputs = normal_inputs(g);
  for (float& v : inputs[0].tensor.as<float>()) v = std::abs(v) > 0.1F ? 1.0F : std::abs(v);
  Interpreter interpreter = Interpreter::create(g).value();
  interpreter.observe([&](ValueId v, const Tensor& t) { statistics[v].histogram.add(t.as<float>()); });
  REQUIRE(interpreter.run(inputs).ok());
  PlanOptions options{{.method = RangeMethod::kMinMax}};
  Plan plan = Planner(g, d, statistics, options).plan(std::move(placement)).value();
  Graph quantized = g;
  REQUIRE(emit(quantized, plan).ok());
  const std::vector<ValueId> seen{y};
  Result<std::vector<Noise>> noise =
      compare_graphs(files, g, seen, quantized, seen, {inputs}, {1, folder.path}, engine);
  REQUIRE_MESSAGE(noise.ok(), (noise.ok() ? "" : noise.error().message()));
  return (*noise)[0].sqnr_db();
}

}  // namespace

// On this machine, whatever its kind.
TEST_CASE("the largest products of every kind of convolution come out as the interpreter has them") {
  struct Kind {
    int64_t group, per_group;
    Shape kernel;
  };
  for (const char* engine : {"onnxruntime", "openvino"}) {
    if (!engine_is_here(engine)) continue;
    for (const Kind& k : {Kind{1, 32, {3, 3}},
                          {1, 31, {3, 3}},
                          {1, 32, {1, 1}},
                          {1, 31, {1, 1}},
                          {1, 1, {3, 3}},
                          {32, 1, {3, 3}},
                          {32, 1, {5, 5}},
                          {8, 4, {3, 3}},
                          {32, 1, {9}},
                          {1, 32, {3}},
                          {1, 6, {3}}}) {
      for (bool alike : {true, false}) {
        CAPTURE(engine);
        CAPTURE(k.group);
        CAPTURE(k.per_group);
        CAPTURE(k.kernel.size());
        CAPTURE(alike);
        CHECK(largest_products_db(engine, k.group, k.per_group, k.kernel, alike) > 30);
      }
    }
  }
}

TEST_CASE("bad samples are named and refused, or left out and named") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  Result<Quantized> refused = work.run(small_net(), {.measure = false}, {5, 7});
  REQUIRE(!refused.ok());
  CHECK(refused.error().code() == Code::kInvalid);
  for (const char* name : {"normal 5", "normal 7", "2 of 20"})
    CHECK_MESSAGE(refused.error().message().find(name) != std::string::npos, refused.error().message());
  Result<Quantized> skipped = work.run(small_net(), {.skip_bad = true, .measure = false}, {5, 7});
  REQUIRE_MESSAGE(skipped.ok(), (skipped.ok() ? "" : skipped.error().message()));
  CHECK(skipped->report.samples == 18);
  CHECK(skipped->report.bad.count == 2);
}

TEST_CASE("from file to file: the result is written when all went well, and the scratch folder is gone") {
  if (!engine_is_here("onnxruntime")) return;
  Work work;
  Model model;
  model.graph = small_net();
  QuantizeRequest request;
  request.source = work.folder / "net.onnx";
  REQUIRE(write_model(work.files, model, request.source, {}).ok());
  Tensor samples(Dtype::kFloat32, {20, 3, 16, 16});
  std::ranges::copy(normal_values(20 * 768, 5), samples.as<float>().begin());
  auto put_samples = [&] { REQUIRE(work.files.write_atomic(work.folder / "samples.npy", write_npy(samples)).ok()); };
  request.data.path = work.folder / "samples.npy";
  request.result = work.folder / "small.onnx";

  samples.as<float>()[768 * 3 + 5] = std::nanf("");
  put_samples();
  Result<std::vector<QuantizedFile>> refused = quantize_file({.files = &work.files}, request);
  REQUIRE(!refused.ok());
  CHECK_MESSAGE(refused.error().message().find("samples.npy[3]") != std::string::npos, refused.error().message());
  CHECK(work.files.list(work.folder.path).value() == std::vector<std::string>{"net.onnx", "samples.npy"});

  samples.as<float>()[768 * 3 + 5] = 0;
  put_samples();
  const std::string users = work.folder / "small.onnx.scratch";  // a folder that is not ours
  REQUIRE(work.files.make_dirs(users).ok());
  Result<std::vector<QuantizedFile>> done = quantize_file({.files = &work.files}, request);
  REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().message()));
  REQUIRE(done->size() == 1);
  const QuantizedFile& file = done->front();
  CHECK(file.bytes_before > 0);
  CHECK(work.files.exists(users));
  CHECK(work.files.list(work.folder.path).value().size() == 4);
  CHECK(quantize_to_json(request, file).dump().find("nan") == std::string::npos);
  CHECK(quantize_text(request, file).find("scores") != std::string::npos);

  request.source = request.result;
  request.result = work.folder / "again.onnx";
  Result<std::vector<QuantizedFile>> again = quantize_file({.files = &work.files}, request);
  REQUIRE(!again.ok());
  CHECK(again.error().message().find("quantized already") != std::string::npos);
  request.result = work.folder / "again.tflite";  // ONNX Runtime's dialect
  CHECK(quantize_file({.files = &work.files}, request).error().code() == Code::kUsage);
  CHECK(work.files.exists(users));
  CHECK(work.files.list(work.folder.path).value().size() == 4);
}

}  // namespace oree
