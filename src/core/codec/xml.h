// SPDX-License-Identifier: Apache-2.0
// Bounded pull scanner for the plain XML that tools write (OpenVINO IR): elements, attributes, text, the five named and
// the numeric entities. Comments and processing instructions are skipped; a DOCTYPE is refused, so nothing expands.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace oree {

struct XmlEvent {
  enum class Kind { kOpen, kClose, kText, kEnd };
  Kind kind = Kind::kEnd;
  std::string_view name;  // kOpen, kClose
  std::string text;       // kText, entities decoded; white space alone is not reported
  std::vector<std::pair<std::string_view, std::string>> attributes;  // kOpen

  const std::string* find(std::string_view attribute) const;  // nullptr when absent
};

class XmlReader {
 public:
  explicit XmlReader(std::string_view document) : text_(document) {}
  // Every kOpen has its kClose, an empty element too. kInvalid, with the byte offset, on anything malformed,
  // nesting over 64, and a document that ends early.
  Status next(XmlEvent& event);

 private:
  Error broken(const char* what) const;
  Status open_tag(XmlEvent& event);
  Status close_tag(XmlEvent& event);
  Result<std::string> decode(std::string_view raw) const;
  std::string_view name();
  void skip_space();

  std::string_view text_;
  size_t at_ = 0;
  std::vector<std::string_view> open_;
  bool seen_root_ = false;
  bool pending_close_ = false;
};

}  // namespace oree
