// SPDX-License-Identifier: Apache-2.0
#include "core/base/text.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace oree;

TEST_CASE("a name is safe as a file, a URL segment and a label") {
  for (const char* good : {"a", "1.2.3-rc.1", "person_detector", "X-9"}) CHECK(check_name(good, "name").ok());
  for (const char* bad : {"", ".", "..", "-a", "_a", "a/b", "a b", "a\n", "é", "a%"}) {
    CAPTURE(bad);
    CHECK(check_name(bad, "name").error().code() == Code::kInvalid);
  }
  CHECK(check_name(std::string(128, 'a'), "name").ok());
  CHECK_FALSE(check_name(std::string(129, 'a'), "name").ok());
}

TEST_CASE("split keeps empty parts and trim takes white space off both ends") {
  CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
  CHECK(split("", ',') == std::vector<std::string>{""});
  CHECK(split(",", ',') == std::vector<std::string>{"", ""});
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n").empty());
}

TEST_CASE("byte counts read well at every size") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(1023) == "1023 B");
  CHECK(human_bytes(1024) == "1.0 KiB");
  CHECK(human_bytes(9961472) == "9.5 MiB");
  CHECK(human_bytes((1 << 20) - 1) == "1.0 MiB");
  CHECK(human_bytes(INT64_MAX) == "8.0 EiB");
}

TEST_CASE("HTML loses every character that could end its text or attribute") {
  CHECK(html_escape("<a b=\"c\" d='e'>&") == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
}

TEST_CASE("time is written as RFC 3339, as date(1) does, before 1970 and after 2100 too") {
  CHECK(utc_text(0) == "1970-01-01T00:00:00.000Z");
  CHECK(utc_text(951782400000) == "2000-02-29T00:00:00.000Z");
  CHECK(utc_text(1795446245123) == "2026-11-23T15:04:05.123Z");
  CHECK(utc_text(4107542400000) == "2100-03-01T00:00:00.000Z");
  CHECK(utc_text(-1) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("versions are ordered as semver.org section 11 says") {
  const char* rising[] = {"1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
                          "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",       "1.0.0",
                          "1.0.1",        "1.2.0",         "1.10.0",           "2.0.0"};
  for (const char* a : rising) {
    for (const char* b : rising) {
      CAPTURE(a);
      CAPTURE(b);
      int expected = a == b                                                                            ? 0
                     : std::find(rising, std::end(rising), a) < std::find(rising, std::end(rising), b) ? -1
                                                                                                       : 1;
      int found = compare_versions(a, b);
      CHECK((found > 0) - (found < 0) == expected);
    }
  }
  CHECK(compare_versions("1.0", "1.0.0") == 0);
  CHECK(compare_versions("1.0.0+a", "1.0.0+b") == 0);
  CHECK(compare_versions("99999999999999999999999", "100000000000000000000000") < 0);
}

TEST_CASE("bytes from anywhere become text that XML takes") {
  CHECK(utf8_text("Orée \xf0\x9f\x8c\xb3\t") == "Orée \xf0\x9f\x8c\xb3\t");
  for (const char* bad : {"\x01", "\xff", "\xc0", "\xed", "\xf5"}) CHECK(utf8_text(bad) == "\xef\xbf\xbd");
  CHECK(utf8_text("\xc0\x80").find('\0') == std::string::npos);                // an overlong zero
  CHECK(utf8_text("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // a surrogate
  CHECK(utf8_text("\xef\xbf\xbf") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // no character
  CHECK(utf8_text("a\xe2\x82") == "a\xef\xbf\xbd\xef\xbf\xbd");                // cut short
  CHECK(utf8_text(std::string_view("\0", 1)) == "\xef\xbf\xbd");
  CHECK(xml_escape("<\x02>") == "&lt;\xef\xbf\xbd&gt;");
}

TEST_CASE("a table pads its columns, also those with accents, and leaves no trailing spaces") {
  TextTable t;
  t.header = {"name", "ms"};
  t.right = {false, true};
  t.rows = {{"é", "1.5"}, {"longer", "12.5"}};
  CHECK(t.text() == "name      ms\né        1.5\nlonger  12.5\n");
}
