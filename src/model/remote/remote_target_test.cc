// SPDX-License-Identifier: Apache-2.0
// The asking end against devices that misbehave; together with the real other end it is tested in device/measure.
#include "model/remote/remote_target.h"

#include <doctest/doctest.h>

#include "core/base/log.h"
#include "core/io/fake/fake_clock.h"
#include "core/io/fake/fake_files.h"
#include "core/io/fake/fake_http.h"
#include "model/remote/protocol.h"

using namespace oree;

namespace {

constexpr char kUrl[] = "https://device:8733";

struct Bench {
  Bench() : http(&files) { set_log_level(LogLevel::kError); }
  RemoteTarget target(const std::string& token = "token") {
    Ports ports{&clock, &random, &files, &http, nullptr, nullptr};
    return RemoteTarget(ports, {kUrl, token, "ada@laptop", 0}, [](const std::string& path) {
      return Result<std::vector<ModelFile>>(std::vector<ModelFile>{{path_name(path), path}});
    });
  }
  void answer(int status, const std::string& body) {
    http.on(kUrl, [status, body](const HttpRequest&) { return HttpResponse{status, {}, body}; });
  }
  // A job that runs, with workers whose commands are answered by `command`.
  void measure(FakeHttp::Handler command) {
    http.on(kUrl, [command](const HttpRequest& r) -> Result<HttpResponse> {
      if (r.url.find("/commands/") != std::string::npos) return command(r);
      if (r.url.find("/workers/") == std::string::npos && r.method == "PUT" &&
          r.url.find("/files/") == std::string::npos)
        return HttpResponse{201, {}, job_grant_to_json({60'000, 60'000, "boot-1"}).dump()};
      return HttpResponse{r.method == "HEAD" ? 404 : 200, {}, "{}"};
    });
  }

