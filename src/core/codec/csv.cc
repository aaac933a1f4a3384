// SPDX-License-Identifier: Apache-2.0
#include "core/codec/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/base/text.h"

namespace oree {

struct CsvFile::Line {
  std::string_view text;
  int64_t offset = 0;  // in the file
  int64_t end = 0;     // behind its line feed
  int64_t number = 0;  // from 1
};

namespace {

constexpr int64_t kPieceBytes = 256 << 10;

Error bad(std::string_view what) { return Error(Code::kInvalid, fmt::format("csv: {}", what)); }

std::optional<float> number_of(std::string_view field) {
  field = trim(field);
  if (field.size() >= 2 && field.front() == '"' && field.back() == '"') field = trim(field.substr(1, field.size() - 2));
  if (field.starts_with('+') && !field.starts_with("+-")) field.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return static_cast<float>(value);
}

// Calls `each` with every field until it says no.
template <typename Each>
void for_fields(std::string_view text, char separator, Each each) {
  for (;;) {
    size_t at = text.find(separator);
    if (!each(text.substr(0, at)) || at == std::string_view::npos) return;
    text.remove_prefix(at + 1);
  }
}

int64_t count_fields(std::string_view text, char separator) {
  return 1 + std::count(text.begin(), text.end(), separator);
}

std::string shortened(std::string_view field) {
  constexpr size_t kShown = 32;
  return utf8_text(field.substr(0, kShown)) + (field.size() > kShown ? "…" : "");
}

}  // namespace

Status CsvFile::take(const Line& line, const std::function<Result<int64_t>(int64_t)>& rows_for) {
  std::string_view text = trim(line.text);
  if (text.empty()) return {};
  if (separator_ == 0) {
    auto has = [&](char c) { return line.text.find(c) != std::string_view::npos; };
    separator_ = has('\t') ? '\t' : has(';') ? ';' : ',';
    bool numbers = true;
    for_fields(line.text, separator_, [&](std::string_view field) { return numbers = number_of(field).has_value(); });
    if (!numbers) return {};  // a header
  }
  if (window_rows_ == 0) {
    columns_ = count_fields(line.text, separator_);
    OREE_TRY_ASSIGN(window_rows_, rows_for(columns_));
    OREE_ASSERT(window_rows_ > 0);
  }
  if (rows_ % window_rows_ == 0) {
    if (starts_.size() > kCsvWindowsMax)
      return Error(Code::kExhausted, fmt::format("csv: more than {} samples", kCsvWindowsMax));
    starts_.push_back({line.offset, line.number});
  }
  ++rows_;
  if (rows_ % window_rows_ == 0) end_ = line.end;
  return {};
}

Result<std::unique_ptr<CsvFile>> CsvFile::open(ByteSource file,
                                               const std::function<Result<int64_t>(int64_t columns)>& rows_for) {
  std::unique_ptr<CsvFile> csv(new CsvFile);
  csv->file_ = std::move(file);
  Bytes pending;                  // from the start of a line on
  int64_t start = 0, number = 0;  // of `pending` in the file; of the lines that were taken
  bool ended = false;
  while (!ended) {
    int64_t at = start + static_cast<int64_t>(pending.size());
    OREE_TRY_ASSIGN(Bytes piece, csv->file_.read_at(at, kPieceBytes));
    ended = piece.empty();
    pending.insert(pending.end(), piece.begin(), piece.end());
    std::string_view rest = as_text(pending);
    if (start == 0 && number == 0 && rest.starts_with("\xef\xbb\xbf")) {  // a byte order mark
      start = 3;
      rest.remove_prefix(3);
    }
    while (!rest.empty()) {
      size_t feed = rest.find('\n');
      if (feed == std::string_view::npos && !ended) break;
      size_t length = std::min(feed, rest.size()), with_feed = std::min(length + 1, rest.size());
      int64_t end = start + static_cast<int64_t>(with_feed);
      OREE_TRY(csv->take({rest.substr(0, length), start, end, ++number}, rows_for));
      start = end;
      rest.remove_prefix(with_feed);
    }
    pending.erase(pending.begin(), pending.end() - static_cast<ptrdiff_t>(rest.size()));
    if (static_cast<int64_t>(pending.size()) > kCsvLineBytesMax)
      return bad(fmt::format("line {} is longer than {} bytes", number + 1, kCsvLineBytesMax));
  }
  if (csv->rows_ == 0) return bad("no row of numbers");
  if (csv->rows_ % csv->window_rows_ != 0) csv->starts_.pop_back();
  if (csv->starts_.size() > kCsvWindowsMax)
    return Error(Code::kExhausted, fmt::format("csv: more than {} samples", kCsvWindowsMax));
  return csv;
}

Status CsvFile::parse_row(std::string_view text, int64_t line, std::vector<float>& out) const {
  int64_t found = count_fields(text, separator_);
  if (found != columns_) return bad(fmt::format("line {}: expected {} numbers, found {}", line, columns_, found));
  Status status;
  for_fields(text, separator_, [&](std::string_view field) {
    std::optional<float> number = number_of(field);
    if (number) out.push_back(*number);
    if (!number) status = bad(fmt::format("line {}: expected a number, found '{}'", line, shortened(trim(field))));
    return number.has_value();
  });
  return status;
}

Result<std::vector<float>> CsvFile::read(size_t window) const {
  OREE_ASSERT(window < starts_.size());
  int64_t begin = starts_[window].offset, line = starts_[window].line;
  int64_t size = (window + 1 < starts_.size() ? starts_[window + 1].offset : end_) - begin;
  if (size > kCsvWindowBytesMax)
    return Error(Code::kExhausted, fmt::format("csv: {} bytes of text for one sample", size));
  OREE_TRY_ASSIGN(Bytes bytes, file_.read_at(begin, size));
  std::vector<float> out;
  std::string_view rest = as_text(bytes);
  for (; !rest.empty(); ++line) {
    size_t length = std::min(rest.find('\n'), rest.size());
    std::string_view text = rest.substr(0, length);
    if (!trim(text).empty()) OREE_TRY(parse_row(text, line, out));
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  if (static_cast<int64_t>(out.size()) != window_rows_ * columns_) return bad("file changed while it was read");
  return out;
}

}  // namespace oree
