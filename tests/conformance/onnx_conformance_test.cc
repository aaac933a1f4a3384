// SPDX-License-Identifier: Apache-2.0
// ONNX's own conformance cases through the reader and the reference interpreter, compared as ONNX's backend test does
// it; with --tflite through the TFLite writer and reader on the way. Fails when a case fails of which every operator
// has a kernel, and when fewer pass than did before. Exits with 77 where the cases are not installed (Debian's
// libonnx-testdata; OREE_ONNX_TESTDATA names another folder).
//   onnx_conformance [--verbose] [--tflite] [--passed-min N]
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "model/onnx/onnx_cases_fixture.h"
#include "model/reference/interpreter.h"
#include "model/reference/kernel.h"
#include "model/tflite/tflite_graph.h"

namespace oree {
namespace {

constexpr int kPassedMin = 995, kTflitePassedMin = 756;  // of the 1,072 cases of ONNX 1.12
constexpr double kRelative = 1e-3, kAbsolute = 1e-7;
// Two units in the last place: where several operators make up a case, they round at different points; and ONNX 1.12
// made its bfloat16 by cutting bits off.
constexpr double kRelativeFloat16 = 0x1p-9, kRelativeBfloat16 = 0x1p-6;

// Cases that are at odds with the specification, or that say more than it does. QLinearMatMul: int8 wraps where it must
// saturate; AveragePool: places beyond operand and padding are counted (both mended after ONNX 1.17). Reals that no
// 4-bit integer is near have no defined one: the cases wrap, the reference saturates. The inverse transform: what a
// float32 leaves of 0 is expected to come out again.
const std::set<std::string> kWrongCases = {
    "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
    "test_cast_FLOAT16_to_INT4",
    "test_cast_FLOAT16_to_UINT4",
    "test_cast_FLOAT_to_INT4",
    "test_cast_FLOAT_to_UINT4",
    "test_castlike_FLOAT16_to_INT4",
    "test_castlike_FLOAT16_to_INT4_expanded",
    "test_castlike_FLOAT16_to_UINT4",
    "test_castlike_FLOAT16_to_UINT4_expanded",
    "test_castlike_FLOAT_to_INT4",
    "test_castlike_FLOAT_to_INT4_expanded",
    "test_castlike_FLOAT_to_UINT4",
    "test_castlike_FLOAT_to_UINT4_expanded",
    "test_dft_inverse",
    "test_dft_inverse_opset19",
    "test_qlinearmatmul_2D_int8_float16",
    "test_qlinearmatmul_2D_int8_float32",
    "test_qlinearmatmul_3D_int8_float16",
    "test_qlinearmatmul_3D_int8_float32",
};

// Beyond the range of float32, in which a TFLite file computes.
const std::set<std::string> kWideCases = {
    "test_operator_add_broadcast",
    "test_operator_add_size1_right_broadcast",
    "test_operator_add_size1_singleton_broadcast",
    "test_operator_addconstant",
};

enum class Verdict { kPassed, kFailed, kUnsupported };

struct Outcome {
  Verdict verdict = Verdict::kPassed;
  std::string why;
};

Outcome from(const Error& error) {
  return {error.code() == Code::kUnsupported ? Verdict::kUnsupported : Verdict::kFailed, error.message()};
}

// The cases hold bfloat16 as uint16.
Tensor tensor_of(const Constant& constant, Dtype wanted) {
  Tensor t = constant.to_tensor();
  if (wanted != Dtype::kBfloat16 || t.dtype() != Dtype::kUint16) return t;
  Result<Tensor> bits = Tensor::from_bytes(wanted, t.shape(), Bytes(t.bytes().begin(), t.bytes().end()));
  return bits ? *bits : t;
}

// What is wrong with an output; empty when nothing is.
std::string difference(const Tensor& got, const Tensor& expected) {
  if (got.dtype() != expected.dtype() || got.shape() != expected.shape()) {
    return fmt::format("{} {} instead of {} {}", dtype_name(got.dtype()), shape_text(got.shape()),
                       dtype_name(expected.dtype()), shape_text(expected.shape()));
  }
  double relative = kRelative;
  if (got.dtype() == Dtype::kFloat16) relative = kRelativeFloat16;
  if (got.dtype() == Dtype::kBfloat16) relative = kRelativeBfloat16;
  std::vector<double> a = got.to_doubles(), b = expected.to_doubles();
  for (size_t i = 0; i < a.size(); ++i) {
    bool equal = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    if (!equal && !(std::fabs(a[i] - b[i]) <= kAbsolute + relative * std::fabs(b[i]))) {
      return fmt::format("element {} is {}, not {}", i, a[i], b[i]);
    }
  }
  return "";
}

// What another format holds of a model, read again.
Result<Graph> by_tflite(const Graph& graph) {
  Model model;
  model.graph = graph;
  OREE_TRY_ASSIGN(Bytes file, write_tflite_model(model));
  auto bytes = std::make_shared<const Bytes>(std::move(file));
  Result<Model> again = read_tflite_model(*bytes, bytes);
  if (!again) return Error(Code::kInternal, "what was written is not read: " + again.error().message());
  return std::move(again->graph);
}

Outcome run_case(const std::filesystem::path& folder, Graph& graph, bool tflite) {
  Result<std::vector<Constant>> inputs = onnx_cases::tensors(folder, "input");
  Result<std::vector<Constant>> outputs = onnx_cases::tensors(folder, "output");
  // Sequences, optional values and strings are no tensors of ours.
  if (!inputs || !outputs) return {Verdict::kUnsupported, "an input or output that is no tensor of ours"};
  const std::vector<ValueId>& ids = graph.main().inputs;
  if (ids.size() != inputs->size()) return {Verdict::kFailed, fmt::format("{} inputs", ids.size())};
  NamedTensors given;
  for (size_t i = 0; i < ids.size(); ++i) {
    Dtype declared = graph.value(ids[i]).dtype.value_or(Dtype::kFloat32);
    given.push_back({graph.value(ids[i]).name, tensor_of((*inputs)[i], declared)});
    graph.set_type(ids[i], declared,
                   to_dims(given.back().tensor.shape()));  // some declare another shape than they give
  }
  Result<Graph> held = tflite ? by_tflite(graph) : Result<Graph>(graph);
  if (!held) return from(held.error());
  if (held->main().inputs.size() != given.size()) return {Verdict::kFailed, "inputs are lost"};
  for (size_t i = 0; i < given.size(); ++i) given[i].name = held->value(held->main().inputs[i]).name;
  Result<Interpreter> interpreter = Interpreter::create(*held);
  if (!interpreter) return from(interpreter.error());
  Result<NamedTensors> made = interpreter->run(given);
  if (!made) return from(made.error());
  if (made->size() != outputs->size()) return {Verdict::kFailed, fmt::format("{} outputs", made->size())};
  for (size_t i = 0; i < made->size(); ++i) {
    const Tensor& got = (*made)[i].tensor;
    std::string wrong = difference(got, tensor_of((*outputs)[i], got.dtype()));
    if (!wrong.empty()) return {Verdict::kFailed, fmt::format("output {}: {}", i, wrong)};
  }
  return {};
}

// By which operator a case is listed: its own, or "(several)".
std::string title(const Graph& graph) {
  std::set<std::string> ops;
  for (NodeId n : graph.main().nodes) {
    if (!graph.node(n).removed) ops.insert(graph.node(n).op);
  }
  return ops.size() == 1 ? *ops.begin() : "(several)";
}

struct Count {
  int passed = 0, failed = 0, unsupported = 0;
  void add(Verdict v) { ++(v == Verdict::kPassed ? passed : v == Verdict::kFailed ? failed : unsupported); }
};

int run_all(bool verbose, bool tflite, int passed_min) {
  std::vector<std::filesystem::path> folders = onnx_cases::folders();
  if (folders.empty()) {
    fmt::print("skipped: ONNX's conformance cases are not installed (package libonnx-testdata)\n");
    return 77;
  }
  std::map<std::string, Count> table;
  Count all;
  for (const std::filesystem::path& folder : folders) {
    Result<Model> model = onnx_cases::model(folder);
    Outcome outcome = model ? run_case(folder, model->graph, tflite) : from(model.error());
    const std::string name = folder.filename().string();
    if (outcome.verdict == Verdict::kFailed && (kWrongCases.contains(name) || (tflite && kWideCases.contains(name)))) {
      outcome = {Verdict::kUnsupported, "the case is wrong, or too wide: " + outcome.why};
    }
    table[model ? title(model->graph) : "(not read)"].add(outcome.verdict);
    all.add(outcome.verdict);
    if (outcome.verdict == Verdict::kFailed || (verbose && outcome.verdict == Verdict::kUnsupported)) {
      fmt::print("{} {}: {}\n", outcome.verdict == Verdict::kFailed ? "FAILED" : "unsupported", name, outcome.why);
    }
  }
  fmt::print("{:28} {:>6} {:>6} {:>11}\n", "operator", "passed", "failed", "unsupported");
  for (const auto& [op, count] : table) {
    fmt::print("{:28} {:6} {:6} {:11}\n", op, count.passed, count.failed, count.unsupported);
  }
  fmt::print("{:28} {:6} {:6} {:11}\n", "all", all.passed, all.failed, all.unsupported);
  if (all.passed < passed_min) fmt::print("FAILED: {} passed, at least {} did before\n", all.passed, passed_min);
  return all.failed > 0 || all.passed < passed_min ? 1 : 0;
}

}  // namespace
}  // namespace oree

int main(int argc, char** argv) {
  bool verbose = false, tflite = false;
  int passed_min = -1;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    verbose |= argument == "--verbose";
    tflite |= argument == "--tflite";
    if (argument == "--passed-min" && i + 1 < argc) passed_min = std::stoi(argv[++i]);
  }
  if (passed_min < 0) passed_min = tflite ? oree::kTflitePassedMin : oree::kPassedMin;
  return oree::run_all(verbose, tflite, passed_min);
}
