// SPDX-License-Identifier: Apache-2.0
// The kernel's small files: one value each. What is not there is "", {} or absent, never an error.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace oree {

std::string sysfs_text(const std::string& path);                  // trimmed; bounded
std::vector<std::string> sysfs_names(const std::string& folder);  // sorted, numbers by their value: policy2, policy10
std::optional<double> sysfs_number(const std::string& path);      // decimal, finite, nothing behind it

}  // namespace oree
