// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/files/torchscript_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/codec/flatbuffer.h"
#include "core/codec/json.h"
#include "core/codec/zip.h"

namespace oree {
namespace {

constexpr std::string_view kConstants = "/constants.pkl";
constexpr std::string_view kNote = "extra/oree.json";
constexpr size_t kNotedNameMax = 256;
constexpr size_t kNotedPortsMax = 256;
constexpr size_t kNotedRankMax = 8;

const ZipEntry* find(const std::vector<ZipEntry>& entries, std::string_view name) {
  auto found = std::ranges::find(entries, name, &ZipEntry::name);
  return found == entries.end() ? nullptr : &*found;
}

bool any_in(const std::vector<ZipEntry>& entries, const std::string& folder) {
  return std::ranges::any_of(entries, [&](const ZipEntry& e) { return e.name.starts_with(folder); });
}

Result<Shape> shape_from(const Json& list) {
  if (!list.is_array() || list.items().size() > kNotedRankMax)
    return Error(Code::kInvalid, fmt::format("shape: expected a list of at most {} sizes", kNotedRankMax));
  Shape shape, sized;
  for (const Json& d : list.items()) {
    if (!d.is_integral() || d.as_int() < -1) return Error(Code::kInvalid, "shape: expected sizes, or -1");
    shape.push_back(d.as_int());
    sized.push_back(std::max<int64_t>(d.as_int(), 1));
  }
  OREE_TRY(shape_elements(sized));
  return shape;
}

Result<NotedPort> port_from(const Json& json) {
  NotedPort port;
  if (!json.is_object()) return Error(Code::kInvalid, "expected objects");
  if (json.find("name") != nullptr) {
    OREE_TRY_ASSIGN(port.name, json.get_text("name", kNotedNameMax));
  }
  if (json.find("dtype") != nullptr) {
    OREE_TRY_ASSIGN(const std::string dtype, json.get_text("dtype", kNotedNameMax));
    OREE_TRY_ASSIGN(port.dtype, dtype_from_name(dtype));
  }
  if (const Json* shape = json.find("shape")) {
    OREE_TRY_ASSIGN(port.shape, shape_from(*shape));
  }
  return port;
}

Result<std::vector<NotedPort>> ports_from(const Json& note, const char* key) {
  std::vector<NotedPort> ports;
  if (note.find(key) == nullptr) return ports;
  OREE_TRY_ASSIGN(const Json* list, note.get_array(key));
  if (list->items().size() > kNotedPortsMax)
    return Error(Code::kInvalid, fmt::format("{}: at most {} are allowed", key, kNotedPortsMax));
  for (const Json& item : list->items()) {
    Result<NotedPort> port = port_from(item);
    if (!port.ok()) return port.error().within(key);
    ports.push_back(std::move(*port));
  }
  return ports;
}

Result<ModelNote> note_from(ByteView file, const ZipEntry& entry) {
  if (entry.size > static_cast<uint64_t>(kConfigBytesMax))
    return Error(Code::kInvalid, fmt::format("it has {} bytes", entry.size));
  OREE_TRY_ASSIGN(std::unique_ptr<ZipMember> member, ZipMember::open(source_of(file), entry));
  Bytes text(static_cast<size_t>(member->size()));
  OREE_TRY(member->read(0, text));
  OREE_TRY_ASSIGN(const Json json, Json::parse(as_text(text)));
  ModelNote note;
  if (!json.is_object()) return Error(Code::kInvalid, "expected an object");
  OREE_TRY_ASSIGN(note.inputs, ports_from(json, "inputs"));
  OREE_TRY_ASSIGN(note.outputs, ports_from(json, "outputs"));
  return note;
}

bool is_zip(ByteView file) { return file.size() > 4 && as_text(file.first(4)) == std::string_view("PK\3\4", 4); }

}  // namespace

Result<TorchscriptFile> read_torchscript(ByteView file) {
  OREE_TRY_ASSIGN(const std::vector<ZipEntry> entries, read_zip_index(source_of(file)));
  TorchscriptFile out;
  for (const ZipEntry& e : entries) {
    const size_t slash = e.name.find('/');
    if (slash != std::string::npos && e.name.substr(slash) == kConstants) out.folder = e.name.substr(0, slash);
  }
  const std::string in = out.folder + "/";
  if (out.folder.empty() || !any_in(entries, in + "code/") || find(entries, in + "data.pkl") == nullptr) {
    return Error(Code::kInvalid,
                 "a zip archive without a TorchScript program (constants.pkl, data.pkl, code/): a checkpoint of "
                 "torch.save holds weights alone, torch.jit.save writes the program too");
  }
  for (const ZipEntry& e : entries) {
    if (!e.name.starts_with(in + "data/") && !e.name.starts_with(in + "constants/")) continue;
    ++out.tensors;
    out.tensor_bytes += static_cast<int64_t>(std::min<uint64_t>(e.size, static_cast<uint64_t>(kModelBytesMax)));
  }
  if (const ZipEntry* entry = find(entries, in + std::string(kNote))) {
    Result<ModelNote> note = note_from(file, *entry);
    if (!note.ok()) return note.error().within("its note " + std::string(kNote));
    out.note = std::move(*note);
  }
  return out;
}

bool looks_like_torchscript(ByteView file) {
  if (!is_zip(file)) return false;
  Result<std::vector<ZipEntry>> entries = read_zip_index(source_of(file));
  return entries.ok() && std::ranges::any_of(*entries, [](const ZipEntry& e) { return e.name.ends_with(kConstants); });
}

bool looks_like_executorch(ByteView file) {
  auto digit = [](uint8_t c) { return c >= '0' && c <= '9'; };
  return file.size() >= 8 && file[4] == 'E' && file[5] == 'T' && digit(file[6]) && digit(file[7]);
}

Status check_executorch(ByteView file) {
  if (!looks_like_executorch(file)) return Error(Code::kInvalid, "it has no identifier of ExecuTorch's programs");
  OREE_TRY_ASSIGN(const FlatTable root, FlatTable::root(file, as_text(file.subspan(4, 4))));
  if (!root.fields_inside()) return Error(Code::kInvalid, "its root table is damaged");
  return {};
}

}  // namespace oree
