// SPDX-License-Identifier: Apache-2.0
#include "device/measure/measure_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/limits.h"
#include "core/base/measure_limits.h"

namespace oree {
namespace {

struct TextOption {
  const char* name;
  std::string MeasureOptions::*member;
};
constexpr TextOption kTexts[] = {{"--listen", &MeasureOptions::listen},
                                 {"--token-file", &MeasureOptions::token_file},
                                 {"--certificate", &MeasureOptions::certificate_file},
                                 {"--key", &MeasureOptions::key_file},
                                 {"--data", &MeasureOptions::data},
                                 {"--worker", &MeasureOptions::worker_program},
                                 {"--name", &MeasureOptions::name},
                                 {"--power-meter", &MeasureOptions::power_meter}};

struct NumberOption {
  const char* name;
  int64_t MeasureOptions::*member;
  int64_t min, max;
};
constexpr NumberOption kNumbers[] = {{"--disk-bytes-max", &MeasureOptions::disk_bytes_max, 1 << 20, int64_t{1} << 50},
                                     {"--reserve-bytes", &MeasureOptions::reserve_bytes, 0, int64_t{1} << 50},
                                     {"--memory-bytes-max", &MeasureOptions::memory_bytes_max, 0, int64_t{1} << 50},
                                     {"--job-ms-max", &MeasureOptions::job_ms_max, 1'000, kMeasureJobMsMax},
                                     {"--lease-ms", &MeasureOptions::lease_ms, kMeasureLeaseMsMin, kMeasureLeaseMsMax}};

Status read_number(const NumberOption& option, const std::string& text, int64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc() && end == text.data() + text.size() && out >= option.min && out <= option.max) return {};
  return Error(Code::kUsage, fmt::format("{}: expected a whole number from {} to {}, found '{}'", option.name,
                                         option.min, option.max, text));
}

// By name alone: what a resolver makes of another name is not known before it is asked.
bool is_loopback(const std::string& listen) {
  return listen.starts_with("127.") || listen.starts_with("[::1]:") || listen.starts_with("localhost:");
}

}  // namespace

std::vector<std::string> measure_arguments(const MeasureOptions& options) {
  std::vector<std::string> out;
  for (const TextOption& option : kTexts) {
    if (!(options.*option.member).empty()) out.insert(out.end(), {option.name, options.*option.member});
  }
  for (const NumberOption& option : kNumbers)
    out.insert(out.end(), {option.name, std::to_string(options.*option.member)});
  if (options.plain_http) out.push_back("--plain-http");
  return out;
}

Result<MeasureOptions> measure_options(const std::vector<std::string>& arguments) {
  MeasureOptions options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--plain-http") {
      options.plain_http = true;
      continue;
    }
    auto named = [&](const auto& option) { return name == option.name; };
    auto text = std::find_if(std::begin(kTexts), std::end(kTexts), named);
    auto number = std::find_if(std::begin(kNumbers), std::end(kNumbers), named);
    if (text == std::end(kTexts) && number == std::end(kNumbers))
      return Error(Code::kUsage, "measure: unknown option " + name);
    if (++i >= arguments.size()) return Error(Code::kUsage, name + " needs a value");
    if (text != std::end(kTexts))
      options.*text->member = arguments[i];
    else
      OREE_TRY(read_number(*number, arguments[i], options.*number->member));
  }
  return options;
}

Status check_measure_options(const MeasureOptions& options) {
  auto missing = [](const char* name) { return Error(Code::kUsage, fmt::format("measure: {} is missing", name)); };
  if (options.listen.empty()) return missing("--listen HOST:PORT");
  if (options.token_file.empty()) return missing("--token-file FILE");
  if (options.data.empty()) return missing("--data DIR");
  if (options.certificate_file.empty() != options.key_file.empty())
    return Error(Code::kUsage, "measure: a certificate and its key belong together");
  if (options.certificate_file.empty() && !options.plain_http && !is_loopback(options.listen)) {
    return Error(
        Code::kUsage,
        fmt::format("measure: on {} the token would travel in the clear; give a certificate and its key, or say "
                    "that plain HTTP is meant",
                    options.listen));
  }
  return {};
}

}  // namespace oree
