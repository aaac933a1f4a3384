// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/integer_io.h"

#include "model/runtime/files/real_values.h"
#include "optimize/quantize/emit.h"
#include "optimize/quantize/plan_fixture.h"

namespace oree {
namespace {

struct Made {
  Graph reals, integers;
  std::vector<Port> ports;
};

Made made(const Graph& graph, const char* engine, IoType type) {
  Planned planned(graph, engine);
  Made out;
  out.reals = graph;
  REQUIRE(emit(out.reals, planned.plan).ok());
  out.integers = out.reals;
  Result<std::vector<Port>> ports = make_io(out.integers, type);
  REQUIRE_MESSAGE(ports.ok(), (ports.ok() ? "" : ports.error().message()));
  out.ports = std::move(*ports);
  Status valid = validate(out.integers);
  REQUIRE_MESSAGE(valid.ok(), (valid.ok() ? "" : valid.error().message()));
  return out;
}

RealScale scale_of(const Port& p) { return {p.affine.scale, p.affine.zero_point}; }

// The integer file, with its samples quantized and its results dequantized here, gives the same reals.
void check_same_reals(const Graph& graph, const Made& m) {
  NamedTensors reals = normal_inputs(graph, 5), integers = reals;
  std::map<std::string, Port> ports = integer_ports(m.ports);
  for (NamedTensor& t : integers) {
    if (ports.contains(t.name)) t.tensor = to_integers(t.tensor, ports[t.name].dtype, scale_of(ports[t.name])).value();
  }
  NamedTensors wanted = run_graph(m.reals, reals), found = run_graph(m.integers, integers);
  REQUIRE(wanted.size() == found.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    CHECK(found[i].name == wanted[i].name);
    Tensor t = found[i].tensor;
    if (ports.contains(found[i].name)) {
      CHECK(t.dtype() == ports[found[i].name].dtype);
      t = to_reals(t, scale_of(ports[found[i].name]));
    }
    CHECK(t.to_doubles() == wanted[i].tensor.to_doubles());
  }
}

Graph network() {
  Graph g;
  ValueId x = picture(g), y = conv(g, x, 5, 1);
  g.add_output(conv(g, build(g, "Relu", {y}), 3, 2));
  return g;
}

}  // namespace

TEST_CASE("inputs and outputs become the integers that stood for them, signed or not") {
  for (IoType type : {IoType::kInt8, IoType::kUint8}) {
    Graph g = network();
    Made m = made(g, "tflm", type);
    REQUIRE(m.ports.size() == 2);
    for (const Port& p : m.ports) {
      CHECK(p.quantized);
      CHECK(p.dtype == (type == IoType::kInt8 ? Dtype::kInt8 : Dtype::kUint8));
      CHECK(p.because.empty());
    }
    CHECK(m.ports[0].input);
    CHECK_FALSE(m.ports[1].input);
    check_same_reals(g, m);
  }
}

TEST_CASE("inputs and outputs of reals stay as they are") {
  Graph g = network();
  Made m = made(g, "tflm", IoType::kFloat);
  REQUIRE(m.ports.size() == 2);
  for (const Port& p : m.ports) {
    CHECK_FALSE(p.quantized);
    CHECK(p.dtype == Dtype::kFloat32);
  }
  check_same_reals(g, m);
}

TEST_CASE("an output that is computed in float stays so, and the port says why") {
  Graph g = network();
  Made m = made(g, "tflite", IoType::kInt8);
  REQUIRE(m.ports.size() == 2);
  CHECK(m.ports[0].quantized);
  CHECK_FALSE(m.ports[1].quantized);
  CHECK(m.ports[1].because.find("float") != std::string::npos);
  check_same_reals(g, m);
}

TEST_CASE("an input that a layer in float takes, too, is dequantized for that one") {
  Graph g;
  ValueId x = picture(g);
  g.add_output(conv(g, x, 3, 1));
  g.add_output(build(g, "Sin", {x}));
  Made m = made(g, "tflm", IoType::kInt8);
  REQUIRE(m.ports.size() == 3);
  CHECK(m.ports[0].quantized);
  CHECK(m.ports[1].quantized);
  CHECK_FALSE(m.ports[2].quantized);
  // Sin sees the rounded input; the other output is the same.
  NamedTensors reals = normal_inputs(g, 5), integers = reals;
  integers[0].tensor = to_integers(reals[0].tensor, Dtype::kInt8, scale_of(m.ports[0])).value();
  NamedTensors rounded = reals;
  rounded[0].tensor = to_reals(integers[0].tensor, scale_of(m.ports[0]));
  NamedTensors wanted = run_graph(g, rounded), found = run_graph(m.integers, integers);
  CHECK(found[1].tensor.to_doubles() == wanted[1].tensor.to_doubles());
}

TEST_CASE("an input that only float takes stays float") {
  Graph g;
  ValueId x = picture(g), z = g.add_input("z", Dtype::kFloat32, Dims{1, 3, 8, 8});
  g.add_output(conv(g, x, 3, 1));
  g.add_output(build(g, "Sin", {z}));
  Made m = made(g, "tflm", IoType::kInt8);
  CHECK(m.ports[0].quantized);
  CHECK_FALSE(m.ports[1].quantized);
  CHECK(m.ports[1].because == "nothing in integers takes it");
}

}  // namespace oree
