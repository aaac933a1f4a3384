// SPDX-License-Identifier: Apache-2.0
// A drawing as a part of a page (core/base/html_page.h): the picture to scroll and zoom, a strip of live memory, a
// search, and what is known of a box when it is clicked. Without JavaScript the picture can still be seen and scrolled.
#pragma once

#include <string>

#include "model/draw/svg.h"

namespace oree {

std::string viewer_html(const Drawing& drawing);
extern const char* const kViewerStyle;   // kSvgStyle not included
extern const char* const kViewerScript;  // one viewer a page

}  // namespace oree
