// SPDX-License-Identifier: Apache-2.0
// Leveled log lines to standard error, for the long-running programs and for `--verbose`. Thread-safe, never throws.
// Results of a command go to standard output and never through here.
#pragma once

#include <string>
#include <string_view>

namespace oree {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

void set_log_level(LogLevel level);  // kInfo at start
void set_log_json(bool json);        // one JSON object a line instead of text
// `component` is the module speaking ("agent", "http"); the line gets a UTC time stamp.
void log_line(LogLevel level, std::string_view component, std::string_view text);

inline void log_debug(std::string_view component, std::string_view text) {
  log_line(LogLevel::kDebug, component, text);
}
inline void log_info(std::string_view component, std::string_view text) { log_line(LogLevel::kInfo, component, text); }
inline void log_warn(std::string_view component, std::string_view text) { log_line(LogLevel::kWarn, component, text); }
inline void log_error(std::string_view component, std::string_view text) {
  log_line(LogLevel::kError, component, text);
}

}  // namespace oree
