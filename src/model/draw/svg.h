// SPDX-License-Identifier: Apache-2.0
// Pictures of a graph as one SVG: boxes coloured by kind of operator (or by error), lines, live memory along the run.
// Needs no script; light and dark as the viewer's system is. Every text of the model is escaped.
#pragma once

#include <string>
#include <vector>

#include "model/draw/picture.h"

namespace oree {

struct DrawnBlock {
  Layout layout;
  double x = 0, y = 0;  // of its top left corner in the drawing
};

struct Drawing {
  Pictures pictures;
  std::vector<DrawnBlock> blocks;  // one a picture, side by side
  LayoutOptions options;
  double width = 0, height = 0;
};

Drawing arrange(Pictures pictures);

// Boxes and lines, without the outer <svg>. A box is <g class="box LOOK" id="bN">, N counted over all pictures.
std::string svg_body(const Drawing& drawing);
// A file of its own: title, legend and, where memory is known, a strip of live memory on the left with its peak.
std::string svg_file(const Drawing& drawing, const std::string& title);
extern const char* const kSvgStyle;  // for both, and for a page that holds svg_body()

// Live memory of the main picture's layers in the order in which they run: a closed path that fills height downwards,
// width at the peak. "" when it is not known.
struct Strip {
  std::string path;
  int64_t peak = 0;
  double peak_at = 0;      // of the height, 0 to 1
  int peak_box = -1;       // number of the box
  std::vector<int> boxes;  // by step
};
Strip live_strip(const Drawing& drawing, double width, double height);

std::string short_count(int64_t n);  // "1.2 G", "340 k"

}  // namespace oree
