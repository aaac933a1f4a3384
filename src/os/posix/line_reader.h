// SPDX-License-Identifier: Apache-2.0
// Cuts a stream of bytes into lines, with a bound on each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace oree {

class LineReader {
 public:
  explicit LineReader(size_t line_bytes_max) : max_(line_bytes_max) {}

  void feed(std::string_view bytes, std::vector<std::string>& lines) {
    while (!bytes.empty()) {
      size_t end = bytes.find('\n');
      std::string_view part = bytes.substr(0, end);
      line_.append(part.substr(0, max_ - line_.size()));  // the rest of a line that is too long is dropped
      if (end == std::string_view::npos) return;
      lines.push_back(std::move(line_));
      line_.clear();
      bytes.remove_prefix(end + 1);
    }
  }
  // At the end of the stream: a last line without its newline.
  void finish(std::vector<std::string>& lines) {
    if (!line_.empty()) lines.push_back(std::move(line_));
    line_.clear();
  }

 private:
  size_t max_;
  std::string line_;
};

}  // namespace oree
