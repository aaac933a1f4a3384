// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/codec/protobuf.h"
#include "model/onnx/onnx_element.h"
#include "model/ops/element_types.h"

namespace oree {
namespace {

// TensorProto's typed fields.
constexpr uint32_t kFloatData = 4, kInt32Data = 5, kInt64Data = 7, kDoubleData = 10, kUint64Data = 11;

uint32_t typed_field(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32: return kFloatData;
    case Dtype::kFloat64: return kDoubleData;
    case Dtype::kInt64: return kInt64Data;
    case Dtype::kUint32:
    case Dtype::kUint64: return kUint64Data;
    default: return kInt32Data;  // narrower integers, bool, halves as their bits, two 4-bit integers each
  }
}

class TypedValues {
 public:
  TypedValues(const OnnxTensor& tensor, Dtype dtype, int64_t elements)
      : tensor_(tensor), field_(typed_field(dtype)), wanted_(dtype_bytes(dtype, elements)) {
    // One entry of the field makes so many bytes.
    entry_ = dtype_bits(dtype) < 8 ? 1 : dtype_size(dtype);
  }

  Result<Constant> constant(Dtype dtype, const std::shared_ptr<const void>& owner) {
    bool fixed = field_ == kFloatData || field_ == kDoubleData;
    OREE_TRY_ASSIGN(ByteView packed, only_chunk());
    if (fixed && packed.size() == wanted_) return Constant::view(dtype, tensor_.dims, packed, owner);
    data_.reserve(std::min(wanted_, entry_ * tensor_.message.size()));  // an entry takes a byte at least
    ProtoReader reader(tensor_.message);
    ProtoField field;
    for (;;) {
      OREE_TRY_ASSIGN(bool more, reader.next(field));
      if (!more) break;
      if (field.number == field_) OREE_TRY(fixed ? take_fixed(field) : take_varints(field));
    }
    if (data_.size() != wanted_) return count_error("too few");
    OREE_TRY_ASSIGN(Tensor values, Tensor::from_bytes(dtype, tensor_.dims, std::move(data_)));
    return Constant(std::move(values));
  }

 private:
  Error count_error(const char* how) const {
    return Error(Code::kInvalid,
                 fmt::format("tensor '{}' of shape {} has {} values", tensor_.name, shape_text(tensor_.dims), how));
  }

  // The field's bytes when it is there once, packed.
  Result<ByteView> only_chunk() const {
    ByteView found;
    size_t times = 0;
    ProtoReader reader(tensor_.message);
    ProtoField field;
    for (;;) {
      OREE_TRY_ASSIGN(bool more, reader.next(field));
      if (!more) return times == 1 ? found : ByteView();
      if (field.number != field_) continue;
      ++times;
      found = field.is_bytes() ? field.bytes : ByteView();
    }
  }

  Status append(const uint8_t* bytes, size_t size) {
    if (data_.size() + size > wanted_) return count_error("too many");
    data_.insert(data_.end(), bytes, bytes + size);
    return {};
  }

  Status take_fixed(const ProtoField& field) {
    if (field.is_bytes()) return append(field.bytes.data(), field.bytes.size());
    return append(reinterpret_cast<const uint8_t*>(&field.value), entry_);
  }

  Status take_varints(const ProtoField& field) {
    if (!field.is_bytes()) return append(reinterpret_cast<const uint8_t*>(&field.value), entry_);
    uint64_t value = 0;
    int shift = 0;
    for (uint8_t byte : field.bytes) {
      if (shift > 63) return count_error("torn");
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      OREE_TRY(append(reinterpret_cast<const uint8_t*>(&value), entry_));
      value = 0;
      shift = 0;
    }
    return shift == 0 ? Status() : Status(count_error("torn"));
  }

  const OnnxTensor& tensor_;
  uint32_t field_;
  size_t wanted_;
  size_t entry_;
  Bytes data_;
};

Result<ByteView> external_bytes(const OnnxTensor& tensor, size_t wanted, const ExternalFiles& external) {
  std::string name(tensor.external);
  auto broken = [&](const std::string& why) {
    return Error(Code::kInvalid, fmt::format("tensor '{}' in '{}': {}", tensor.name, name, why));
  };
  if (!external) return Error(Code::kUnsupported, fmt::format("its values are in another file, '{}'", name));
  OREE_TRY_ASSIGN(ByteView file, external(name));
  size_t offset = static_cast<size_t>(tensor.external_offset);
  if (tensor.external_bytes != 0 && static_cast<size_t>(tensor.external_bytes) != wanted) {
    return broken(fmt::format("needs {} bytes, but {} are named", wanted, tensor.external_bytes));
  }
  if (offset > file.size() || file.size() - offset < wanted) {
    return broken(fmt::format("needs bytes {} to {}, but the file has {}", offset, offset + wanted, file.size()));
  }
  return file.subspan(offset, wanted);
}

}  // namespace

Result<Constant> onnx_constant(const OnnxTensor& tensor, const std::shared_ptr<const void>& owner,
                               const ExternalFiles& external) {
  std::optional<Dtype> dtype = dtype_from_onnx(tensor.element);
  if (!dtype) {
    return Error(Code::kUnsupported,
                 fmt::format("tensor '{}' is of type {}", tensor.name, onnx_element(tensor.element).name));
  }
  OREE_TRY_ASSIGN(int64_t elements, shape_elements(tensor.dims));
  if (!tensor.external.empty()) {
    OREE_TRY_ASSIGN(ByteView bytes, external_bytes(tensor, dtype_bytes(*dtype, elements), external));
    return Constant::view(*dtype, tensor.dims, bytes, owner);
  }
  if (!tensor.has_raw) return TypedValues(tensor, *dtype, elements).constant(*dtype, owner);
  Result<Constant> raw = Constant::view(*dtype, tensor.dims, tensor.raw, owner);
  if (!raw.ok()) return raw.error().within(fmt::format("tensor '{}'", tensor.name));
  return raw;
}

}  // namespace oree
