// SPDX-License-Identifier: Apache-2.0
// Draws what was seen into a picture, for people.
#pragma once

#include <string>
#include <vector>

#include "device/apps/camera/camera_config.h"

namespace oree {

struct Mark {
  Box box;
  std::string text;    // "Person 0.62"; characters outside ASCII show as question marks
  bool alarm = false;  // drawn in red, else in green
};
// image must be BGR.
void annotate(Image& image, const std::vector<Mark>& marks, const std::vector<Zone>& zones);

}  // namespace oree
