// SPDX-License-Identifier: Apache-2.0
#include "cli/ship_steps.h"

#include <doctest/doctest.h>

#include "core/io/fake/fake_clock.h"
#include "core/io/fake/fake_files.h"

using namespace oree;
using namespace oree::cli;

namespace {

// A chain of three steps: "copy" makes b from a, "double" makes c from b, "tell" only counts.
struct Chain {
  FakeFiles files;
  FakeClock clock;
  Ports ports;
  std::vector<std::string> ran;
  std::string broken;  // step that fails

  Chain() {
    ports.files = &files;
    ports.clock = &clock;
    files.put("a", "1");
  }
  Step step(const std::string& name, const std::string& in, const std::string& out, int times) {
    auto fingerprint = [this, in] {
      Fingerprint print(files);
      return print.add_path("in", in).finish();
    };
    auto run = [this, name, in, out, times]() -> Result<StepOutcome> {
      ran.push_back(name);
      clock.advance_ms(1500);
      if (broken == name) return Error(Code::kInvalid, "is broken");
      if (out.empty()) return StepOutcome{"told", {}};
      std::string text;
      for (int i = 0; i < times; ++i) text += files.text(in);
      OREE_TRY(files.write_atomic(out, as_bytes(text)));
      return StepOutcome{"made " + text, {out}};
    };
    return {name, fingerprint, run};
  }
  StepsReport go(const StepOptions& options = {}) {
    ran.clear();
    return run_steps(ports, "ship.json",
                     {step("copy", "a", "b", 1), step("double", "b", "c", 2), step("tell", "c", "", 0)}, options);
  }
};

using Names = std::vector<std::string>;

Names statuses(const StepsReport& report) {
  Names out;
  for (const StepReport& s : report.steps) out.push_back(s.status);
  return out;
}

}  // namespace

TEST_CASE("the first run does every step, the second none, and tells the results again") {
  Chain chain;
  StepsReport first = chain.go();
  CHECK(first.status.ok());
  CHECK(chain.ran == Names{"copy", "double", "tell"});
  CHECK(first.steps[1].seconds == doctest::Approx(1.5));
  StepsReport second = chain.go();
  CHECK(chain.ran.empty());
  CHECK(statuses(second) == Names{"up to date", "up to date", "up to date"});
  CHECK(second.steps[1].result == "made 11");
}

TEST_CASE("a change runs what depends on it, and no more when the result is the same") {
  Chain chain;
  REQUIRE(chain.go().status.ok());
  chain.files.put("a", "2");
  CHECK(chain.go().status.ok());
  CHECK(chain.ran == Names{"copy", "double", "tell"});
  chain.files.put("b", "x");  // somebody changed an output
  CHECK(chain.go().status.ok());
  CHECK(chain.ran == Names{"copy"});  // and what follows sees the old content again
  CHECK(chain.files.remove("c").ok());
  CHECK(chain.go().status.ok());
  CHECK(chain.ran == Names{"double"});
}

TEST_CASE("a step that fails stops the rest, keeps what was done and is done again") {
  Chain chain;
  chain.broken = "double";
  StepsReport report = chain.go();
  CHECK(report.status.error().code() == Code::kInvalid);
  CHECK(report.status.error().message() == "double: is broken");
  CHECK(statuses(report) == Names{"done", "failed", "not reached"});
  chain.broken.clear();
  CHECK(chain.go().status.ok());
  CHECK(chain.ran == Names{"double", "tell"});
}

