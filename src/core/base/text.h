// SPDX-License-Identifier: Apache-2.0
// Small text helpers shared by everything that prints or checks names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace oree {

// kInvalid unless text is 1..kNameCharsMax of [A-Za-z0-9._-] and starts with a letter or digit: such a name is
// safe as a file name, a URL segment and a Prometheus label. `what` names it in the message ("model name").
Status check_name(std::string_view text, std::string_view what);

std::vector<std::string> split(std::string_view text, char separator);  // "a,,b" -> {"a","","b"}; "" -> {""}
std::string_view trim(std::string_view text);
std::string human_bytes(int64_t bytes);          // "9.5 MiB"
std::string html_escape(std::string_view text);  // safe in element text and in quoted attributes
// The same for XML and for bytes from anywhere: what is no UTF-8, and what XML has no character for, becomes U+FFFD.
std::string xml_escape(std::string_view text);
std::string utf8_text(std::string_view bytes);  // that replacement alone
std::string utc_text(int64_t unix_ms);          // RFC 3339: "2026-11-23T15:04:05.123Z"

// Semantic-version order of "1.2.3" and "1.2.3-rc.1" (semver.org section 11); other texts compare by their
// dot-separated parts, numeric parts as numbers. <0, 0, >0.
int compare_versions(std::string_view a, std::string_view b);

// A table for people: columns padded, numbers right-aligned when `right[i]`, two spaces between, no borders.
struct TextTable {
  std::vector<std::string> header;
  std::vector<bool> right;  // may be shorter than header: the rest is left-aligned
  std::vector<std::vector<std::string>> rows;
  std::string text() const;  // ends with a newline
};

}  // namespace oree