  FakeClock clock;
  FakeRandom random;
  FakeFiles files;
  FakeHttp http;
};

void expect(const Error& error, Code code, const std::string& part) {
  INFO(error.message());
  CHECK(error.code() == code);
  CHECK(error.message().find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("what is there instead of a device that measures is said in words") {
  struct Case {
    int status;
    std::string body;
    Code code;
    std::string part;
  };
  for (const Case& c :
       {Case{401, "{}", Code::kUsage, "does not accept this token"},
        Case{404, "<html>", Code::kNotFound, "not as an agent that measures"},
        Case{500, "", Code::kUnavailable, "status 500"},
        Case{503, R"({"error":"unavailable","reason":"looking: a child hung"})", Code::kUnavailable, "hung"},
        Case{200, "<html>", Code::kInvalid, kUrl}, Case{200, R"({"protocol":9})", Code::kUnsupported, "version 9"},
        Case{200, R"({"protocol":1,"name":"x"})", Code::kInvalid, "machine"}}) {
    Bench bench;
    bench.answer(c.status, c.body);
    auto described = bench.target().describe();
    REQUIRE(!described.ok());
    expect(described.error(), c.code, c.part);
  }
}

TEST_CASE("the device's own words cannot steer a terminal") {
  Bench bench;
  bench.answer(409, R"({"error":"conflict","reason":"busy\u001b[2J\n now"})");
  auto target = bench.target();
  auto refused = target.start({});
  REQUIRE(!refused.ok());
  CHECK(refused.error().code() == Code::kConflict);
  CHECK(refused.error().message().find('\x1b') == std::string::npos);
  CHECK(refused.error().message().find('\n') == std::string::npos);
}

TEST_CASE("a certificate that is not trusted is not called a device that is away") {
  Bench bench;
  bench.http.on(kUrl, [](const HttpRequest&) {
    return Result<HttpResponse>(Error(Code::kUnavailable, "TLS with device: self-signed certificate"));
  });
  auto described = bench.target().describe();
  REQUIRE(!described.ok());
  expect(described.error(), Code::kUsage, "not trusted");
  CHECK(bench.http.requests.size() == 1);  // asking again would not help
}

TEST_CASE("the token goes to the device with every request") {
  Bench bench;
  bench.measure([](const HttpRequest&) { return HttpResponse{200, {}, R"({"answer":{"ok":true}})"}; });
  {
    auto target = bench.target("secret");
    REQUIRE(target.start({}).ok());
  }
  REQUIRE(bench.http.requests.size() >= 3);
  for (const HttpRequest& r : bench.http.requests) CHECK(r.headers.at("Authorization") == "Bearer secret");
  CHECK(bench.http.requests.back().method == "DELETE");  // the job
}

TEST_CASE("a device that is away is asked three times, and says for how long it was waited") {
  Bench bench;
  bench.http.set_offline(true);
  auto target = bench.target();
  auto described = target.describe();
  REQUIRE(!described.ok());
  expect(described.error(), Code::kUnavailable, "does not answer");
  CHECK(bench.http.requests.size() == 3);
}

TEST_CASE("a command is asked for again until it has an answer, and given up when the device has none in time") {
  Bench bench;
  int asked = 0;
  bench.measure([&](const HttpRequest&) {
    bench.clock.advance_ms(10'000);
    ++asked;
    return HttpResponse{asked < 4 ? 202 : 200, {}, asked < 4 ? "{}" : R"({"answer":{"ok":true}})"};
  });
  auto target = bench.target();
  auto worker = target.start({});
  REQUIRE(worker.ok());
  CHECK((*worker)->set_input("", 1).ok());
  CHECK(asked == 4);
  CHECK(*target.recover(0) == false);
  asked = -1000;
  Status slow = (*worker)->set_input("", 1);
  REQUIRE(!slow.ok());
  expect(slow.error(), Code::kUnavailable, "no answer to 'input'");
  CHECK(asked < -1000 + 20);
}

TEST_CASE("nonsense from the device is an error, never more") {
  struct Case {
    int status;
    std::string body, part;
  };
  for (const Case& c :
       {Case{200, "x", "JSON"}, Case{200, R"({"answer":7})", "answer"}, Case{404, "{}", "device"},
        Case{404, R"({"missing":["0000"]})", "not spoken of"}, Case{404, R"({"missing":7})", "device"},
        Case{409, R"({"error":"conflict","reason":"worker 1 expects command 7"})", "expects command 7"},
        Case{200, R"({"dead":{"code":"unsupported","message":"crashed during 'input'"}})", "crashed"}}) {
    Bench bench;
    bench.measure([&](const HttpRequest&) { return HttpResponse{c.status, {}, c.body}; });
    auto target = bench.target();
    auto worker = target.start({});
    REQUIRE(worker.ok());
    Status refused = (*worker)->set_input("", 1);
    REQUIRE(!refused.ok());
    INFO(refused.error().message());
    CHECK(refused.error().message().find(c.part) != std::string::npos);
    CHECK(!(*worker)->set_input("", 1).ok());  // dead ever after
  }
}

TEST_CASE("a device's energy is what its worker says, or why it says none") {
  struct Case {
    std::string body, part;
  };
  const std::string head = R"({"answer":{"ok":true,"energy":{"method":"rapl package-0","covers":"CPU package",)";
  for (const Case& c :
       {Case{head + R"("not_measurable":"the counter did not move under load"}}})", "did not move"},
        Case{head + R"("joules_per_inference":"much"}}})", "joules_per_inference"},
        Case{R"({"answer":{"error":{"code":"unsupported","message":"no power sensor on this machine"}}})",
             "no power sensor"},
        Case{R"({"dead":{"code":"unsupported","message":"crashed during 'energy'"}})", "crashed"}}) {
    Bench bench;
    bench.files.put("m.onnx", "model");
    bench.measure([&](const HttpRequest& r) {
      if (r.body.find("\"energy\"") != std::string::npos) return HttpResponse{200, {}, c.body};
      if (r.body.find("\"run\"") != std::string::npos)
        return HttpResponse{200, {}, R"({"answer":{"ok":true,"latency_us":[1000],"rss_bytes_peak":1}})"};
      return HttpResponse{200, {}, R"({"answer":{"ok":true,"load_ms":1,"inputs":[],"outputs":[],"method":"m"}})"};
    });
    auto target = bench.target();
    CHECK(*target.meter("") == "m");
    const EnergyEstimate e = target.energy({}, {"m.onnx", "onnxruntime", {}}, "", 1, "", {});
    REQUIRE(e.not_measurable);
    INFO(*e.not_measurable);
    CHECK(e.not_measurable->find(c.part) != std::string::npos);
  }
}

TEST_CASE("outputs that came otherwise than announced are refused") {
  Bench bench;
  bench.files.put("in.npz", "numbers");
  const std::string digest(64, 'a');
  bench.measure([&](const HttpRequest&) {
    return HttpResponse{200, {}, R"({"answer":{"ok":true},"output":{"sha256":")" + digest + R"(","bytes":2}})"};
  });
  auto target = bench.target();
  auto worker = target.start({});
  REQUIRE(worker.ok());
  Status refused = (*worker)->outputs("in.npz", "out.npz");  // "{}" comes
  REQUIRE(!refused.ok());
  expect(refused.error(), Code::kIntegrity, "not those");
}
