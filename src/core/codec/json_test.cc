// SPDX-License-Identifier: Apache-2.0
#include "core/codec/json.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

using namespace oree;

namespace {
Json good(std::string_view text) {
  CAPTURE(text);
  Result<Json> r = Json::parse(text);
  REQUIRE(r.ok());
  return std::move(r).value();
}
std::string why(const Result<Json>& r) { return r.ok() ? "" : r.error().message(); }
}  // namespace

TEST_CASE("JSON keeps types, order and text through parse and dump") {
  const char* text = R"({"b":1,"a":[true,false,null,-2.5,1.0,"\u00e9\ud83d\ude00\"\\\n"],"c":{},"d":[]})";
  CHECK(good(text).dump() == "{\"b\":1,\"a\":[true,false,null,-2.5,1.0,\"é😀\\\"\\\\\\n\"],\"c\":{},\"d\":[]}");
  CHECK(good(good(text).dump(2)) == good(text));
  CHECK(Json::object().set("a", 1).set("b", Json::array().push(2)).dump(2) ==
        "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}");
}

TEST_CASE("numbers keep their value to the last bit") {
  for (double d : {0.1, 1e300, 5e-324, -0.0, 1.0 / 3, 123456789012345680.0, 1e21}) {
    double back = good(Json(d).dump()).as_double();
    CHECK(back == d);
    CHECK(std::signbit(back) == std::signbit(d));
  }
  CHECK(good("9223372036854775807").as_int() == INT64_MAX);
  CHECK(good("-9223372036854775808").as_int() == INT64_MIN);
  CHECK(good("9223372036854775808").as_double() == 0x1p63);
  CHECK_FALSE(good("9223372036854775808").is_int());
  CHECK(good("3.0").as_int() == 3);
  CHECK(good("3.5").as_int(-1) == -1);
  CHECK(Json(std::nan("")).dump() == "null");
  CHECK(Json(std::numeric_limits<double>::infinity()).dump() == "null");
}

TEST_CASE("JSON refuses what RFC 8259 refuses, and repeated keys") {
  for (std::string_view bad :
       {std::string_view(""), std::string_view("{"), std::string_view("[1,]"), std::string_view("{\"a\":1,}"),
        std::string_view("01"), std::string_view("NaN"), std::string_view("'a'"), std::string_view("1 2"),
        std::string_view("\"\t\""), std::string_view("\"\\ud800\""), std::string_view("\"\xff\""),
        std::string_view("1e999"), std::string_view("// c\n1"), std::string_view("\xef\xbb\xbf{}"),
        std::string_view("{}\0x", 4), std::string_view("{\"a\":1,\"b\":2,\"a\":3}")}) {
    CAPTURE(bad);
    CHECK(Json::parse(bad).error().code() == Code::kInvalid);
  }
  CHECK(why(Json::parse("{\"a\":1,\"a\":2}")) == "JSON object repeats the key \"a\"");
  CHECK(why(Json::parse("[1, x]")) == "JSON is malformed at byte 4");
}

TEST_CASE("depth is bounded: 64 levels pass, 65 do not, a million do not crash") {
  auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  CHECK(Json::parse(nested(64)).ok());
  CHECK_FALSE(Json::parse(nested(65)).ok());
  CHECK_FALSE(Json::parse(std::string(1'000'000, '[')).ok());
}

