// SPDX-License-Identifier: Apache-2.0
// Tables of numbers as text, read a window of rows at a time.
//
// Fields are separated by tabs, semicolons or commas: the first of these, in this order, that the first line has.
// Numbers have a decimal point, and may stand in double quotes. A first line of which a field is no number is a header.
// Empty lines count for nothing. Memory: one window, and some bytes for each.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/codec/read_at.h"

namespace oree {

class CsvFile {
 public:
  // Goes over the file once, to find where windows begin. `rows_for` says how many rows a window has, by the columns
  // of the first row. kInvalid: no row of numbers, or a line longer than kCsvLineBytesMax; kExhausted: too many
  // windows.
  static Result<std::unique_ptr<CsvFile>> open(ByteSource file,
                                               const std::function<Result<int64_t>(int64_t columns)>& rows_for);

  int64_t columns() const { return columns_; }
  int64_t rows() const { return rows_; }
  size_t windows() const { return starts_.size(); }  // a rest of fewer rows is none
  // Row by row. kInvalid names the line that has other columns, or what is no number.
  Result<std::vector<float>> read(size_t window) const;

 private:
  struct Start {
    int64_t offset = 0, line = 0;
  };
  struct Line;
  CsvFile() = default;
  Status take(const Line& line, const std::function<Result<int64_t>(int64_t)>& rows_for);
  Status parse_row(std::string_view text, int64_t line, std::vector<float>& out) const;

  ByteSource file_;
  char separator_ = 0;  // 0: no line was seen
  int64_t columns_ = 0, rows_ = 0, window_rows_ = 0;
  std::vector<Start> starts_;
  int64_t end_ = 0;  // of the last whole window
};

inline constexpr int64_t kCsvLineBytesMax = 1 << 20;
inline constexpr int64_t kCsvWindowBytesMax = 256 << 20;
inline constexpr size_t kCsvWindowsMax = 1 << 20;

}  // namespace oree
