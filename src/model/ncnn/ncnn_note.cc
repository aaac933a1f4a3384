// SPDX-License-Identifier: Apache-2.0
#include "model/ncnn/ncnn_note.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/codec/json.h"

namespace oree {
namespace {

constexpr std::string_view kBegin = "# oree ";
constexpr size_t kNameMax = 4096;
constexpr size_t kPortsMax = 4096;

Json ports_json(const std::vector<NcnnPort>& ports) {
  Json list = Json::array();
  for (const NcnnPort& p : ports) {
    Json shape = Json::array();
    for (int64_t d : p.shape) shape.push(d);
    list.push(Json().set("blob", p.blob).set("name", p.name).set("shape", shape));
  }
  return list;
}

Result<std::vector<NcnnPort>> ports_from(const Json& note, const char* key) {
  OREE_TRY_ASSIGN(const Json* list, note.get_array(key));
  if (list->items().size() > kPortsMax) return Error(Code::kInvalid, fmt::format("{}: too many", key));
  std::vector<NcnnPort> ports;
  for (const Json& item : list->items()) {
    NcnnPort port;
    OREE_TRY_ASSIGN(port.blob, item.get_text("blob", kNameMax));
    OREE_TRY_ASSIGN(port.name, item.get_text("name", kNameMax));
    OREE_TRY_ASSIGN(const Json* shape, item.get_array("shape"));
    if (shape->items().size() > static_cast<size_t>(kTensorRankMax))
      return Error(Code::kInvalid, fmt::format("'{}' has too many dimensions", port.name));
    for (const Json& d : shape->items()) {
      if (!d.is_integral() || d.as_int() < 1) return Error(Code::kInvalid, fmt::format("'{}' has no shape", port.name));
      port.shape.push_back(d.as_int());
    }
    OREE_TRY(shape_elements(port.shape));
    if (ncnn_mat(port.shape).size() > static_cast<size_t>(kNcnnMatRankMax))
      return Error(Code::kInvalid, fmt::format("'{}' has more dimensions than ncnn", port.name));
    ports.push_back(std::move(port));
  }
  return ports;
}

Result<NcnnNote> note_from(std::string_view line) {
  OREE_TRY_ASSIGN(Json json, Json::parse(line));
  NcnnNote note;
  OREE_TRY_ASSIGN(note.inputs, ports_from(json, "inputs"));
  OREE_TRY_ASSIGN(note.outputs, ports_from(json, "outputs"));
  return note;
}

}  // namespace

std::string ncnn_note_line(const NcnnNote& note) {
  const Json json = Json().set("inputs", ports_json(note.inputs)).set("outputs", ports_json(note.outputs));
  return fmt::format("{}{}\n", kBegin, json.dump());
}

Result<std::optional<NcnnNote>> find_ncnn_note(std::string_view rest) {
  const size_t at = rest.find(kBegin);
  if (at == std::string_view::npos || (at > 0 && rest[at - 1] != '\n')) return std::optional<NcnnNote>();
  std::string_view line = rest.substr(at + kBegin.size());
  line = line.substr(0, std::min(line.find('\n'), line.size()));
  while (line.ends_with('\r')) line.remove_suffix(1);
  Result<NcnnNote> note = note_from(line);
  if (!note.ok()) return note.error().within("the note at its end");
  return std::optional<NcnnNote>(std::move(*note));
}

}  // namespace oree
