// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/session_options.h"

#include <doctest/doctest.h>

namespace oree {

TEST_CASE("CPUs are a set in rising order, and say so in words") {
  SessionOptions options;
  options.cpus = {0, 1, 2, 6};
  auto back = session_options_from_json(session_options_to_json(options));
  REQUIRE(back.ok());
  CHECK(back->cpus == options.cpus);
  CHECK(cpus_text(options.cpus) == "0-2,6");
  CHECK(cpus_text({}).empty());
  CHECK(session_options_to_json(SessionOptions{}).find("cpus") == nullptr);
  for (const char* bad : {R"({"cpus":[]})", R"({"cpus":[1,1]})", R"({"cpus":[2,1]})", R"({"cpus":[-1]})",
                          R"({"cpus":[1024]})", R"({"cpus":[0.5]})", R"({"cpus":3})"}) {
    CAPTURE(bad);
    CHECK(session_options_from_json(*Json::parse(bad)).error().code() == Code::kInvalid);
  }
}

TEST_CASE("session options survive the way to JSON and back") {
  SessionOptions options;
  options.threads = 3;
  options.provider = "openvino:GPU";
  options.precision = "bf16";
  auto back = session_options_from_json(session_options_to_json(options));
  REQUIRE(back.ok());
  CHECK(back->threads == 3);
  CHECK(back->provider == "openvino:GPU");
  CHECK(back->precision == "bf16");
  CHECK(back->fused);
  options.fused = false;
  CHECK_FALSE(session_options_from_json(session_options_to_json(options))->fused);
}

TEST_CASE("session options name the key that is wrong") {
  for (const char* text : {R"({"threads": 0})", R"({"threads": 257})", R"({"threads": "2"})",
                           R"({"precision": "int3"})", R"({"provider": 1})", R"({"thread": 1})", R"([])"}) {
    auto json = Json::parse(text);
    REQUIRE(json.ok());
    auto options = session_options_from_json(*json);
    REQUIRE_FALSE(options.ok());
    CHECK(options.error().code() == Code::kInvalid);
  }
}

}  // namespace oree
