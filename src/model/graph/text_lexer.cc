// SPDX-License-Identifier: Apache-2.0
#include "model/graph/text_lexer.h"

#include <fmt/format.h>

#include <cctype>

#include "core/base/text.h"

namespace oree {
namespace {

bool letter(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void TextLexer::skip() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '#') {
      const size_t end = std::min(text_.find('\n', at_), text_.size());
      std::string_view comment = text_.substr(at_, end - at_);
      if (comment.starts_with("#:")) {
        if (size_t next = comment.find('#', 1); next != std::string_view::npos) comment = comment.substr(0, next);
        notes_.emplace_back(trim(comment.substr(2)));
      }
      at_ = end;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      line_ += c == '\n' ? 1 : 0;
      ++at_;
    } else {
      return;
    }
  }
}

bool TextLexer::at_end() { return peek() == 0; }

char TextLexer::peek() {
  skip();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool TextLexer::take(char c) {
  if (peek() != c) return false;
  ++at_;
  return true;
}

bool TextLexer::take_word(std::string_view word) {
  if (peek_identifier() != word) return false;
  at_ += word.size();
  return true;
}

Status TextLexer::want(std::string_view characters) {
  for (char c : characters) {
    if (!take(c)) return fail(fmt::format("'{}' expected", characters));
  }
  return {};
}

std::string TextLexer::peek_identifier() {
  if (!letter(peek()) || digit(peek())) return "";
  size_t end = at_;
  while (end < text_.size() && letter(text_[end])) ++end;
  return std::string(text_.substr(at_, end - at_));
}

Result<std::string> TextLexer::identifier() {
  std::string word = peek_identifier();
  if (word.empty()) return fail("a name expected");
  at_ += word.size();
  return word;
}

Result<std::string> TextLexer::name() { return peek() == '"' ? string() : identifier(); }

Result<std::string> TextLexer::string() {
  if (!take('"')) return fail("a string expected");
  std::string out;
  for (; at_ < text_.size(); ++at_) {
    if (text_[at_] == '"') {
      ++at_;
      return out;
    }
    if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
    line_ += text_[at_] == '\n' ? 1 : 0;
    out += text_[at_];
  }
  return fail("a string that does not end");
}

Result<std::string_view> TextLexer::number() {
  peek();
  size_t end = at_;
  if (end < text_.size() && text_[end] == '-') ++end;
  for (; end < text_.size(); ++end) {
    const bool sign = (text_[end] == '+' || text_[end] == '-') && (text_[end - 1] == 'e' || text_[end - 1] == 'E');
    if (!letter(text_[end]) && text_[end] != '.' && !sign) break;
  }
  std::string_view out = text_.substr(at_, end - at_);
  if (out.empty() || out == "-") return fail("a number expected");
  at_ = end;
  return out;
}

std::string TextLexer::take_note() {
  if (!has_note()) return "";
  std::string out = std::move(notes_.front());
  notes_.erase(notes_.begin());
  return out;
}

Error TextLexer::fail(const std::string& text) const {
  std::string_view near = text_.substr(std::min(at_, text_.size()), 24);
  return Error(Code::kInvalid, fmt::format("line {}: {}, near '{}'", line_, text, near.substr(0, near.find('\n'))));
}

}  // namespace oree
