// SPDX-License-Identifier: Apache-2.0
#include "core/base/result.h"

namespace oree {

const char* code_name(Code code) {
  switch (code) {
    case Code::kUsage: return "usage";
    case Code::kInvalid: return "invalid";
    case Code::kIntegrity: return "integrity";
    case Code::kUnsupported: return "unsupported";
    case Code::kUnavailable: return "unavailable";
    case Code::kExhausted: return "exhausted";
    case Code::kNotFound: return "not_found";
    case Code::kConflict: return "conflict";
    case Code::kRefused: return "refused";
    case Code::kInternal: return "internal";
  }
  return "internal";
}

int exit_code(Code code) {
  switch (code) {
    case Code::kRefused: return 1;
    case Code::kUsage: return 2;
    case Code::kInvalid: return 3;
    case Code::kIntegrity: return 4;
    case Code::kUnsupported: return 5;
    case Code::kUnavailable: return 6;
    case Code::kExhausted: return 7;
    case Code::kNotFound: return 8;
    case Code::kConflict: return 9;
    case Code::kInternal: return 70;  // EX_SOFTWARE of sysexits.h
  }
  return 70;
}

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "oree: internal error: %s is false at %s:%d\n", expression, file, line);
  std::abort();
}

}  // namespace oree
