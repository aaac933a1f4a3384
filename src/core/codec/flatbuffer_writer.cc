// SPDX-License-Identifier: Apache-2.0
#include "core/codec/flatbuffer_writer.h"

#include <algorithm>

namespace oree {
namespace {

constexpr size_t kFileMax = (size_t{1} << 31) - 1;
constexpr size_t kChunkBytes = size_t{1} << 20;

size_t aligned(size_t position, size_t alignment) { return (position + alignment - 1) / alignment * alignment; }

template <typename T>
void store(Bytes& out, size_t position, T value) {
  std::memcpy(out.data() + position, &value, sizeof(T));
}

}  // namespace

FlatbufferWriter::Object FlatbufferWriter::add(Record record) {
  records_.push_back(std::move(record));
  return static_cast<Object>(records_.size() - 1);
}

FlatbufferWriter::Object FlatbufferWriter::add_vector(Bytes bytes, size_t count, size_t element_size) {
  Record r;
  r.kind = Kind::kVector;
  r.count = count;
  r.alignment = std::max<size_t>(element_size, 4);
  r.own = std::move(bytes);
  return add(std::move(r));
}

FlatbufferWriter::Object FlatbufferWriter::string(std::string_view text) {
  ByteView view = as_bytes(text);
  Object object = add_vector(Bytes(view.begin(), view.end()), text.size(), 1);
  records_[object].ends_in_zero = true;
  return object;
}

FlatbufferWriter::Object FlatbufferWriter::bytes(ByteView view, size_t alignment) {
  Record r;
  r.kind = Kind::kVector;
  r.count = view.size();
  r.alignment = std::max<size_t>(alignment, 4);
  r.view = view;
  return add(std::move(r));
}

FlatbufferWriter::Object FlatbufferWriter::tables(std::span<const Object> objects) {
  for (Object o : objects) OREE_ASSERT(o < records_.size());
  Record r;
  r.kind = Kind::kOffsets;
  r.count = objects.size();
  r.objects.assign(objects.begin(), objects.end());
  return add(std::move(r));
}

FlatbufferWriter::Object FlatbufferWriter::table() { return add(Record()); }

void FlatbufferWriter::add_field(Object table, Field field) {
  OREE_ASSERT(table + 1 == records_.size() && records_[table].kind == Kind::kTable && field.number >= 0);
  auto same = [&](const Field& f) { return f.number == field.number; };
  OREE_ASSERT(std::ranges::none_of(records_[table].fields, same));
  records_[table].fields.push_back(field);
}

void FlatbufferWriter::child(Object table, int field, Object object) {
  OREE_ASSERT(object < table);
  add_field(table, {field, 4, object, true});
}

// The largest fields first, so that no gap is left but one before fields of eight bytes.
void FlatbufferWriter::lay_out_fields(Record& r) {
  std::vector<Field*> order;
  for (Field& f : r.fields) order.push_back(&f);
  std::ranges::stable_sort(order, [](const Field* a, const Field* b) { return a->size > b->size; });
  size_t at = 4;
  for (Field* f : order) {
    at = aligned(at, f->size);
    f->offset = at;
    at += f->size;
    r.alignment = std::max(r.alignment, f->size);
  }
  r.size = at;
}

// A vtable that is new lies right before its table.
void FlatbufferWriter::place_table(Record& r, size_t& end) {
  lay_out_fields(r);
  int fields = 0;
  for (const Field& f : r.fields) fields = std::max(fields, f.number + 1);
  std::vector<uint16_t> vtable(static_cast<size_t>(fields) + 2, 0);
  vtable[0] = static_cast<uint16_t>(2 * vtable.size());
  vtable[1] = static_cast<uint16_t>(r.size);
  for (const Field& f : r.fields) vtable[static_cast<size_t>(f.number) + 2] = static_cast<uint16_t>(f.offset);
  auto [known, is_new] = vtables_.try_emplace(std::move(vtable), aligned(end, 2));
  if (is_new) {
    vtable_list_.emplace_back(known->second, known->first);
    end = known->second + 2 * known->first.size();
  }
  r.vtable = known->second;
  r.position = aligned(end, r.alignment);
  end = r.position + r.size;
}

void FlatbufferWriter::write(const Record& r, Bytes& out, size_t base) const {
  if (r.kind == Kind::kTable) {
    store(out, r.position - base, static_cast<int32_t>(r.position - r.vtable));
    for (const Field& f : r.fields) {
      size_t at = r.position + f.offset;
      if (f.is_child) {
        store(out, at - base, static_cast<uint32_t>(records_[f.bits].position - at));
      } else {
        std::memcpy(out.data() + (at - base), &f.bits, f.size);
      }
    }
    return;
  }
  store(out, r.position - base, static_cast<uint32_t>(r.count));
  if (!r.own.empty()) std::memcpy(out.data() + (r.position + 4 - base), r.own.data(), r.own.size());
  for (size_t i = 0; i < r.objects.size(); ++i) {
    size_t at = r.position + 4 + 4 * i;
    store(out, at - base, static_cast<uint32_t>(records_[r.objects[i]].position - at));
  }
}

//   uint32 root | identifier | what was made last … what was made first
Result<size_t> FlatbufferWriter::lay_out() {
  vtables_.clear();
  vtable_list_.clear();
  size_t end = 8;
  for (auto r = records_.rbegin(); r != records_.rend(); ++r) {
    if (r->kind == Kind::kTable) {
      place_table(*r, end);
    } else {
      r->position = aligned(end + 4, r->alignment) - 4;
      r->size = 4 + content_size(*r) + 4 * r->objects.size() + (r->ends_in_zero ? 1 : 0);
      end = r->position + r->size;
    }
    if (end > kFileMax) return Error(Code::kExhausted, "a flatbuffer of more than 2 GiB");
  }
  return aligned(end, 8);
}

Status FlatbufferWriter::emit(Object root, std::string_view identifier, size_t size, const Sink& sink) const {
  Bytes chunk(8, 0);
  size_t base = 0;  // where the chunk lies in the file
  auto flush = [&]() -> Status {
    OREE_TRY(sink(chunk));
    base += chunk.size();
    chunk.clear();
    return {};
  };
  store(chunk, 0, static_cast<uint32_t>(records_[root].position));
  std::memcpy(chunk.data() + 4, identifier.data(), 4);
  auto vtable = vtable_list_.begin();
  for (auto r = records_.rbegin(); r != records_.rend(); ++r) {
    if (vtable != vtable_list_.end() && vtable->first < r->position) {
      chunk.resize(vtable->first + 2 * vtable->second.size() - base, 0);
      std::memcpy(chunk.data() + (vtable->first - base), vtable->second.data(), 2 * vtable->second.size());
      ++vtable;
    }
    chunk.resize(r->position + r->size - r->view.size() - base, 0);
    write(*r, chunk, base);
    if (r->view.empty() && chunk.size() < kChunkBytes) continue;
    OREE_TRY(flush());
    OREE_TRY(sink(r->view));
    base += r->view.size();
  }
  chunk.resize(size - base, 0);
  return flush();
}

Status FlatbufferWriter::finish(Object root, std::string_view identifier, const Sink& sink) {
  OREE_ASSERT(identifier.size() == 4 && root < records_.size());
  OREE_TRY_ASSIGN(size_t size, lay_out());
  return emit(root, identifier, size, sink);
}

Result<Bytes> FlatbufferWriter::finish(Object root, std::string_view identifier) {
  OREE_ASSERT(identifier.size() == 4 && root < records_.size());
  OREE_TRY_ASSIGN(size_t size, lay_out());
  Bytes out;
  out.reserve(size);
  OREE_TRY(emit(root, identifier, size, [&](ByteView part) {
    out.insert(out.end(), part.begin(), part.end());
    return Status();
  }));
  return out;
}

}  // namespace oree
