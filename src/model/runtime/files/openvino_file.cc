// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/files/openvino_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>

#include "core/base/limits.h"
#include "core/codec/xml.h"

namespace oree {
namespace {

constexpr size_t kXmlBytesMax = 256u << 20;

Error invalid(std::string text) { return Error(Code::kInvalid, std::move(text)); }

Result<int64_t> integer(std::string_view text, const char* what) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return invalid(fmt::format("{} is '{}', not a whole number", what, text.substr(0, 32)));
  }
  return value;
}

class IrParser {
 public:
  IrParser(std::string_view xml, int64_t weights_size) : reader_(xml), weights_size_(weights_size) {}

  Result<OpenvinoFile> read() {
    XmlEvent event;
    for (;;) {
      OREE_TRY(reader_.next(event));
      if (event.kind == XmlEvent::Kind::kEnd) break;
      if (event.kind == XmlEvent::Kind::kOpen) {
        path_ += "/";
        path_ += event.name;
        OREE_TRY(opened(event));
      } else if (event.kind == XmlEvent::Kind::kClose) {
        path_.resize(path_.size() - event.name.size() - 1);
      } else {
        OREE_TRY(text(event.text));
      }
    }
    if (out_.layers.empty()) return invalid("no layer in it: not an OpenVINO IR, or cut off");
    return std::move(out_);
  }

 private:
  static constexpr std::string_view kLayer = "/net/layers/layer";
  static constexpr std::string_view kInput = "/net/layers/layer/input/port";
  static constexpr std::string_view kOutput = "/net/layers/layer/output/port";
  static constexpr std::string_view kInputDim = "/net/layers/layer/input/port/dim";
  static constexpr std::string_view kOutputDim = "/net/layers/layer/output/port/dim";

  Status count() {
    if (++parts_ > kModelPartsMax) return invalid(fmt::format("more than {} layers, ports and edges", kModelPartsMax));
    return {};
  }

  // Bodies of loops and branches have longer paths, so they are passed over.
  Status opened(XmlEvent& event) {
    if (path_ == "/net") return net(event);
    if (path_ == kLayer) return layer(event);
    if (path_ == "/net/layers/layer/data") return data(event);
    if (path_ == kInput || path_ == kOutput) return port(event);
    if (path_ == "/net/edges/edge") return edge(event);
    if (path_.starts_with("/net/rt_info/")) {
      if (const std::string* value = event.find("value")) {
        std::string key = path_.substr(13);
        if (out_.rt_info.size() < 256) out_.rt_info[key] = value->substr(0, 256);
      }
    }
    if (path_.find('/', 1) == std::string::npos) return invalid(fmt::format("its root is <{}>, not <net>", event.name));
    return {};
  }

  Status net(const XmlEvent& event) {
    if (const std::string* name = event.find("name")) out_.name = *name;
    const std::string* version = event.find("version");
    if (version == nullptr) return invalid("its <net> has no version");
    OREE_TRY_ASSIGN(out_.version, integer(*version, "the IR version"));
    if (out_.version < 10)
      return Error(Code::kUnsupported, fmt::format("IR version {}, but 10 or 11 is needed", out_.version));
    return {};
  }

  Status layer(const XmlEvent& event) {
    OREE_TRY(count());
    const std::string* id = event.find("id");
    const std::string* type = event.find("type");
    if (id == nullptr || type == nullptr) return invalid("a layer has no id or no type");
    OpenvinoLayer& layer = out_.layers.emplace_back();
    OREE_TRY_ASSIGN(layer.id, integer(*id, "a layer's id"));
    layer.type = *type;
    if (const std::string* name = event.find("name")) layer.name = *name;
    if (!index_.emplace(layer.id, out_.layers.size() - 1).second)
      return invalid(fmt::format("layer id {} is given twice", layer.id));
    return {};
  }

  Status data(XmlEvent& event) {
    OpenvinoLayer& layer = out_.layers.back();
    for (auto& [key, value] : event.attributes) {
      OREE_TRY(count());
      layer.data[std::string(key)] = std::move(value);
    }
    if (layer.type != "Const") return {};
    OREE_TRY_ASSIGN(int64_t offset, integer(layer.data["offset"], "a constant's offset"));
    OREE_TRY_ASSIGN(int64_t size, integer(layer.data["size"], "a constant's size"));
    if (size == 0) return {};
    if (weights_size_ < 0) return invalid("its weights are missing: the .bin file must lie beside the .xml");
    if (offset < 0 || size < 0 || offset > weights_size_ || size > weights_size_ - offset) {
      return invalid(fmt::format("constant '{}' takes bytes {} to {}, but the .bin file has {}", layer.name, offset,
                                 offset + std::max<int64_t>(0, std::min(size, kModelBytesMax)), weights_size_));
    }
    return {};
  }

