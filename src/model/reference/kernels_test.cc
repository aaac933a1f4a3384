// SPDX-License-Identifier: Apache-2.0
// What holds for every kernel.
#include <random>
#include <string_view>

#include "model/ops/op_def.h"
#include "model/reference/kernel.h"
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

// Inputs and attributes that nobody checked, the same in every run.
class Hostile {
 public:
  explicit Hostile(unsigned seed) : random_(seed) {}

  size_t below(size_t n) { return random_() % n; }

  int64_t number() {
    constexpr int64_t kOdd[] = {INT64_MAX, INT64_MIN, int64_t{1} << 40, -(int64_t{1} << 31), 1 << 30, 100};
    if (below(16) == 0) return kOdd[below(std::size(kOdd))];
    return static_cast<int64_t>(below(8)) - 3;
  }

  std::vector<int64_t> numbers() {
    std::vector<int64_t> out(below(5));
    for (int64_t& n : out) n = number();
    return out;
  }

  Tensor tensor() {
    Shape shape(below(5));
    for (int64_t& d : shape) d = static_cast<int64_t>(below(4));
    // Often what operators ask for: float, or lists of integers.
    auto dtype = static_cast<Dtype>(below(15));
    if (below(2) == 0) dtype = Dtype::kFloat32;
    if (below(4) == 0) dtype = Dtype::kInt64;
    if (dtype == Dtype::kInt64 && below(2) == 0) shape.resize(below(2), 3);
    Tensor out(dtype, shape);
    std::vector<int64_t> values(static_cast<size_t>(out.elements()));
    for (int64_t& v : values) v = number();
    narrow<int64_t>(values, out);
    return out;
  }

  Attribute attribute(const AttributeDef& def) {
    constexpr const char* kWords[] = {"",           "none", "LEFT",   "reflect", "DCR",     "add",
                                      "mean",       "sum",  "linear", "cubic",   "forward", "bidirectional",
                                      "SAME_UPPER", "wrap", "edge",   "nearest"};
    switch (def.kind) {
      case AttributeKind::kInt: return number();
      case AttributeKind::kFloat: return static_cast<float>(number());
      case AttributeKind::kText: return std::string(kWords[below(std::size(kWords))]);
      case AttributeKind::kInts: return numbers();
      case AttributeKind::kFloats: return std::vector<float>(below(3), 0.5f);
      case AttributeKind::kTexts: return std::vector<std::string>(below(3), "Tanh");
      case AttributeKind::kTensor: break;
    }
    return Constant(tensor());
  }

 private:
  std::mt19937 random_;
};

OneNode hostile_node(std::string_view op, Hostile& random) {
  const OpDef* def = find_op("", op);
  OneNode node{std::string(op), {}, {}, 1 + random.below(def && def->outputs_max < 3 ? def->outputs_max : 3)};
  bool alike = random.below(2) == 0;
  for (size_t i = random.below(6); i > 0; --i) {
    if (random.below(8) == 0) {
      node.inputs.emplace_back();
    } else if (alike && !node.inputs.empty() && node.inputs[0]) {
      node.inputs.push_back(node.inputs[0]);
    } else {
      node.inputs.emplace_back(random.tensor());
    }
  }
  if (!def) return node;
  for (const AttributeDef& attribute : def->attributes) {
    if (random.below(3) == 0) node.attributes.emplace(attribute.name, random.attribute(attribute));
  }
  if (op == "Einsum") node.attributes["equation"] = std::string(random.below(2) == 0 ? "ij,jk" : "...i,i->...");
  return node;
}

}  // namespace

TEST_CASE("every kernel is one of an operator that we know, and counts as many inputs as that has") {
  std::vector<const KernelEntry*> all = all_kernels();
  CHECK(all.size() > 100);
  for (const KernelEntry* entry : all) {
    CAPTURE(entry->op);
    CHECK(find_kernel_entry("", entry->op) == entry);
    CHECK(find_kernel_entry("ai.onnx", entry->op) == entry);
    const OpDef* def = find_op("", entry->op);
    REQUIRE(def != nullptr);
    CHECK(entry->inputs <= def->inputs_min);
  }
  CHECK(find_kernel_entry("com.example", "Add") == nullptr);
}

TEST_CASE("no kernel comes to grief over inputs and attributes that nobody checked") {
  int ran = 0, refused = 0;
  for (const KernelEntry* entry : all_kernels()) {
    Hostile random(7);
    for (int i = 0; i < 300; ++i) {
      OneNode node = hostile_node(entry->op, random);
      CAPTURE(entry->op);
      CAPTURE(i);
      Result<std::vector<Tensor>> out = node.run();
      ++(out.ok() ? ran : refused);
    }
  }
  CHECK(ran > 5000);
  CHECK(refused > 5000);
}

TEST_CASE("what the attributes say of the weights or the sizes must be what they are") {
  Tensor x = floats({1, 1, 3, 3}, std::vector<double>(9, 1)), w = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  Attributes other{{"kernel_shape", std::vector<int64_t>{3, 3}}};
  CHECK(code_of("Conv", {x, w}, other) == Code::kInvalid);
  CHECK(code_of("DeformConv", {x, w, floats({1, 8, 2, 2}, std::vector<double>(32, 0))}, other) == Code::kInvalid);
  CHECK(code_of("Resize", {x, std::nullopt, floats({4}, {1, 1, 2, 2}), list({1, 1, 4, 4})}) == Code::kInvalid);
}

TEST_CASE("what lies between two axes that are resized is bounded, too") {
  CHECK(code_of("Resize", {Tensor(Dtype::kFloat32, {1, 8}), {}, {}, list({1 << 27, 1})}) == Code::kExhausted);
}

TEST_CASE("outside of training a batch normalisation hands its averages on") {
  Tensor x = floats({1, 2}, {1, 2}), ones = floats({2}, {1, 1}), mean = floats({2}, {0.5, 1}), variance = ones;
  Result<std::vector<Tensor>> out = OneNode{"BatchNormalization", {x, ones, ones, mean, variance}, {}, 3}.run();
  REQUIRE(out);
  check_equal((*out)[1], mean);
  check_equal((*out)[2], variance);
}

TEST_CASE("a root-mean-square normalisation has the type of its scale") {
  Tensor y = run_op("RMSNormalization", {floats({1, 2}, {3, 3}), tensor_of(Dtype::kFloat16, {2}, {1, 2})});
  check_near(y, tensor_of(Dtype::kFloat16, {1, 2}, {1, 2}), 1e-2);
}

}  // namespace oree
