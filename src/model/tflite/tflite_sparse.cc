// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/tflite_sparse.h"

#include <fmt/format.h>

#include <cstring>

#include "core/base/limits.h"
#include "model/tflite/tflite_types.h"

namespace oree {
namespace {

Error invalid(std::string text) { return Error(Code::kInvalid, "sparse tensor: " + text); }

// Unions SparseIndexVector: 1 int32, 2 uint16, 3 uint8.
Result<std::vector<int64_t>> index_vector(const FlatTable& level, int type_field, int field) {
  OREE_TRY_ASSIGN(uint8_t type, level.scalar<uint8_t>(type_field, 0));
  OREE_TRY_ASSIGN(std::optional<FlatTable> table, level.table(field));
  if (!table || type < 1 || type > 3) return invalid("a compressed dimension has no indices");
  size_t width = type == 1 ? 4 : type == 2 ? 2 : 1;
  OREE_TRY_ASSIGN(FlatVector list, table->vector(0, width));
  std::vector<int64_t> out(list.size());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = type == 1 ? list.at<int32_t>(i) : type == 2 ? list.at<uint16_t>(i) : list.at<uint8_t>(i);
  }
  return out;
}

Result<std::vector<int64_t>> ints(const FlatTable& table, int field) {
  OREE_TRY_ASSIGN(FlatVector list, table.vector(field, 4));
  if (list.size() > 2 * static_cast<size_t>(kTensorRankMax)) return invalid("too many dimensions");
  std::vector<int64_t> out(list.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = list.at<int32_t>(i);
  return out;
}

struct Level {
  bool dense = true;
  int64_t size = 0;               // how far its index runs
  std::vector<int64_t> segments;  // of a compressed level: where the indices of each entry above begin and end
  std::vector<int64_t> indices;
};

class Densifier {
 public:
  Status parse(const TfliteTensor& tensor) {
    shape_ = tensor.shape;
    OREE_TRY_ASSIGN(order_, ints(*tensor.sparsity, 0));
    OREE_TRY_ASSIGN(block_map_, ints(*tensor.sparsity, 1));
    OREE_TRY_ASSIGN(FlatVector list, tensor.sparsity->vector(2, 4));
    size_t count = shape_.size() + block_map_.size();
    if (order_.size() != count || list.size() != count) return invalid("its lists differ in length");
    std::vector<bool> seen(count);
    for (int64_t d : order_) {
      if (d < 0 || static_cast<size_t>(d) >= count || seen[static_cast<size_t>(d)]) return invalid("its order is none");
      seen[static_cast<size_t>(d)] = true;
    }
    for (size_t i = 0; i < count; ++i) {
      OREE_TRY_ASSIGN(FlatTable table, list.table(i));
      OREE_TRY(parse_level(table, levels_.emplace_back()));
    }
    return sizes();
  }

  // `put(to, from)` for each stored element.
  template <typename Put>
  Status walk(size_t stored, const Put& put) {
    stored_ = stored;
    at_.assign(levels_.size(), 0);
    return walk_level(0, 0, put);
  }

 private:
  static Status parse_level(const FlatTable& table, Level& level) {
    OREE_TRY_ASSIGN(int8_t format, table.scalar<int8_t>(0, 0));
    level.dense = format == 0;
    if (level.dense) {
      OREE_TRY_ASSIGN(int32_t size, table.scalar<int32_t>(1, 0));
      level.size = size;
      return {};
    }
    OREE_TRY_ASSIGN(level.segments, index_vector(table, 2, 3));
    OREE_TRY_ASSIGN(level.indices, index_vector(table, 4, 5));
    return {};
  }

  // How far the index of each level may run follows from the shape and the blocks.
  Status sizes() {
    Shape outer = shape_;
    size_t rank = shape_.size();
    for (size_t b = 0; b < block_map_.size(); ++b) {
      const Level& level = levels_[rank + b];
      int64_t d = block_map_[b];
      if (!level.dense || level.size < 1) return invalid("a block's dimension is not dense");
      if (d < 0 || static_cast<size_t>(d) >= rank) return invalid("a block of a dimension that does not exist");
      if (order_[rank + b] < static_cast<int64_t>(rank)) return invalid("its blocks do not come last");
      if (outer[static_cast<size_t>(d)] % level.size != 0) return invalid("a dimension is no multiple of its block");
      outer[static_cast<size_t>(d)] /= level.size;
    }
    for (size_t i = 0; i < rank; ++i) {
      if (order_[i] >= static_cast<int64_t>(rank)) return invalid("its blocks do not come last");
      int64_t size = outer[static_cast<size_t>(order_[i])];
      if (levels_[i].dense && levels_[i].size != size)
        return invalid("a dense dimension has another size than the shape");
      levels_[i].size = size;
    }
    return {};
  }

  template <typename Put>
  Status walk_level(size_t depth, int64_t above, const Put& put) {
    if (depth == levels_.size()) {
      if (read_ >= stored_) return invalid("more elements than its buffer holds");
      put(target(), read_++);
      return {};
    }
    const Level& level = levels_[depth];
    if (level.dense) {
      for (int64_t i = 0; i < level.size; ++i) {
        at_[depth] = i;
        OREE_TRY(walk_level(depth + 1, above * level.size + i, put));
      }
      return {};
    }
    auto entry = static_cast<size_t>(above);
    if (entry + 1 >= level.segments.size()) return invalid("a compressed dimension has too few segments");
    int64_t begin = level.segments[entry], end = level.segments[entry + 1], last = -1;
    if (begin < 0 || end < begin || end > static_cast<int64_t>(level.indices.size()))
      return invalid("a broken segment");
    for (int64_t i = begin; i < end; ++i) {
      // Rising indices: no element is written twice, so the walk ends after at most as many as the shape has.
      int64_t index = level.indices[static_cast<size_t>(i)];
      if (index <= last || index >= level.size) return invalid("an index is out of order or of range");
      at_[depth] = last = index;
      OREE_TRY(walk_level(depth + 1, i, put));
    }
    return {};
  }

  size_t target() const {
    size_t rank = shape_.size();
    std::vector<int64_t> index(rank);
    for (size_t i = 0; i < rank; ++i) index[static_cast<size_t>(order_[i])] = at_[i];
    for (size_t i = rank; i < order_.size(); ++i) {
      size_t block = static_cast<size_t>(order_[i]) - rank;
      auto d = static_cast<size_t>(block_map_[block]);
      index[d] = index[d] * levels_[rank + block].size + at_[i];
    }
    int64_t flat = 0;
    for (size_t i = 0; i < rank; ++i) flat = flat * shape_[i] + index[i];
    return static_cast<size_t>(flat);
  }

  Shape shape_;
  std::vector<int64_t> order_, block_map_;
  std::vector<Level> levels_;  // in the order of traversal
  std::vector<int64_t> at_;
  size_t stored_ = 0, read_ = 0;
};

}  // namespace

Result<Constant> read_sparse_tensor(const TfliteTensor& tensor, ByteView buffer) {
  ElementType type = tflite_type(tensor.type);
  if (!type.dtype || type.bits < 8) return Error(Code::kUnsupported, fmt::format("a sparse tensor of {}", type.name));
  OREE_TRY_ASSIGN(int64_t elements, shape_elements(tensor.shape));
  size_t width = dtype_size(*type.dtype);
  size_t stored = buffer.size() / width;
  if (static_cast<int64_t>(dtype_bytes(*type.dtype, elements)) / kSparseExpansionMax >
      static_cast<int64_t>(buffer.size())) {
    return Error(Code::kExhausted, fmt::format("a sparse tensor of shape {} stores only {} bytes",
                                               shape_text(tensor.shape), buffer.size()));
  }
  Densifier densifier;
  OREE_TRY(densifier.parse(tensor));
  Tensor out(*type.dtype, tensor.shape);
  OREE_TRY(densifier.walk(stored, [&](size_t to, size_t from) {
    std::memcpy(out.data() + to * width, buffer.data() + from * width, width);
  }));
  return Constant(std::move(out));
}

}  // namespace oree
