// SPDX-License-Identifier: Apache-2.0
#include "core/codec/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

const Json kNull;

// Length of the valid UTF-8 sequence that starts at i, 0 when there is none (overlong forms, surrogates, > U+10FFFF).
size_t utf8_length(std::string_view s, size_t i) {
  auto byte = [&](size_t k) { return i + k < s.size() ? static_cast<unsigned char>(s[i + k]) : 0u; };
  auto tail = [&](size_t k) { return (byte(k) & 0xc0) == 0x80; };
  unsigned a = byte(0);
  if (a < 0x80) return 1;
  if (a >= 0xc2 && a <= 0xdf) return tail(1) ? 2 : 0;
  if (a >= 0xe0 && a <= 0xef) {
    if (!tail(1) || !tail(2) || (a == 0xe0 && byte(1) < 0xa0) || (a == 0xed && byte(1) > 0x9f)) return 0;
    return 3;
  }
  if (a >= 0xf0 && a <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3) || (a == 0xf0 && byte(1) < 0x90) || (a == 0xf4 && byte(1) > 0x8f)) return 0;
    return 4;
  }
  return 0;
}

void write_string(std::string& out, std::string_view s) {
  out += '"';
  for (size_t i = 0; i < s.size();) {
    auto c = static_cast<unsigned char>(s[i]);
    if (c >= 0x80) {
      size_t n = utf8_length(s, i);
      out += n > 0 ? s.substr(i, n) : std::string_view("\xef\xbf\xbd");
      i += std::max<size_t>(n, 1);
      continue;
    }
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (c < 0x20 || c == 0x7f) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
        } else {
          out += static_cast<char>(c);
        }
    }
    ++i;
  }
  out += '"';
}

void write_double(std::string& out, double v) {
  if (!std::isfinite(v)) {
    out += "null";
    return;
  }
  std::string text = fmt::format("{}", v);  // the shortest text that reads back as v
  out += text;
  if (text.find_first_of(".e") == std::string::npos) out += ".0";
}

void write_value(std::string& out, const Json& v, int indent, int depth) {
  auto line = [&](int d) {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<size_t>(indent) * static_cast<size_t>(d), ' ');
  };
  if (v.is_array()) {
    out += '[';
    for (size_t i = 0; i < v.items().size(); ++i) {
      if (i > 0) out += ',';
      line(depth + 1);
      write_value(out, v.items()[i], indent, depth + 1);
    }
    if (!v.items().empty()) line(depth);
    out += ']';
  } else if (v.is_object()) {
    out += '{';
    for (size_t i = 0; i < v.members().size(); ++i) {
      if (i > 0) out += ',';
      line(depth + 1);
      write_string(out, v.members()[i].first);
      out += indent < 0 ? ":" : ": ";
      write_value(out, v.members()[i].second, indent, depth + 1);
    }
    if (!v.members().empty()) line(depth);
    out += '}';
  } else if (v.is_string()) {
    write_string(out, v.as_string());
  } else if (v.is_int()) {
    fmt::format_to(std::back_inserter(out), "{}", v.as_int());
  } else if (v.is_number()) {
    write_double(out, v.as_double());
  } else {
    out += v.is_bool() ? (v.as_bool() ? "true" : "false") : "null";
  }
}

// A double that holds an integer exactly, within int64.
bool integral(double d) { return d >= -0x1p63 && d < 0x1p63 && d == std::floor(d); }

}  // namespace

bool Json::is_integral() const {
  const double* d = std::get_if<double>(&v_);
  return is_int() || (d && integral(*d));
}

bool Json::as_bool(bool otherwise) const {
  const bool* v = std::get_if<bool>(&v_);
  return v ? *v : otherwise;
}

int64_t Json::as_int(int64_t otherwise) const {
  if (const int64_t* v = std::get_if<int64_t>(&v_)) return *v;
  const double* d = std::get_if<double>(&v_);
  return d && integral(*d) ? static_cast<int64_t>(*d) : otherwise;
}

double Json::as_double(double otherwise) const {
  if (const double* v = std::get_if<double>(&v_)) return *v;
  const int64_t* i = std::get_if<int64_t>(&v_);
  return i ? static_cast<double>(*i) : otherwise;
}

const std::string& Json::as_string() const {
  static const std::string empty;
  const std::string* v = std::get_if<std::string>(&v_);
  return v ? *v : empty;
}

const Json::Array& Json::items() const {
  static const Array empty;
  const Array* v = std::get_if<Array>(&v_);
  return v ? *v : empty;
}

const Json::Object& Json::members() const {
  static const Object empty;
  const Object* v = std::get_if<Object>(&v_);
  return v ? *v : empty;
}

const Json* Json::find(std::string_view key) const {
  for (const Member& m : members()) {
    if (m.first == key) return &m.second;
  }
  return nullptr;
}

const Json& Json::operator[](std::string_view key) const {
  const Json* v = find(key);
  return v ? *v : kNull;
}

Json& Json::set(std::string_view key, Json value) {
  if (is_null()) v_ = Object{};
  OREE_ASSERT(is_object());
  Object& object = std::get<Object>(v_);
  for (Member& m : object) {
    if (m.first == key) {
      m.second = std::move(value);
      return *this;
    }
  }
  object.emplace_back(std::string(key), std::move(value));
  return *this;
}

Json& Json::push(Json value) {
  if (is_null()) v_ = Array{};
  OREE_ASSERT(is_array());
  std::get<Array>(v_).push_back(std::move(value));
  return *this;
}

std::string Json::dump(int indent) const {
  std::string out;
  write_value(out, *this, indent, 0);
  return out;
}

}  // namespace oree
