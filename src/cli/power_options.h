// SPDX-License-Identifier: Apache-2.0
// The option that sensors and bench share.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace oree::cli {

void add_power_meter_option(CLI::App& command, std::string& power_meter);  // --power-meter
std::string named_power_meter(const std::string& option);                  // it, else OREE_POWER_METER, else ""

}  // namespace oree::cli
