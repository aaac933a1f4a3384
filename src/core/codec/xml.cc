// SPDX-License-Identifier: Apache-2.0
#include "core/codec/xml.h"

#include <fmt/format.h>

#include <charconv>

namespace oree {
namespace {

constexpr size_t kDepthMax = 64;
constexpr size_t kAttributesMax = 256;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == ':' || c == '.' || static_cast<unsigned char>(c) >= 0x80;
}

void append_utf8(std::string& out, uint32_t c) {
  auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

}  // namespace

const std::string* XmlEvent::find(std::string_view attribute) const {
  for (const auto& [key, value] : attributes) {
    if (key == attribute) return &value;
  }
  return nullptr;
}

Error XmlReader::broken(const char* what) const {
  return Error(Code::kInvalid, fmt::format("XML at byte {}: {}", at_, what));
}

void XmlReader::skip_space() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
}

std::string_view XmlReader::name() {
  size_t begin = at_;
  while (at_ < text_.size() && is_name(text_[at_])) ++at_;
  return text_.substr(begin, at_ - begin);
}

Result<std::string> XmlReader::decode(std::string_view raw) const {
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '&') {
      out += raw[i];
      continue;
    }
    size_t end = raw.find(';', i);
    if (end == std::string_view::npos || end - i > 12) return broken("an entity without its ';'");
    std::string_view entity = raw.substr(i + 1, end - i - 1);
    i = end;
    if (entity == "lt") {
      out += '<';
    } else if (entity == "gt") {
      out += '>';
    } else if (entity == "amp") {
      out += '&';
    } else if (entity == "quot") {
      out += '"';
    } else if (entity == "apos") {
      out += '\'';
    } else if (entity.size() > 1 && entity[0] == '#') {
      bool hex = entity[1] == 'x';
      std::string_view digits = entity.substr(hex ? 2 : 1);
      uint32_t c = 0;
      auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), c, hex ? 16 : 10);
      if (error != std::errc() || stop != digits.data() + digits.size() || c == 0 || c > 0x10ffff) {
        return broken("a numeric entity out of range");
      }
      append_utf8(out, c);
    } else {
      return broken("an unknown entity");
    }
  }
  return out;
}

Status XmlReader::open_tag(XmlEvent& event) {
  event.kind = XmlEvent::Kind::kOpen;
  event.name = name();
  if (event.name.empty()) return broken("a tag without a name");
  if (open_.empty() && seen_root_) return broken("a second root element");
  if (open_.size() >= kDepthMax) return broken("elements nested too deeply");
  seen_root_ = true;
  for (;;) {
    skip_space();
    if (at_ >= text_.size()) return broken("the document ends inside a tag");
    if (text_[at_] == '>') {
      ++at_;
      break;
    }
    if (text_.substr(at_, 2) == "/>") {
      at_ += 2;
      pending_close_ = true;
      break;
    }
    std::string_view key = name();
    skip_space();
    if (key.empty() || at_ >= text_.size() || text_[at_] != '=') return broken("a malformed attribute");
    ++at_;
    skip_space();
    if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '\'')) return broken("an attribute without quotes");
    size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return broken("an attribute without its closing quote");
    if (event.attributes.size() >= kAttributesMax) return broken("too many attributes");
    OREE_TRY_ASSIGN(std::string value, decode(text_.substr(at_ + 1, end - at_ - 1)));
    at_ = end + 1;
    event.attributes.emplace_back(key, std::move(value));
  }
  open_.push_back(event.name);
  return {};
}

Status XmlReader::close_tag(XmlEvent& event) {
  event.kind = XmlEvent::Kind::kClose;
  event.name = name();
  skip_space();
  if (open_.empty() || open_.back() != event.name) return broken("a closing tag that closes nothing");
  if (at_ >= text_.size() || text_[at_] != '>') return broken("a malformed closing tag");
  ++at_;
  open_.pop_back();
  return {};
}

Status XmlReader::next(XmlEvent& event) {
  event = XmlEvent{};
  if (pending_close_) {
    pending_close_ = false;
    event.kind = XmlEvent::Kind::kClose;
    event.name = open_.back();
    open_.pop_back();
    return {};
  }
  for (;;) {
    if (at_ >= text_.size()) {
      if (!open_.empty() || !seen_root_) return broken("the document ends early");
      return {};
    }
    if (text_[at_] != '<') {
      size_t end = std::min(text_.find('<', at_), text_.size());
      std::string_view raw = text_.substr(at_, end - at_);
      bool blank = raw.find_first_not_of(" \t\r\n") == std::string_view::npos;
      if (!blank && open_.empty() && raw != "\xef\xbb\xbf") return broken("text outside of the root element");
      if (!blank && !open_.empty()) {
        event.kind = XmlEvent::Kind::kText;
        OREE_TRY_ASSIGN(event.text, decode(raw));
        at_ = end;
        return {};
      }
      at_ = end;
      continue;
    }
    bool comment = text_.substr(at_, 4) == "<!--";
    if (comment || text_.substr(at_, 2) == "<?") {
      size_t end = text_.find(comment ? "-->" : "?>", at_ + (comment ? 4 : 2));
      if (end == std::string_view::npos) return broken("a comment or instruction without its end");
      at_ = end + (comment ? 3 : 2);
      continue;
    }
    if (text_.substr(at_, 2) == "<!") return broken("a DOCTYPE or CDATA section, which is not read");
    if (text_.substr(at_, 2) == "</") {
      at_ += 2;
      return close_tag(event);
    }
    ++at_;
    return open_tag(event);
  }
}

}  // namespace oree
