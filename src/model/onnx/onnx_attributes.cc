// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_attributes.h"

#include <fmt/format.h>

#include "core/codec/protobuf_writer.h"

namespace oree {

OnnxKind onnx_kind(const OnnxAttribute& a) {
  if (a.type > 0 && a.type <= static_cast<int64_t>(OnnxKind::kTypes)) return static_cast<OnnxKind>(a.type);
  if (a.type != 0) return OnnxKind::kNone;
  if (!a.tensors.empty()) return a.tensors.size() == 1 ? OnnxKind::kTensor : OnnxKind::kTensors;
  if (!a.graphs.empty()) return a.graphs.size() == 1 ? OnnxKind::kGraph : OnnxKind::kGraphs;
  if (!a.ints.empty()) return OnnxKind::kInts;
  if (!a.floats.empty()) return OnnxKind::kFloats;
  if (!a.strings.empty()) return OnnxKind::kTexts;
  if (!a.s.empty()) return OnnxKind::kText;
  return a.f != 0 ? OnnxKind::kFloat : OnnxKind::kInt;
}

const OnnxAttribute* onnx_resolve(const OnnxAttribute& attribute, const OnnxBindings* bindings) {
  if (attribute.reference.empty()) return &attribute;
  if (bindings == nullptr) return nullptr;
  auto found = bindings->find(attribute.reference);
  return found == bindings->end() ? nullptr : found->second;
}

Result<std::optional<Attribute>> onnx_attribute_value(const OnnxAttribute& a, const TensorReader& tensor) {
  using Held = std::optional<Attribute>;
  switch (onnx_kind(a)) {
    case OnnxKind::kFloat: return Held(a.f);
    case OnnxKind::kInt: return Held(a.i);
    case OnnxKind::kText: return Held(std::string(a.s));
    case OnnxKind::kFloats: return Held(a.floats);
    case OnnxKind::kInts: return Held(a.ints);
    case OnnxKind::kTexts: return Held(std::vector<std::string>(a.strings.begin(), a.strings.end()));
    case OnnxKind::kTensor: {
      if (a.tensors.size() != 1) {
        return Error(Code::kInvalid, fmt::format("attribute '{}' has {} tensors", a.name, a.tensors.size()));
      }
      OREE_TRY_ASSIGN(Constant value, tensor(a.tensors[0]));
      return Held(std::move(value));
    }
    default: return Held();
  }
}

void append_raw_attribute(const OnnxAttribute& attribute, std::string_view name, Bytes& out) {
  ProtoWriter writer;
  writer.begin(5);
  writer.blob(attribute.message);
  writer.text(1, name);  // the last one counts
  writer.end();
  writer.append_to(out);
}

}  // namespace oree