TEST_CASE("broken bytes in a string come out as valid UTF-8") {
  CHECK(Json("a\xff\xc3(").dump() == "\"a\xef\xbf\xbd\xef\xbf\xbd(\"");
  CHECK(Json("\xed\xa0\x80").dump().find("\xed") == std::string::npos);  // a surrogate
  CHECK(Json("\xe2\x82").dump() == "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("strict looks name the key and what was expected") {
  Json j = good(R"({"s":"x","n":5,"f":1.5,"b":true,"o":{},"a":[],"z":null})");
  CHECK(j.get_string("s").value() == "x");
  CHECK(j.get_int("n", 0, 5).value() == 5);
  CHECK(j.get_int("n", 0, 4).error().message() == "'n' is 5; expected 0 to 4");
  CHECK(j.get_int("f", 0, 4).error().code() == Code::kInvalid);
  CHECK(j.get_double("n").value() == 5.0);
  CHECK(j.get_bool("b").value());
  CHECK(j.get_object("o").ok());
  CHECK(j.get_array("a").ok());
  CHECK(j.get_string("none").error().message() == "'none' is missing; expected a string");
  CHECK(j.get_string("z").error().message() == "'z' is null; expected a string");
  CHECK(j.get_array("o").error().message() == "'o' is of another type; expected an array");
  CHECK(j["none"]["deeper"].is_null());
  CHECK(Json(0x1p63).as_int(-1) == -1);
}

TEST_CASE("bounded looks say the bound and what was found") {
  Json j = good(R"({"s":"four","f":1.5,"i":7,"n":["a","b.c"],"e":[],"m":["a",1],"w":["a b"],"z":null})");
  auto said = [](const auto& result) { return result.ok() ? "" : result.error().message(); };
  CHECK(j.get_text("s", 4).value() == "four");
  CHECK(said(j.get_text("s", 3)) == "'s' has 4 bytes; the limit is 3");
  CHECK(said(j.get_text("i", 3)) == "'i' is of another type; expected a string");
  CHECK(j.get_double("f", 1.5, 2).value() == 1.5);
  CHECK(said(j.get_double("f", -1, 1)) == "'f' is 1.5; expected -1 to 1");
  CHECK(said(j.get_double("s", -1, 1)) == "'s' is of another type; expected a finite number");
  CHECK(j.get_int32("i", 0, 7).value() == 7);
  CHECK(said(j.get_int32("i", 0, 6)) == "'i' is 7; expected 0 to 6");
  CHECK(j.get_name("s", "model").value() == "four");
  CHECK(said(Json().set("s", "").get_name("s", "model")) == "model is empty");
  CHECK(said(j.get_name("none", "model")) == "'none' is missing; expected a string");
  CHECK(j.get_names("n", 2, "a name").value() == std::vector<std::string>{"a", "b.c"});
  CHECK(said(j.get_names("n", 1, "a name")) == "'n' has 2 names; 1 to 1 are allowed");
  CHECK(said(j.get_names("e", 1, "a name")) == "'e' has 0 names; 1 to 1 are allowed");
  CHECK(said(j.get_names("m", 2, "a name")) == "'m' must hold strings");
  CHECK(said(j.get_names("w", 2, "a name")).starts_with("a name has"));
}

TEST_CASE("several integers are read until one is wrong") {
  Json j = good(R"({"a":1,"b":2,"c":-3})");
  int64_t a = 0, b = 0, c = 0;
  CHECK(j.get_ints({{"a", &a}, {"b", &b}}, 0, 9).ok());
  CHECK(a == 1);
  CHECK(b == 2);
  b = 0;
  CHECK(j.get_ints({{"c", &c}, {"b", &b}}, 0, 9).error().message() == "'c' is -3; expected 0 to 9");
  CHECK(c == 0);
  CHECK(b == 0);
}

TEST_CASE("what is absent is written as null") {
  CHECK(Json(std::optional<double>(1.5)).dump() == "1.5");
  CHECK(Json().set("x", std::optional<int64_t>()).dump() == "{\"x\":null}");
}

TEST_CASE("TOML becomes the same value") {
  Json j = parse_toml("a = 1\nb.c = [1.5, 'x']\nd = 2020-01-02T03:04:05Z\n[t]\n\"q.r\" = true\n").value();
  CHECK(j["a"].as_int() == 1);
  CHECK(j["b"]["c"].dump() == "[1.5,\"x\"]");
  CHECK(j["d"].as_string() == "2020-01-02T03:04:05Z");
  CHECK(j["t"]["q.r"].as_bool());
}

TEST_CASE("TOML errors name the line, and depth is bounded however it is written") {
  CHECK(why(parse_toml("a = 1\nb = \n")).starts_with("TOML line 2:"));
  CHECK_FALSE(parse_toml("a = 1\na = 2\n").ok());
  CHECK(parse_toml("[}]").error().code() == Code::kInvalid);  // the parser itself asserts on it
  CHECK(why(parse_toml("a = 'é'\nb\xc3\xa9 = 1")).starts_with("TOML line 2:"));
  CHECK(parse_toml("a = \"\"\"\\\n\xef\xbb\xbb\xc3\xa9\"\"\"").value()["a"].as_string() == "\xef\xbb\xbb\xc3\xa9");
  CHECK(parse_toml("a = '\xe2\x9d\xa4\xef\xb8\x8f' # \xef\xbb\xbb").ok());  // an emoji's variation selector
  CHECK(parse_toml("\xef\xbb\xbf\"é\" = 'ü' # ö").ok());
  auto repeat = [](std::string_view s, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += s;
    return out;
  };
  CHECK(parse_toml("x = " + repeat("[", 30) + repeat("]", 30)).ok());
  CHECK_FALSE(parse_toml("x = " + repeat("[", 300'000)).ok());
  CHECK_FALSE(parse_toml(repeat("a.", 300'000) + "b = 1").ok());
  CHECK_FALSE(parse_toml(repeat("\"=#\" . ", 100'000) + "b = 1").ok());
  CHECK_FALSE(parse_toml("[" + repeat("'\\'.", 100'000) + "b]").ok());
  CHECK_FALSE(parse_toml(repeat("a={", 100'000)).ok());
  // Dots that join no keys are no depth.
  CHECK(parse_toml("x = '" + repeat(".", 1000) + "' # " + repeat("a.", 1000)).ok());
  CHECK(parse_toml("x = [" + repeat("1.5 , ", 1000) + "]").ok());
}
