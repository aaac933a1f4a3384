// SPDX-License-Identifier: Apache-2.0
#include "core/base/text.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"

namespace oree {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_number(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

// Numbers of any length as text: no overflow on a version that nobody should have written.
int compare_numbers(std::string_view a, std::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

int compare_part(std::string_view a, std::string_view b) {
  bool na = is_number(a);
  bool nb = is_number(b);
  if (na && nb) return compare_numbers(a, b);
  if (na != nb) return na ? -1 : 1;  // semver 11.4.3: numeric identifiers are lower
  return a.compare(b);
}

// `fill` stands for the parts that the shorter text lacks; without it the shorter one is lower.
int compare_parts(std::string_view a, std::string_view b, std::string_view fill) {
  std::vector<std::string> pa = split(a, '.');
  std::vector<std::string> pb = split(b, '.');
  for (size_t i = 0; i < std::max(pa.size(), pb.size()); ++i) {
    if (fill.empty() && (i >= pa.size() || i >= pb.size())) return i >= pa.size() ? -1 : 1;
    int c = compare_part(i < pa.size() ? pa[i] : fill, i < pb.size() ? pb[i] : fill);
    if (c != 0) return c;
  }
  return 0;
}

// Columns on the screen, near enough: one a code point.
size_t width(std::string_view text) {
  size_t n = 0;
  for (char c : text) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return n;
}

}  // namespace

Status check_name(std::string_view text, std::string_view what) {
  if (text.empty()) return Error(Code::kInvalid, fmt::format("{} is empty", what));
  if (text.size() > static_cast<size_t>(kNameCharsMax)) {
    return Error(Code::kInvalid,
                 fmt::format("{} has {} characters; the limit is {}", what, text.size(), kNameCharsMax));
  }
  if (!is_letter(text[0]) && !is_digit(text[0])) {
    return Error(Code::kInvalid, fmt::format("{} must start with a letter or a digit", what));
  }
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (!is_letter(c) && !is_digit(c) && c != '.' && c != '_' && c != '-') {
      return Error(Code::kInvalid,
                   fmt::format("{} has a character that is none of A-Z a-z 0-9 . _ - at offset {}", what, i));
    }
  }
  return {};
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> out;
  for (;;) {
    size_t end = text.find(separator);
    out.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string human_bytes(int64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes > -1024 && bytes < 1024) return fmt::format("{} B", bytes);
  double v = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  // 1023.95 would print as "1024.0": the next unit says it better.
  while ((v >= 1023.95 || v <= -1023.95) && unit < 5) {
    v /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", v, kUnits[unit]);
}

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

namespace {

// Bytes of the character that begins here; 0: none does, or XML does not have it.
size_t character_bytes(std::string_view s) {
  auto byte = [&](size_t i) { return i < s.size() ? static_cast<uint32_t>(static_cast<uint8_t>(s[i])) : 0U; };
  const uint32_t first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  const size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  uint32_t code = first & (0xffU >> (n + 1));
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool bad =
      code < kLeast[n] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff || (code & 0xfffe) == 0xfffe;
  return bad ? 0 : n;
}

}  // namespace

std::string utf8_text(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t n = character_bytes(bytes);
    out += n == 0 ? std::string_view("\xef\xbf\xbd") : bytes.substr(0, n);
    bytes.remove_prefix(std::max<size_t>(n, 1));
  }
  return out;
}

std::string xml_escape(std::string_view text) { return html_escape(utf8_text(text)); }

std::string utc_text(int64_t unix_ms) {
  constexpr int64_t kDayMs = 86'400'000;
  int64_t day = unix_ms / kDayMs;
  int64_t ms = unix_ms % kDayMs;
  if (ms < 0) {
    ms += kDayMs;
    --day;
  }
  // Days to a civil date, proleptic Gregorian, with years that begin in March: the leap day comes last.
  int64_t z = day + 719'468;  // since 0000-03-01
  int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  int64_t doe = z - era * 146'097;
  int64_t yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  int64_t month = mp < 10 ? mp + 3 : mp - 9;
  int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", year, month, doy - (153 * mp + 2) / 5 + 1,
                     ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

int compare_versions(std::string_view a, std::string_view b) {
  // Build metadata has no precedence (semver 10).
  a = a.substr(0, a.find('+'));
  b = b.substr(0, b.find('+'));
  size_t da = a.find('-');
  size_t db = b.find('-');
  int core = compare_parts(a.substr(0, da), b.substr(0, db), "0");
  if (core != 0) return core;
  bool pa = da != std::string_view::npos;
  bool pb = db != std::string_view::npos;
  if (pa != pb) return pa ? -1 : 1;
  return pa ? compare_parts(a.substr(da + 1), b.substr(db + 1), "") : 0;
}

std::string TextTable::text() const {
  std::vector<size_t> widths;
  for (const std::string& h : header) widths.push_back(width(h));
  for (const auto& row : rows) {
    OREE_ASSERT(row.size() <= header.size());
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      std::string pad(widths[i] - width(row[i]), ' ');
      if (i > 0) line += "  ";
      line += i < right.size() && right[i] ? pad + row[i] : row[i] + pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  add(header);
  for (const auto& row : rows) add(row);
  return out;
}

}  // namespace oree
