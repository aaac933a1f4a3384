// SPDX-License-Identifier: Apache-2.0
#include "core/base/shown_name.h"

#include <doctest/doctest.h>

namespace oree {

TEST_CASE("long names are cut between characters, others stay") {
  CHECK(shown_name("") == "");
  const std::string fits(kShownNameBytes, 'a');
  CHECK(shown_name(fits) == fits);
  CHECK(shown_name(fits + "b") == fits + "…");
  const std::string wide(kShownNameBytes - 1, 'a');
  CHECK(shown_name(wide + "é") == wide + "…");
  CHECK(shown_name("\xff") == "\xef\xbf\xbd");
  CHECK(shown_name(std::string(200, '\x80')) == "…");
}

}  // namespace oree
