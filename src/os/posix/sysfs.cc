// SPDX-License-Identifier: Apache-2.0
#include "os/posix/sysfs.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/text.h"
#include "os/posix/posix_files.h"

namespace oree {

std::string sysfs_text(const std::string& path) {
  Result<Bytes> bytes = PosixFiles().read(path, 1 << 20);
  return bytes.ok() ? std::string(trim(as_text(*bytes))) : "";
}

std::vector<std::string> sysfs_names(const std::string& folder) {
  Result<std::vector<std::string>> names = PosixFiles().list(folder);
  if (!names.ok()) return {};
  // policy10 is longer than policy2: by length first, within the same word before the number.
  auto word = [](const std::string& name) { return std::min(name.find_first_of("0123456789"), name.size()); };
  std::stable_sort(names->begin(), names->end(), [&](const std::string& a, const std::string& b) {
    int order = a.compare(0, word(a), b, 0, word(b));
    return order != 0 ? order < 0 : a.size() < b.size();
  });
  return std::move(names).value();
}

std::optional<double> sysfs_number(const std::string& path) {
  std::string text = sysfs_text(path);
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace oree
