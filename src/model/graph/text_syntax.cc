// SPDX-License-Identifier: Apache-2.0
#include "model/graph/text_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/limits.h"
#include "model/graph/text_lexer.h"
#include "model/graph/text_types.h"

namespace oree {
namespace {

constexpr int64_t kElementsMax = 1 << 20;  // of a constant: nothing large follows from the few letters of its type

template <typename T>
Result<T> number(TextLexer& in) {
  OREE_TRY_ASSIGN(std::string_view text, in.number());
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return in.fail(fmt::format("'{}' is no number", text));
  return value;
}

bool next_is_type(TextLexer& in) { return dtype_from_text(in.peek_identifier()).has_value(); }

// float[N,4], float[] for any rank, float for a scalar.
Status parse_type(TextLexer& in, TextValue& out) {
  OREE_TRY_ASSIGN(std::string word, in.identifier());
  out.dtype = dtype_from_text(word);
  if (!out.dtype) return in.fail(fmt::format("'{}' is no type", word));
  out.dims.emplace();
  if (!in.take('[')) return {};
  if (in.take(']')) {
    out.dims.reset();
    return {};
  }
  do {
    if (in.take('?')) {
      out.dims->emplace_back();
    } else if (in.peek() == '"' || !in.peek_identifier().empty()) {
      OREE_TRY_ASSIGN(std::string symbol, in.name());
      out.dims->emplace_back(std::move(symbol));
    } else {
      OREE_TRY_ASSIGN(int64_t n, number<int64_t>(in));
      if (n < 0) return in.fail("a dimension below 0");
      out.dims->emplace_back(n);
    }
  } while (in.take(','));
  return in.want("]");
}

template <typename T>
Status read_elements(TextLexer& in, Tensor& out) {
  for (T& v : out.as<T>()) {
    if (&v != out.as<T>().data()) OREE_TRY(in.want(","));
    OREE_TRY_ASSIGN(v, number<T>(in));
  }
  return {};
}

Status read_nibbles(TextLexer& in, Tensor& out) {
  for (int64_t i = 0; i < out.elements(); ++i) {
    if (i > 0) OREE_TRY(in.want(","));
    OREE_TRY_ASSIGN(int64_t v, number<int64_t>(in));
    if (v < -8 || v > 15) return in.fail("a number of 4 bits expected");
    out.data()[i / 2] |= static_cast<uint8_t>((v & 15) << (i % 2 * 4));
  }
  return {};
}

Status read_elements(TextLexer& in, Tensor& out) {
  switch (out.dtype()) {
    case Dtype::kFloat32: return read_elements<float>(in, out);
    case Dtype::kFloat64: return read_elements<double>(in, out);
    case Dtype::kFloat16:
    case Dtype::kBfloat16:
    case Dtype::kUint16: return read_elements<uint16_t>(in, out);
    case Dtype::kInt8: return read_elements<int8_t>(in, out);
    case Dtype::kBool:
    case Dtype::kUint8: return read_elements<uint8_t>(in, out);
    case Dtype::kInt16: return read_elements<int16_t>(in, out);
    case Dtype::kInt32: return read_elements<int32_t>(in, out);
    case Dtype::kUint32: return read_elements<uint32_t>(in, out);
    case Dtype::kInt64: return read_elements<int64_t>(in, out);
    case Dtype::kUint64: return read_elements<uint64_t>(in, out);
    case Dtype::kInt4:
    case Dtype::kUint4: return read_nibbles(in, out);
  }
  return in.fail("a type without elements");
}

// {1.0, 2.0}, or "zeros" in comments of ours, behind the type.
Status parse_elements(TextLexer& in, TextValue& out) {
  std::optional<Shape> shape = out.dims ? known_shape(*out.dims) : std::nullopt;
  if (!shape) return in.fail("elements of a shape that is not known");
  OREE_TRY_ASSIGN(int64_t count, shape_elements(*shape));
  const bool zeros = in.take_word("zeros");
  if (count > kElementsMax) return in.fail("too many elements for a text");
  Tensor t(*out.dtype, *shape);
  if (!zeros) {
    OREE_TRY(in.want("{"));
    OREE_TRY(read_elements(in, t));
    OREE_TRY(in.want("}"));
  }
  out.constant = Constant(std::move(t));
  return {};
}

// " axis 0 scale 0.5 0.25 zero 0 0"
Status parse_quantization(TextLexer& in, TextValue& out) {
  Quantization q;
  if (in.take_word("axis")) {
    OREE_TRY_ASSIGN(q.axis, number<int>(in));
  } else if (in.peek_identifier() != "scale") {
    return {};
  }
  if (!in.take_word("scale")) return in.fail("'scale' expected");
  while (!in.take_word("zero")) {
    OREE_TRY_ASSIGN(float scale, number<float>(in));
    q.scales.push_back(scale);
  }
  for (size_t i = 0; i < q.scales.size(); ++i) {
    OREE_TRY_ASSIGN(int64_t zero, number<int64_t>(in));
    q.zero_points.push_back(zero);
  }
  out.quantization = std::move(q);
  return {};
}

// "float[1]; int8[2] scale 0.5 zero 0; ?"
Result<std::vector<TextValue>> parse_types(const std::string& note) {
  TextLexer in(note);
  std::vector<TextValue> out;
  while (!in.at_end()) {
    TextValue& v = out.emplace_back();
    if (!in.take('?')) {
      OREE_TRY(parse_type(in, v));
      OREE_TRY(parse_quantization(in, v));
    }
    if (!in.at_end()) OREE_TRY(in.want(";"));
  }
  return out;
}

// Type? name ('=' elements)?, and the note behind it.
Status parse_values(TextLexer& in, char open, char close, std::vector<TextValue>& out) {
  OREE_TRY(in.want({&open, 1}));
  if (in.take(close)) return {};
  bool more = true;
  while (more) {
    TextValue& v = out.emplace_back();
    if (next_is_type(in)) OREE_TRY(parse_type(in, v));
    OREE_TRY_ASSIGN(v.name, in.name());
    if (in.take('=')) OREE_TRY(parse_elements(in, v));
    more = in.take(',');
    if (std::string note = in.take_note(); !note.empty()) {
      OREE_TRY_ASSIGN(std::vector<TextValue> types, parse_types(note));
      if (types.size() == 1) v.quantization = types[0].quantization;
    }
  }
  return in.want({&close, 1});
}

Result<std::vector<std::string>> parse_names(TextLexer& in, char end) {
  std::vector<std::string> out;
  if (in.peek() == end) return out;
  do {
    OREE_TRY_ASSIGN(std::string name, in.name());
    out.push_back(std::move(name));
  } while (in.take(','));
  return out;
}

// A number is a float when it is written as one.
Result<Attribute> parse_scalar(TextLexer& in, bool real) {
  if (in.peek() == '"') {
    OREE_TRY_ASSIGN(std::string text, in.string());
    return Attribute(std::move(text));
  }
  OREE_TRY_ASSIGN(std::string_view text, in.number());
  TextLexer again(text);
  if (real || text.find_first_of(".en") != std::string_view::npos) {
    OREE_TRY_ASSIGN(float v, number<float>(again));
    return Attribute(v);
  }
  OREE_TRY_ASSIGN(int64_t v, number<int64_t>(again));
  return Attribute(v);
}

template <typename T>
Result<Attribute> parse_list_of(TextLexer& in, bool real) {
  std::vector<T> out;
  while (in.peek() != ']') {
    OREE_TRY_ASSIGN(Attribute one, parse_scalar(in, real));
    if (!std::holds_alternative<T>(one)) return in.fail("a list of one type expected");
    out.push_back(std::get<T>(std::move(one)));
    if (!in.take(',')) break;
  }
  OREE_TRY(in.want("]"));
  return Attribute(std::move(out));
}

// An empty list says by `kind` of what it is one; others say it by their first element.
Result<Attribute> parse_list(TextLexer& in, const std::string& kind) {
  OREE_TRY(in.want("["));
  if (kind == "strings" || in.peek() == '"') return parse_list_of<std::string>(in, false);
  if (kind == "floats") return parse_list_of<float>(in, true);
  TextLexer ahead = in;
  Result<Attribute> first = parse_scalar(ahead, false);
  if (first.ok() && std::holds_alternative<float>(*first)) return parse_list_of<float>(in, false);
  return parse_list_of<int64_t>(in, false);
}

Status parse_graph(TextLexer& in, TextGraph& out, int depth, std::vector<TextState>* states);

// name (':' kind)? '=' a number, a string, a list, a tensor or a graph
Status parse_attribute(TextLexer& in, TextNode& node, int depth) {
  OREE_TRY_ASSIGN(std::string name, in.identifier());
  std::string kind;
  if (in.take(':')) {
    OREE_TRY_ASSIGN(kind, in.identifier());
  }
  OREE_TRY(in.want("="));
  const std::string word = in.peek_identifier();
  if (in.peek() == '[') {
    OREE_TRY_ASSIGN(Attribute list, parse_list(in, kind));
    node.attributes.insert_or_assign(std::move(name), std::move(list));
  } else if (next_is_type(in)) {
    TextValue tensor;
    OREE_TRY(parse_type(in, tensor));
    (void)in.take('=');
    OREE_TRY(parse_elements(in, tensor));
    node.attributes.insert_or_assign(std::move(name), *std::move(tensor.constant));
  } else if (!word.empty() && word != "inf" && word != "nan") {
    auto body = std::make_unique<TextGraph>();
    OREE_TRY(parse_graph(in, *body, depth + 1, nullptr));
    node.bodies.emplace_back(std::move(name), std::move(body));
  } else {
    OREE_TRY_ASSIGN(Attribute one, parse_scalar(in, kind == "float"));
    node.attributes.insert_or_assign(std::move(name), std::move(one));
  }
  return {};
}

Status parse_attributes(TextLexer& in, TextNode& node, int depth) {
  if (!in.take('<')) return {};
  do {
    OREE_TRY(parse_attribute(in, node, depth));
  } while (in.take(','));
  return in.want(">");
}

// ('[' label ']')? outputs '=' domain.op attributes '(' inputs ')' attributes
Status parse_node(TextLexer& in, TextNode& node, int depth) {
  node.line = in.line();
  if (in.take('[')) {
    OREE_TRY_ASSIGN(node.label, in.name());
    OREE_TRY(in.want("]"));
  }
  OREE_TRY_ASSIGN(node.outputs, parse_names(in, '='));
  OREE_TRY(in.want("="));
  OREE_TRY_ASSIGN(node.op, in.identifier());
  while (in.take('.')) {
    node.domain += (node.domain.empty() ? "" : ".") + node.op;
    OREE_TRY_ASSIGN(node.op, in.identifier());
  }
  OREE_TRY(parse_attributes(in, node, depth));
  OREE_TRY(in.want("("));
  OREE_TRY_ASSIGN(node.inputs, parse_names(in, ')'));
  OREE_TRY(in.want(")"));
  OREE_TRY(parse_attributes(in, node, depth));
  if (in.has_note() && !in.first_note().starts_with("state ")) {
    OREE_TRY_ASSIGN(node.types, parse_types(in.take_note()));
    if (node.types.size() > node.outputs.size()) return in.fail("more types than outputs");
  }
  return {};
}

// state name input -> output = type elements quantization
Result<TextState> parse_state(const std::string& note) {
  TextLexer in(note);
  TextState out;
  (void)in.take_word("state");
  OREE_TRY_ASSIGN(out.name, in.name());
  OREE_TRY_ASSIGN(out.input, in.name());
  OREE_TRY(in.want("->"));
  OREE_TRY_ASSIGN(out.output, in.name());
  OREE_TRY(in.want("="));
  OREE_TRY(parse_type(in, out.initial));
  OREE_TRY(parse_elements(in, out.initial));
  OREE_TRY(parse_quantization(in, out.initial));
  return out;
}

Status parse_graph(TextLexer& in, TextGraph& out, int depth, std::vector<TextState>* states) {
  if (depth > kModelNestingMax) return in.fail("bodies lie too deep");
  OREE_TRY_ASSIGN(out.name, in.name());
  OREE_TRY(parse_values(in, '(', ')', out.inputs));
  OREE_TRY(in.want("=>"));
  OREE_TRY(parse_values(in, '(', ')', out.outputs));
  if (in.peek() == '<') OREE_TRY(parse_values(in, '<', '>', out.values));
  OREE_TRY(in.want("{"));
  while (in.peek() != '}') OREE_TRY(parse_node(in, out.nodes.emplace_back(), depth));
  while (states != nullptr && in.has_note()) {
    OREE_TRY_ASSIGN(TextState state, parse_state(in.take_note()));
    states->push_back(std::move(state));
  }
  return in.want("}");
}

Status parse_opsets(TextLexer& in, Model& model) {
  OREE_TRY(in.want("["));
  do {
    OREE_TRY_ASSIGN(std::string domain, in.string());
    OREE_TRY(in.want(":"));
    OREE_TRY_ASSIGN(int64_t version, number<int64_t>(in));
    if (!domain.empty() && domain != "ai.onnx") model.custom_opsets[domain] = version;
  } while (in.take(','));
  return in.want("]");
}

Status parse_metadata(TextLexer& in, Model& model) {
  OREE_TRY(in.want("["));
  do {
    OREE_TRY_ASSIGN(std::string key, in.string());
    OREE_TRY(in.want(":"));
    OREE_TRY_ASSIGN(model.metadata[key], in.string());
  } while (in.take(','));
  return in.want("]");
}

Status parse_header(TextLexer& in, Model& model) {
  do {
    OREE_TRY_ASSIGN(std::string key, in.identifier());
    OREE_TRY(in.want(":"));
    const std::pair<std::string_view, std::string*> texts[] = {{"producer_name", &model.producer},
                                                               {"producer_version", &model.producer_version},
                                                               {"domain", &model.domain},
                                                               {"doc_string", &model.doc}};
    auto text = std::find_if(std::begin(texts), std::end(texts), [&](const auto& t) { return t.first == key; });
    if (text != std::end(texts)) {
      OREE_TRY_ASSIGN(*text->second, in.string());
    } else if (key == "ir_version") {
      OREE_TRY(number<int64_t>(in));
    } else if (key == "model_version") {
      OREE_TRY_ASSIGN(model.model_version, number<int64_t>(in));
    } else if (key == "opset_import") {
      OREE_TRY(parse_opsets(in, model));
    } else if (key == "metadata_props") {
      OREE_TRY(parse_metadata(in, model));
    } else {
      return in.fail(fmt::format("'{}' is nothing that a header has", key));
    }
  } while (in.take(','));
  return in.want(">");
}

}  // namespace

Result<TextModel> parse_text_syntax(std::string_view text) {
  TextLexer in(text);
  TextModel out;
  if (in.take('<')) OREE_TRY(parse_header(in, out.model));
  OREE_TRY(parse_graph(in, out.graph, 1, &out.states));
  if (!in.at_end()) return in.fail("the end expected");
  out.model.name = out.graph.name == "main" ? "" : out.graph.name;
  return out;
}

}  // namespace oree
