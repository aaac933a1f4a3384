// SPDX-License-Identifier: Apache-2.0
// Names, numbers and strings of a graph as text. Internal to model/graph.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace oree {

class TextLexer {
 public:
  explicit TextLexer(std::string_view text) : text_(text) {}

  bool at_end();
  char peek();        // the next character that is no space and in no comment; 0 at the end
  bool take(char c);  // skips it if it is next
  bool take_word(std::string_view word);
  Status want(std::string_view characters);
  std::string peek_identifier();  // "": none
  Result<std::string> identifier();
  Result<std::string> name();         // an identifier or a string
  Result<std::string> string();       // in quotes
  Result<std::string_view> number();  // as it stands: "-1", "1e-05", "inf"
  std::string take_note();            // of the "#:" comments skipped so far, the first; "": none
  bool has_note() { return peek(), !notes_.empty(); }
  const std::string& first_note() const { return notes_.front(); }
  int line() const { return line_; }
  Error fail(const std::string& text) const;

 private:
  void skip();

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<std::string> notes_;
};

}  // namespace oree
