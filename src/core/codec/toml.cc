// SPDX-License-Identifier: Apache-2.0
// The parser asserts on some malformed texts ("[}]"), and with NDEBUG it would assume instead. Here its assertions
// are errors of the text: it runs with exceptions, which stay inside this file.
#undef NDEBUG
namespace oree {
struct TomlAssertion {};
[[noreturn]] static void throw_toml_assertion() { throw TomlAssertion(); }
}  // namespace oree
#define TOML_ASSERT(expression) ((expression) ? (void)0 : ::oree::throw_toml_assertion())
#define TOML_EXCEPTIONS 1
#define TOML_MAX_NESTED_VALUES 64
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "core/base/limits.h"
#include "core/codec/json.h"

namespace oree {
namespace {

bool bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '+' || c == ':';
}

// Offset just behind the string that starts at i (text[i] is its quote), or the end of the text.
size_t skip_string(std::string_view text, size_t i) {
  char quote = text[i];
  std::string_view fence = text.substr(i, 3);
  bool many_lines = fence.size() == 3 && fence[1] == quote && fence[2] == quote;
  for (i += many_lines ? 3 : 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (many_lines ? text.substr(i, 3) == fence : text[i] == quote) {
      return i + (many_lines ? 3 : 1);
    } else if (text[i] == '\n' && !many_lines) {
      return i;  // an open string: the parser says so
    }
  }
  return text.size();
}

// Two things that the parser does not survive, looked for outside of strings and comments. It bounds nested values but
// not dotted keys, and frees its tables recursively: "a.a.a.a…" of a megabyte would overflow the stack. And it runs into
// undefined behaviour on some letters beyond ASCII, which TOML 1.0 allows in quoted keys only.
Status check_outside_strings(std::string_view text) {
  int dots = 0;
  bool joined = false;  // a dot came since the last key part
  size_t line = 1;
  auto bad = [&](std::string_view what) { return Error(Code::kInvalid, fmt::format("TOML line {}: {}", line, what)); };
  for (size_t i = text.starts_with("\xef\xbb\xbf") ? 3 : 0; i < text.size();) {
    char c = text[i];
    size_t start = i;
    if (static_cast<unsigned char>(c) >= 0x80) return bad("a character beyond ASCII outside of quotes");
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (c == ' ' || c == '\t') {
      ++i;
    } else if (c == '.') {
      if (++dots > kJsonDepthMax) return bad(fmt::format("a key has more than {} parts", kJsonDepthMax));
      joined = true;
      ++i;
    } else {
      if (!joined) dots = 0;
      joined = false;
      if (c == '"' || c == '\'') {
        i = skip_string(text, i);
        line += static_cast<size_t>(std::count(text.begin() + static_cast<ptrdiff_t>(start),
                                               text.begin() + static_cast<ptrdiff_t>(i), '\n'));
      } else if (bare(c)) {
        while (i < text.size() && bare(text[i])) ++i;
      } else {
        line += c == '\n';
        ++i;
      }
    }
  }
  return {};
}

template <typename T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

Result<Json> convert(const toml::node& node, int depth) {
  if (depth > kJsonDepthMax) {
    return Error(Code::kInvalid, fmt::format("TOML is nested deeper than {} levels", kJsonDepthMax));
  }
  if (const toml::table* table = node.as_table()) {
    Json::Object object;
    for (const auto& [key, value] : *table) {
      OREE_TRY_ASSIGN(Json v, convert(value, depth + 1));
      object.emplace_back(std::string(key.str()), std::move(v));
    }
    return Json(std::move(object));
  }
  if (const toml::array* array = node.as_array()) {
    Json::Array items;
    for (const toml::node& value : *array) {
      OREE_TRY_ASSIGN(Json v, convert(value, depth + 1));
      items.push_back(std::move(v));
    }
    return Json(std::move(items));
  }
  if (const auto* v = node.as_string()) return Json(v->get());
  if (const auto* v = node.as_integer()) return Json(static_cast<int64_t>(v->get()));
  if (const auto* v = node.as_floating_point()) return Json(v->get());
  if (const auto* v = node.as_boolean()) return Json(v->get());
  if (const auto* v = node.as_date()) return Json(printed(v->get()));
  if (const auto* v = node.as_time()) return Json(printed(v->get()));
  if (const auto* v = node.as_date_time()) return Json(printed(v->get()));
  return Json();
}

}  // namespace

Result<Json> parse_toml(std::string_view text) {
  if (text.size() > static_cast<size_t>(kConfigBytesMax)) {
    return Error(Code::kInvalid, fmt::format("TOML of {} bytes is above the limit of {}", text.size(), kConfigBytesMax));
  }
  OREE_TRY(check_outside_strings(text));
  try {
    return convert(toml::parse(text), 0);
  } catch (const toml::parse_error& e) {
    return Error(Code::kInvalid, fmt::format("TOML line {}: {}", e.source().begin.line, e.description()));
  } catch (const TomlAssertion&) {
    return Error(Code::kInvalid, "TOML: malformed");
  }
}

}  // namespace oree
