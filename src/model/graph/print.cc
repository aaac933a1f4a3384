// SPDX-License-Identifier: Apache-2.0
#include "model/graph/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "model/graph/text_types.h"

namespace oree {
namespace {

constexpr int kIrVersion = 14;  // the first that has the opset below
constexpr int kOpset = 28;      // whose forms of the operators the graph has

bool is_identifier(std::string_view name) {
  auto letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 && std::ranges::all_of(name, letter);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    // Names come from outside and go to terminals.
    out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
  }
  return out + '"';
}

std::string id(std::string_view name) {
  static const std::set<std::string_view> words = {"seq", "map", "optional", "sparse_tensor", "opaque", "inf", "nan"};
  return is_identifier(name) && !dtype_from_text(name) && !words.contains(name) ? std::string(name) : quoted(name);
}

std::string dims_list(const Dims& dims) {
  std::string out;
  for (const Dim& d : dims) {
    if (!out.empty()) out += ',';
    out += d.known() ? std::to_string(d.size) : d.symbol.empty() ? "?" : id(d.symbol);
  }
  return out;
}

std::string type(Dtype dtype, const std::optional<Dims>& dims) {
  std::string out = dtype_text(dtype);
  if (!dims) return out + "[]";
  return dims->empty() ? out : out + '[' + dims_list(*dims) + ']';
}

template <typename T>
std::string real(T value) {
  std::string out = fmt::format("{}", value);
  return out.find_first_of(".en") == std::string::npos ? out + ".0" : out;
}

std::string elements(const Constant& c) {
  std::string out = "{";
  const Tensor t = c.to_tensor();
  auto put = [&](const std::string& text) { out += (out.size() > 1 ? ", " : "") + text; };
  if (c.dtype() == Dtype::kFloat32) {
    for (float v : t.as<float>()) put(real(v));
  } else if (c.dtype() == Dtype::kFloat64) {
    for (double v : t.as<double>()) put(real(v));
  } else if (c.dtype() == Dtype::kFloat16 || c.dtype() == Dtype::kBfloat16) {
    for (uint16_t v : t.as<uint16_t>()) put(std::to_string(v));  // the syntax wants the bits
  } else if (c.dtype() == Dtype::kUint64) {
    for (uint64_t v : t.as<uint64_t>()) put(std::to_string(v));
  } else {
    for (int64_t v : c.to_ints()) put(std::to_string(v));
  }
  return out + "}";
}

template <typename T, typename Function>
std::string list(const std::vector<T>& values, Function text, std::string_view between = ", ") {
  std::string out;
  for (const T& v : values) out += std::string(out.empty() ? "" : between) + text(v);
  return out;
}

class Printer {
 public:
  Printer(const Graph& graph, int64_t elements_max) : graph_(graph), elements_max_(elements_max) {}

  std::string text(const std::string& name) {
    header(id(name.empty() ? "main" : name), graph_.main(), "");
    constants();
    out_ += "{\n";
    nodes(kMainBlock, "  ");
    for (const State& s : graph_.states()) state(s);
    out_ += "}\n";
    return std::move(out_);
  }

 private:
  std::string name(ValueId v) const { return v == kNoValue ? "\"\"" : id(graph_.value(v).name); }

  // A value where it is declared: its type is left out when not known.
  std::string declared(ValueId v) const {
    const Value& value = graph_.value(v);
    return value.dtype ? type(*value.dtype, value.dims) + " " + name(v) : name(v);
  }

  std::string quantization(const Quantization& q) const {
    if (static_cast<int64_t>(q.scales.size()) > elements_max_)
      return fmt::format(" axis {} scales elided: {}", q.axis, q.scales.size());
    std::string out = q.per_axis() ? fmt::format(" axis {}", q.axis) : "";
    out += " scale " + list(q.scales, real<float>, " ");
    return out + " zero " +
           list(
               q.zero_points, [](int64_t z) { return std::to_string(z); }, " ");
  }

  std::string note(ValueId v) const {
    if (v == kNoValue) return "?";
    const Value& value = graph_.value(v);
    std::string out = value.dtype ? type(*value.dtype, value.dims) : "?";
    return value.quantization ? out + quantization(*value.quantization) : out;
  }

  // name (inputs) => (outputs)
  void header(const std::string& name, const Block& block, const std::string& indent) {
    out_ += name + " (";
    bool lines = std::ranges::any_of(block.inputs, [&](ValueId v) { return graph_.value(v).quantization.has_value(); });
    for (size_t i = 0; i < block.inputs.size(); ++i) {
      const std::string comma = i + 1 < block.inputs.size() ? "," : "";
      const ValueId v = block.inputs[i];
      if (lines) {
        out_ += "\n" + indent + "  " + declared(v) + comma;
        if (graph_.value(v).quantization) out_ += "  #: " + note(v);
      } else {
        out_ += declared(v) + (comma.empty() ? "" : ", ");
      }
    }
    if (lines) out_ += "\n" + indent;
    out_ +=
        ") => (" + list(block.outputs, [&](ValueId v) { return declared(v); }) + ")" + (indent.empty() ? "\n" : " ");
  }

  void constants() {
    std::vector<ValueId> used;
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      auto v = static_cast<ValueId>(i);
      if (graph_.value(v).is_constant() && !graph_.unused(v)) used.push_back(v);
    }
    if (used.empty()) return;
    out_ += "<\n";
    for (ValueId v : used) {
      const Value& value = graph_.value(v);
      const bool small = value.constant->elements() <= elements_max_;
      out_ += "  " + declared(v) + (small ? " = " + elements(*value.constant) : "") + (v == used.back() ? "" : ",");
      if (value.quantization) out_ += "  #: " + note(v);
      if (!small) out_ += fmt::format("  # {} elements", value.constant->elements());
      out_ += "\n";
    }
    out_ += ">\n";
  }