  Status port(const XmlEvent& event) {
    OREE_TRY(count());
    if (out_.layers.empty()) return invalid("a port outside of a layer");
    bool input = path_ == kInput;
    OpenvinoLayer& layer = out_.layers.back();
    OpenvinoPort& port = (input ? layer.inputs : layer.outputs).emplace_back();
    if (input) layer.sources.push_back(-1);
    if (const std::string* precision = event.find("precision")) port.element = openvino_element(*precision);
    if (const std::string* names = event.find("names")) port.names = names->substr(0, names->find(','));
    if (const std::string* id = event.find("id")) {
      OREE_TRY_ASSIGN(int64_t number, integer(*id, "a port's id"));
      if (input) ports_[{layer.id, number}] = layer.inputs.size() - 1;
    }
    return {};
  }

  Status text(const std::string& text) {
    const bool input = path_ == kInputDim;
    if (!input && path_ != kOutputDim) return {};
    OpenvinoLayer& layer = out_.layers.back();
    std::vector<OpenvinoPort>& ports = input ? layer.inputs : layer.outputs;
    Shape& shape = ports.back().shape;
    OREE_TRY_ASSIGN(int64_t d, integer(text, "a dimension"));
    if (shape.size() >= static_cast<size_t>(kTensorRankMax))
      return invalid(fmt::format("layer '{}': too many dimensions", layer.name));
    shape.push_back(d < 0 ? -1 : d);
    Shape known = shape;
    for (int64_t& k : known) k = k < 0 ? 1 : k;
    Result<int64_t> elements = shape_elements(known);
    return elements.ok() ? Status() : Status(elements.error().within(fmt::format("layer '{}'", layer.name)));
  }

  Status edge(const XmlEvent& event) {
    OREE_TRY(count());
    int64_t ends[3] = {};
    const char* names[3] = {"from-layer", "to-layer", "to-port"};
    for (int i = 0; i < 3; ++i) {
      const std::string* value = event.find(names[i]);
      if (value == nullptr) return invalid(fmt::format("an edge has no {}", names[i]));
      OREE_TRY_ASSIGN(ends[i], integer(*value, names[i]));
    }
    auto to = index_.find(ends[1]);
    auto port = ports_.find({ends[1], ends[2]});
    if (!index_.contains(ends[0]) || to == index_.end() || port == ports_.end()) {
      return invalid(fmt::format("an edge from layer {} to layer {} joins nothing", ends[0], ends[1]));
    }
    out_.layers[to->second].sources[port->second] = ends[0];
    return {};
  }

  XmlReader reader_;
  int64_t weights_size_;
  OpenvinoFile out_;
  std::string path_;
  std::map<int64_t, size_t> index_;                      // layer id -> its place
  std::map<std::pair<int64_t, int64_t>, size_t> ports_;  // (layer id, port id) -> place among its inputs
  size_t parts_ = 0;
};

}  // namespace

Result<OpenvinoFile> read_openvino(ByteView xml, int64_t weights_size) {
  if (xml.size() > kXmlBytesMax) return invalid("the XML is larger than 256 MiB");
  return IrParser(as_text(xml), weights_size).read();
}

std::string openvino_weights_path(const std::string& xml_path) {
  size_t dot = xml_path.rfind('.');
  size_t slash = xml_path.rfind('/');
  bool has_extension = dot != std::string::npos && (slash == std::string::npos || dot > slash);
  return (has_extension ? xml_path.substr(0, dot) : xml_path) + ".bin";
}

int64_t openvino_weights_size(const std::string& xml_path) {
  struct stat status {};
  if (stat(openvino_weights_path(xml_path).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return -1;
  return status.st_size;
}

bool looks_like_openvino_xml(ByteView file) {
  std::string_view head = as_text(file.first(std::min<size_t>(file.size(), 4096)));
  size_t begin = head.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (begin == std::string_view::npos || head[begin] != '<') return false;
  return head.substr(begin, 5) == "<?xml" || head.substr(begin, 4) == "<net";
}

}  // namespace oree
