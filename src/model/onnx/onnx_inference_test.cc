// SPDX-License-Identifier: Apache-2.0
// Type inference against ONNX's own cases: what it says of an output is what the output is.
#include <doctest/doctest.h>

#include <set>

#include "model/onnx/onnx_cases_fixture.h"
#include "model/ops/inference.h"
#include "model/ops/op_def.h"

namespace oree {
namespace {

// How much is said of a case's inputs.
enum class Known { kNothing, kRanks, kShapes, kValues };

// Small inputs become constants where their values are known: shapes may follow from them.
void set_inputs(Graph& g, const std::vector<Constant>& inputs, Known known) {
  const std::vector<ValueId> ids = g.main().inputs;
  for (size_t i = std::min(ids.size(), inputs.size()); i-- > 0;) {
    const Constant& c = inputs[i];
    std::optional<Dims> dims = to_dims(c.shape());
    if (known == Known::kRanks) dims = Dims(dims->size());
    if (known == Known::kNothing) dims.reset();
    g.set_type(ids[i], c.dtype(), dims);
    if (known != Known::kValues || c.elements() > 64 || g.is_output(ids[i])) continue;
    g.replace(ids[i], g.add_constant("given", c));
    g.remove_input(kMainBlock, i);
  }
}

// Nothing of what the file declares is left to lean on.
void forget_outputs(Graph& g) {
  forget_types(g);
  for (size_t i = 0; i < g.value_count(); ++i) {
    auto v = static_cast<ValueId>(i);
    if (g.value(v).producer != kNoNode) g.set_type(v, {}, {});
  }
}

// Operators whose output's shape is in their input's values, beyond what inference follows.
const std::set<std::string> kOpenEnds = {"Compress", "NonZero", "NonMaxSuppression", "Unique", "Loop", "Range"};

bool open_ended(const Graph& g) {
  for (NodeId n : g.all_nodes()) {
    if (kOpenEnds.contains(g.node(n).op) || find_op(g.node(n)) == nullptr) return true;
  }
  return false;
}

// bfloat16 is stored as uint16 in the cases' outputs.
bool same_type(const Value& v, const Constant& c) {
  return !v.dtype || v.dtype == c.dtype() || (v.dtype == Dtype::kBfloat16 && c.dtype() == Dtype::kUint16);
}

bool fits(const Value& v, const Constant& c) {
  if (!v.dims) return true;
  if (v.dims->size() != c.shape().size()) return false;
  for (size_t i = 0; i < c.shape().size(); ++i) {
    if ((*v.dims)[i].known() && (*v.dims)[i].size != c.shape()[i]) return false;
  }
  return true;
}

std::string says(const Value& v, const Constant& c) {
  return std::string(v.dtype ? dtype_name(*v.dtype) : "?") + " " + (v.dims ? dims_text(*v.dims) : "...") + ", is " +
         dtype_name(c.dtype()) + " " + shape_text(c.shape());
}

struct Count {
  int outputs = 0;
  int open = 0;
};

void check_case(const std::string& name, Graph g, const std::vector<Constant>& inputs,
                const std::vector<Constant>& outputs, Known known, Count& count) {
  set_inputs(g, inputs, known);
  forget_outputs(g);
  Status inferred = infer_types(g);
  CHECK_MESSAGE(inferred.ok(), name << ": " << (inferred.ok() ? "" : inferred.error().message()));
  if (!inferred.ok()) return;
  for (size_t i = 0; i < std::min(outputs.size(), g.main().outputs.size()); ++i) {
    const Value& v = g.value(g.main().outputs[i]);
    const bool whole = v.dtype && v.dims && known_shape(*v.dims);
    ++count.outputs;
    count.open += whole ? 0 : 1;
    const std::string text = name + " output " + std::to_string(i) + ": " + says(v, outputs[i]);
    CHECK_MESSAGE((same_type(v, outputs[i]) && fits(v, outputs[i])), text);
    if (known == Known::kValues) CHECK_MESSAGE((whole || open_ended(g)), text);
  }
}

}  // namespace

TEST_CASE("inferred types are those of the outputs of ONNX's own cases, whatever is known of the inputs") {
  int cases = 0;
  Count counts[4];
  for (const auto& folder : onnx_cases::folders()) {
    Result<Model> model = onnx_cases::model(folder);
    Result<std::vector<Constant>> inputs = onnx_cases::tensors(folder, "input");
    Result<std::vector<Constant>> outputs = onnx_cases::tensors(folder, "output");
    if (!model.ok() || !inputs.ok() || !outputs.ok()) continue;
    ++cases;
    for (Known known : {Known::kNothing, Known::kRanks, Known::kShapes, Known::kValues}) {
      check_case(folder.filename().string(), model->graph, *inputs, *outputs, known,
                 counts[static_cast<size_t>(known)]);
    }
  }
  MESSAGE(cases << " cases, " << counts[0].outputs
                << " outputs; open where nothing of the inputs is known, their ranks, "
                << "shapes, values: " << counts[0].open << ", " << counts[1].open << ", " << counts[2].open << ", "
                << counts[3].open);
}

}  // namespace oree
