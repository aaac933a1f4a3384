// SPDX-License-Identifier: Apache-2.0
// The frame that all reports share: one file, nothing loaded from elsewhere (the page forbids itself to), light and
// dark as the reader's system is.
#pragma once

#include <string>

namespace oree {

struct HtmlPage {
  std::string title, kicker, heading;  // plain text, escaped here
  // HTML, CSS and JavaScript of the caller, who has escaped what comes from outside. The frame has styles for section,
  // h2, p.lead, table with td.n for numbers, dl, .scroll, .warn, .tag, and the colours --page, --card, --ink, --soft,
  // --faint, --line, --good, --goodbg, --bad, --badbg.
  std::string body, style, script;
};

std::string html_page(const HtmlPage& page);

}  // namespace oree