TEST_CASE("only, force and dry-run") {
  Chain chain;
  auto only = [](const char* name) { return StepOptions{name, false, false}; };
  const StepOptions dry{"", false, true}, forced{"", true, false}, forced_double{"double", true, false};
  StepsReport told = chain.go(dry);
  CHECK(chain.ran.empty());
  CHECK(statuses(told) == Names{"would run", "would run", "would run"});
  CHECK_FALSE(chain.files.exists("ship.json"));
  CHECK(statuses(chain.go(only("copy"))) == Names{"done", "left out", "left out"});
  CHECK(statuses(chain.go(dry)) == Names{"up to date", "would run", "would run"});
  CHECK(statuses(chain.go(only("tell"))) == Names{"left out", "left out", "failed"});  // its input is not there
  REQUIRE(chain.go().status.ok());
  CHECK(chain.go(forced).status.ok());
  CHECK(chain.ran == Names{"copy", "double", "tell"});
  CHECK(chain.go(forced_double).status.ok());
  CHECK(chain.ran == Names{"double"});
  StepsReport unknown = chain.go(only("fly"));
  CHECK(unknown.status.error().code() == Code::kUsage);
  CHECK(unknown.steps.empty());
}

TEST_CASE("a broken or strange state file means that nothing is known") {
  for (const char* text : {"", "{", "[]", "7", R"({"format":99,"steps":{}})", R"({"format":1,"steps":[1]})",
                           R"({"format":1,"steps":{"copy":{"fingerprint":7,"outputs":[]}}})"}) {
    Chain chain;
    chain.files.put("ship.json", text);
    CAPTURE(text);
    CHECK(chain.go().status.ok());
    CHECK(chain.ran == Names{"copy", "double", "tell"});
    CHECK(chain.go().status.ok());
    CHECK(chain.ran.empty());
  }
}

TEST_CASE("whichever operation on the disk fails, the next run ends in the right files") {
  for (int64_t n = 1;; ++n) {
    REQUIRE(n < 200);
    Chain chain;
    chain.files.fail_after(n, Error(Code::kExhausted, "no space"));
    StepsReport report = chain.go();
    bool passed = report.status.ok();
    chain.files.heal();
    chain.files.crash();
    CHECK(chain.go().status.ok());
    CHECK(chain.files.text("c") == "11");
    if (passed) break;
    CHECK(report.status.error().code() == Code::kExhausted);
  }
}

TEST_CASE("what lies beside the state is found again from another working directory") {
  FakeFiles files;
  FakeClock clock;
  Ports ports;
  ports.files = &files;
  ports.clock = &clock;
  int ran = 0;
  auto go = [&](const std::string& folder) {
    Step step{"make", [&] { return Fingerprint(files).add("x", "1").finish(); },
              [&, folder]() -> Result<StepOutcome> {
                ++ran;
                files.put(folder + "/out/b", "made");
                return StepOutcome{"made", {folder + "/out/b"}};
              }};
    return run_steps(ports, folder + "/ship.json", {step}, {});
  };
  REQUIRE(go("shop/.oree").status.ok());
  files.put(".oree/ship.json", files.text("shop/.oree/ship.json"));  // the same folder, as seen from within shop
  files.put(".oree/out/b", files.text("shop/.oree/out/b"));
  CHECK(go(".oree").status.ok());
  CHECK(ran == 1);
}

TEST_CASE("a fingerprint tells names, contents and places apart") {
  FakeFiles files;
  files.put("d/x", "1");
  files.put("d/sub/y", "2");
  auto of = [&](const std::string& path) { return Fingerprint(files).add_path("p", path).finish(); };
  std::string before = *of("d");
  CHECK(*of("d") == before);
  CHECK(*of("d/sub") != before);
  files.put("d/sub/y", "3");
  CHECK(*of("d") != before);
  files.put("d/sub/y", "2");
  CHECK(*of("d") == before);
  files.put("d/z", "");
  CHECK(*of("d") != before);
  CHECK(of("absent").error().code() == Code::kNotFound);
  CHECK(*Fingerprint(files).add("a", "bc").finish() != *Fingerprint(files).add("ab", "c").finish());
  CHECK(*Fingerprint(files).add("a", "").add("b", "").finish() !=
        *Fingerprint(files).add("b", "").add("a", "").finish());
}
