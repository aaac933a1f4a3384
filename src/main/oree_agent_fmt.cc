// SPDX-License-Identifier: Apache-2.0
// What the agent takes from fmt's library, compiled into it. Distributions have that library shared only, and it would
// bring libstdc++ along as a shared one: more than a megabyte of resident memory.
#define FMT_HEADER_ONLY 1
#include <fmt/format.h>

#include <string>

namespace oree {

// Never called: here all of fmt comes to be that the other files refer to. The build emits it out of line.
std::string take_fmt(const std::string& format, float f, double d) { return fmt::format(fmt::runtime(format), f, d); }

}  // namespace oree
