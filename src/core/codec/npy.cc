// SPDX-License-Identifier: Apache-2.0
#include "core/codec/npy.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_set>

#include "core/codec/little_endian.h"
#include "core/codec/npy_file.h"
#include "core/codec/npy_header.h"
#include "core/codec/zip.h"

namespace oree {
namespace {

// numpy has no bfloat16 and no 4-bit integers of its own: the next wider type holds the same values.
std::optional<Tensor> widened(const Tensor& tensor) {
  auto convert = [&](Dtype dtype) {
    Tensor out(dtype, tensor.shape());
    std::vector<double> values = tensor.to_doubles();
    for (size_t i = 0; i < values.size(); ++i) {
      if (dtype == Dtype::kFloat32) out.as<float>()[i] = static_cast<float>(values[i]);
      if (dtype != Dtype::kFloat32) out.data()[i] = static_cast<uint8_t>(static_cast<int>(values[i]));
    }
    return out;
  };
  switch (tensor.dtype()) {
    case Dtype::kBfloat16: return convert(Dtype::kFloat32);
    case Dtype::kInt4: return convert(Dtype::kInt8);
    case Dtype::kUint4: return convert(Dtype::kUint8);
    default: return std::nullopt;
  }
}

}  // namespace

Result<Tensor> read_npy(ByteView file) {
  OREE_TRY_ASSIGN(std::unique_ptr<ArrayFile> array, ArrayFile::open_npy(source_of(file)));
  return array->read(0);
}

Bytes write_npy(const Tensor& given) {
  std::optional<Tensor> wide = widened(given);
  const Tensor& tensor = wide ? *wide : given;
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': (",
                                   dtype_size(tensor.dtype()) == 1 ? '|' : '<', npy_code(tensor.dtype()));
  for (size_t i = 0; i < tensor.shape().size(); ++i) {
    header += fmt::format("{}{}", i > 0 ? ", " : "", tensor.shape()[i]);
  }
  header += tensor.shape().size() == 1 ? ",), }" : "), }";
  // The data starts at a multiple of 64, so that a mapped file is aligned. Rank 32 fits version 1's 16-bit length.
  header.append(63 - (kNpyMagic.size() + 4 + header.size()) % 64, ' ');
  header += '\n';
  Bytes out(kNpyMagic.begin(), kNpyMagic.end());
  out.reserve(kNpyMagic.size() + 4 + header.size() + tensor.byte_size());
  put_le(out, 1, 2);  // version 1.0
  put_le(out, header.size(), 2);
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), tensor.bytes().begin(), tensor.bytes().end());
  return out;
}

Result<NamedTensors> read_npz(ByteView file) {
  OREE_TRY_ASSIGN(std::unique_ptr<ArrayFile> arrays, ArrayFile::open_npz(source_of(file)));
  NamedTensors out;
  for (size_t i = 0; i < arrays->arrays().size(); ++i) {
    OREE_TRY_ASSIGN(Tensor tensor, arrays->read(i));
    out.push_back({arrays->arrays()[i].name, std::move(tensor)});
  }
  return out;
}

Result<Bytes> write_npz(const NamedTensors& tensors) {
  ZipWriter zip;
  std::unordered_set<std::string> names;
  for (const NamedTensor& t : tensors) {
    if (t.name.size() > 1024) return Error(Code::kInvalid, "npz: a tensor's name is longer than 1024 bytes");
    if (!names.insert(t.name).second) return Error(Code::kInvalid, fmt::format("npz: two tensors named '{}'", t.name));
    zip.add(t.name + ".npy", write_npy(t.tensor));
  }
  return zip.finish();
}

}  // namespace oree