  std::string attribute(const Attribute& a) const {
    struct Text {
      int64_t elements_max;
      std::string operator()(int64_t v) const { return std::to_string(v); }
      std::string operator()(float v) const { return real(v); }
      std::string operator()(const std::string& v) const { return quoted(v); }
      std::string operator()(const std::vector<int64_t>& v) const { return "[" + list(v, *this) + "]"; }
      std::string operator()(const std::vector<float>& v) const { return "[" + list(v, *this) + "]"; }
      std::string operator()(const std::vector<std::string>& v) const { return "[" + list(v, *this) + "]"; }
      std::string operator()(const Constant& c) const {
        std::string out = type(c.dtype(), to_dims(c.shape())) + " ";
        return out + (c.elements() <= elements_max ? elements(c) : "elided");
      }
    };
    return std::visit(Text{elements_max_}, a);
  }

  static std::string attribute_name(const std::string& name, const Attribute& a) {
    // An empty list must say of what.
    if (const auto* ints = std::get_if<std::vector<int64_t>>(&a); ints && ints->empty()) return name + ": ints";
    if (const auto* reals = std::get_if<std::vector<float>>(&a); reals && reals->empty()) return name + ": floats";
    if (const auto* texts = std::get_if<std::vector<std::string>>(&a); texts && texts->empty())
      return name + ": strings";
    return name;
  }

  void nodes(BlockId block, const std::string& indent) {
    std::optional<std::vector<NodeId>> order = graph_.acyclic_order(block);
    if (!order) out_ += indent + "# there is a cycle: as they were added\n";
    for (NodeId n : order ? *order : graph_.block(block).nodes) {
      if (!graph_.node(n).removed) node(graph_.node(n), indent);
    }
  }

  void node(const Node& n, const std::string& indent) {
    out_ += indent;
    if (!n.name.empty()) out_ += "[" + id(n.name) + "] ";
    out_ += list(n.outputs, [&](ValueId v) { return name(v); }) + (n.outputs.empty() ? "= " : " = ");
    const std::string op = n.domain.empty() ? n.op : n.domain + "." + n.op;
    std::string plain = op;
    // The syntax cannot quote these.
    std::ranges::replace_if(
        plain, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_'; }, '_');
    out_ += plain + " ";
    std::string attributes;
    for (const auto& [key, value] : n.attributes)
      attributes += (attributes.empty() ? "" : ", ") + attribute_name(key, value) + " = " + attribute(value);
    if (!attributes.empty() || !n.blocks.empty()) out_ += "<" + attributes;
    for (size_t i = 0; i < n.blocks.size(); ++i) {
      const auto& [key, body] = n.blocks[i];
      out_ += (i > 0 || !attributes.empty() ? ", " : "") + key + " = ";
      header(fmt::format("body{}", body), graph_.block(body), indent + "  ");
      out_ += "{\n";
      nodes(body, indent + "    ");
      out_ += indent + "  }";
    }
    if (!attributes.empty() || !n.blocks.empty()) out_ += "> ";
    out_ += "(" + list(n.inputs, [&](ValueId v) { return name(v); }) + ")";
    if (std::ranges::any_of(n.outputs, [&](ValueId v) { return note(v) != "?"; }))
      out_ += "  #: " + list(
                            n.outputs, [&](ValueId v) { return note(v); }, "; ");
    if (plain != op) out_ += "  # " + quoted(op);
    out_ += "\n";
  }

  void state(const State& s) {
    const Constant& c = s.initial;
    std::string value = std::ranges::all_of(c.bytes(), [](uint8_t b) { return b == 0; }) ? "zeros"
                        : c.elements() <= elements_max_                                  ? elements(c)
                                                                                         : "elided";
    out_ += "  #: state " + id(s.name) + " " + name(s.input) + " -> " + name(s.output) + " = " +
            type(c.dtype(), to_dims(c.shape())) + " " + value;
    if (const auto& q = graph_.value(s.input).quantization) out_ += quantization(*q);
    out_ += "\n";
  }

  const Graph& graph_;
  const int64_t elements_max_;
  std::string out_;
};

}  // namespace

std::string print(const Model& model, int64_t elements_max) {
  std::string out = fmt::format("<\n  ir_version: {},\n  opset_import: [\"\" : {}", kIrVersion, kOpset);
  for (const auto& [domain, version] : model.custom_opsets) out += fmt::format(", {} : {}", quoted(domain), version);
  out += "]";
  auto say = [&](const char* key, const std::string& text) {
    if (!text.empty()) out += fmt::format(",\n  {}: {}", key, quoted(text));
  };
  say("producer_name", model.producer);
  say("producer_version", model.producer_version);
  say("domain", model.domain);
  if (model.model_version != 0) out += fmt::format(",\n  model_version: {}", model.model_version);
  say("doc_string", model.doc);
  if (!model.metadata.empty()) {
    std::vector<std::pair<std::string, std::string>> pairs(model.metadata.begin(), model.metadata.end());
    out += ",\n  metadata_props: [" +
           list(pairs, [](const auto& p) { return quoted(p.first) + ": " + quoted(p.second); }) + "]";
  }
  return out + "\n>\n" + Printer(model.graph, elements_max).text(model.name);
}

std::string print(const Graph& graph, int64_t elements_max) { return Printer(graph, elements_max).text(""); }

}  // namespace oree
