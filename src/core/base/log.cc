// SPDX-License-Identifier: Apache-2.0
#include "core/base/log.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>

#include "core/base/text.h"

namespace oree {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};
std::atomic<bool> g_json{false};
std::mutex g_mutex;  // whole lines, whoever speaks

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kError: return "error";
  }
  return "error";
}

// Control characters would let text from outside forge lines or drive a terminal.
void append_escaped(std::string& out, std::string_view text, bool json) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (char c : text) {
    auto u = static_cast<unsigned char>(c);
    if (json && (c == '"' || c == '\\')) {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (u < 0x20 || u == 0x7f) {
      out += "\\u00";
      out += kDigits[u >> 4];
      out += kDigits[u & 15];
    } else {
      out += c;
    }
  }
}

}  // namespace

void set_log_level(LogLevel level) { g_level = level; }
void set_log_json(bool json) { g_json = json; }

void log_line(LogLevel level, std::string_view component, std::string_view text) {
  if (level < g_level.load()) return;
  using namespace std::chrono;
  std::string now = utc_text(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
  std::string line;
  if (g_json) {
    line = "{\"time\":\"" + now + "\",\"level\":\"" + level_name(level) + "\",\"component\":\"";
    append_escaped(line, component, true);
    line += "\",\"text\":\"";
    append_escaped(line, text, true);
    line += "\"}\n";
  } else {
    line = now + ' ' + level_name(level) + ' ';
    append_escaped(line, component, false);
    line += ": ";
    append_escaped(line, text, false);
    line += '\n';
  }
  std::lock_guard lock(g_mutex);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace oree
