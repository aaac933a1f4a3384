// SPDX-License-Identifier: Apache-2.0
// Changes an ONNX file such that it stays a protobuf: bytes that change at random tear its lengths, and few get past
// the parser. What changes are numbers, bytes, names of operators, and which fields there are.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "model/ops/op_def.h"

namespace {

using Bytes = std::vector<uint8_t>;
using Random = std::minstd_rand;

constexpr int kDepthMax = 10;
constexpr uint64_t kOperatorField = 4;  // NodeProto.op_type

struct Field {
  uint64_t number = 0;
  int wire = 0;
  uint64_t value = 0;           // of wires 0, 1 and 5
  Bytes bytes;                  // of wire 2, unless it is a message
  std::vector<Field> children;  // of wire 2, when it is one
};
using Fields = std::vector<Field>;

std::optional<uint64_t> read_number(const Bytes& in, size_t& at, size_t end) {
  uint64_t out = 0;
  for (int shift = 0; shift < 64 && at < end; shift += 7) {
    uint8_t byte = in[at++];
    out |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return out;
  }
  return std::nullopt;
}

std::optional<Fields> parse(const Bytes& in, size_t at, size_t end, int depth) {
  Fields out;
  while (at < end) {
    std::optional<uint64_t> tag = read_number(in, at, end);
    if (!tag || *tag < 8) return std::nullopt;
    Field f{*tag >> 3, static_cast<int>(*tag & 7), 0, {}, {}};
    if (f.wire == 0) {
      std::optional<uint64_t> value = read_number(in, at, end);
      if (!value) return std::nullopt;
      f.value = *value;
    } else if (f.wire == 1 || f.wire == 5) {
      size_t size = f.wire == 1 ? 8 : 4;
      if (end - at < size) return std::nullopt;
      std::memcpy(&f.value, in.data() + at, size);
      at += size;
    } else if (f.wire == 2) {
      std::optional<uint64_t> size = read_number(in, at, end);
      if (!size || *size > end - at) return std::nullopt;
      auto stop = at + static_cast<size_t>(*size);
      std::optional<Fields> message;
      if (depth<kDepthMax&& * size> 0) message = parse(in, at, stop, depth + 1);
      if (message) f.children = std::move(*message);
      if (!message) f.bytes.assign(in.begin() + static_cast<ptrdiff_t>(at), in.begin() + static_cast<ptrdiff_t>(stop));
      at = stop;
    } else {
      return std::nullopt;
    }
    out.push_back(std::move(f));
  }
  return out;
}

void put_number(Bytes& out, uint64_t v) {
  for (; v >= 0x80; v >>= 7) out.push_back(static_cast<uint8_t>(v | 0x80));
  out.push_back(static_cast<uint8_t>(v));
}

Bytes written(const Fields& fields) {
  Bytes out;
  for (const Field& f : fields) {
    put_number(out, f.number << 3 | static_cast<uint64_t>(f.wire));
    if (f.wire == 0) {
      put_number(out, f.value);
    } else if (f.wire == 2) {
      Bytes inner = f.children.empty() ? f.bytes : written(f.children);
      put_number(out, inner.size());
      out.insert(out.end(), inner.begin(), inner.end());
    } else {
      uint8_t raw[8];
      std::memcpy(raw, &f.value, 8);
      out.insert(out.end(), raw, raw + (f.wire == 1 ? 8 : 4));
    }
  }
  return out;
}

void collect(Fields& fields, std::vector<std::pair<Fields*, size_t>>& out) {
  for (size_t i = 0; i < fields.size(); ++i) {
    out.emplace_back(&fields, i);
    collect(fields[i].children, out);
  }
}

size_t below(Random& random, size_t n) { return random() % n; }

uint64_t edge(Random& random) {
  constexpr int64_t kEdges[] = {0,  1,  -1,  2,    3,       4,         5,         7,         8,
                                -2, 16, 255, 4096, 1 << 20, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  return static_cast<uint64_t>(kEdges[below(random, std::size(kEdges))]);
}

void change_bytes(Field& f, Random& random) {
  if (f.number == kOperatorField && oree::find_op("", std::string(f.bytes.begin(), f.bytes.end()))) {
    static const std::vector<const oree::OpDef*> ops = oree::all_ops();
    std::string_view op = ops[below(random, ops.size())]->op;
    f.bytes.assign(op.begin(), op.end());
    return;
  }
  if (f.bytes.empty()) return f.bytes.push_back(static_cast<uint8_t>(random()));
  size_t at = below(random, f.bytes.size());
  switch (below(random, 4)) {
    case 0: f.bytes[at] ^= static_cast<uint8_t>(1u << below(random, 8)); break;
    case 1: f.bytes[at] = static_cast<uint8_t>(edge(random)); break;
    case 2: {  // an element: a special real, or a whole number
      constexpr float kReals[] = {0, -0.0f, 1, -1, 0.5f, 1e30f, -1e30f, 1e-30f, INFINITY, -INFINITY, NAN};
      const float real = kReals[below(random, std::size(kReals))];
      const uint64_t whole = edge(random);
      size_t size = below(random, 2) ? 4 : 8;
      at = at / size * size;
      if (at + size <= f.bytes.size())
        std::memcpy(f.bytes.data() + at, size == 4 ? static_cast<const void*>(&real) : &whole, size);
      break;
    }
    default: f.bytes.resize(below(random, 2) ? at : f.bytes.size() + 1 + at % 8); break;
  }
}

void change(Fields& root, Random& random) {
  std::vector<std::pair<Fields*, size_t>> all;
  collect(root, all);
  if (all.empty()) return;
  auto [fields, i] = all[below(random, all.size())];
  Field& f = (*fields)[i];
  switch (below(random, 8)) {
    case 0: fields->erase(fields->begin() + static_cast<ptrdiff_t>(i)); return;
    case 1: fields->insert(fields->begin() + static_cast<ptrdiff_t>(i), Field(f)); return;
    case 2: {  // what another field of that number holds
      std::vector<const Field*> same;
      for (auto [others, k] : all) {
        if ((*others)[k].number == f.number && (*others)[k].wire == f.wire) same.push_back(&(*others)[k]);
      }
      Field copy = *same[below(random, same.size())];
      f = std::move(copy);
      return;
    }
    default: break;
  }
  if (f.wire == 2) {
    if (f.children.empty()) change_bytes(f, random);
  } else {
    f.value = below(random, 2) ? edge(random) : f.value + (below(random, 2) ? 1 : UINT64_MAX);
  }
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max, unsigned seed) {
  Random random(seed);
  for (int i = 0; i < 3; ++i) random();  // seeds that are near each other begin alike
  std::optional<Fields> fields = parse(Bytes(data, data + size), 0, size, 0);
  if (!fields) return size;
  for (size_t n = 1 + below(random, 4); n > 0; --n) change(*fields, random);
  Bytes out = written(*fields);
  if (out.size() > size_max) return size;
  if (!out.empty()) std::memcpy(data, out.data(), out.size());
  return out.size();
}
