// SPDX-License-Identifier: Apache-2.0
// Loop: a device that measures and whoever measures on it, in one process and in memory: the client's requests go
// straight into the server's handler, through a network that can fail.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/io/fake/fake_clock.h"
#include "core/io/fake/fake_files.h"
#include "core/io/fake/fake_processes.h"
#include "core/io/fake/fake_sensors.h"
#include "device/measure/measure_server.h"
#include "model/remote/remote_target.h"

namespace oree {

inline constexpr char kTestToken[] = "0123456789abcdef0123456789abcdef";

class LoopHttp : public HttpClient {
 public:
  Result<HttpResponse> send(const HttpRequest& request, const HttpHead& head, const HttpSink& sink) override;

  HttpHandler* server = nullptr;  // none: nobody listens
  Files* files = nullptr;         // the client's
  FakeClock* clock = nullptr;
  int lose_answers = 0;  // the next so many are carried out, and their answers lost
  std::function<void(const HttpRequest&)> each;
  std::vector<std::string> requests;  // "PUT /jobs/…", in order
  int count(const std::string& method, const std::string& part) const;
};

struct TestGate : JobGate {
  Status begin(const std::string& who) override {
    by = who;
    if (answer.ok()) ++begun;
    return answer;
  }
  void end() override { ++ended; }
  Status answer;
  std::string by;
  int begun = 0, ended = 0;
};

// What a child of the device does.
struct Loop {
  explicit Loop(int64_t disk_bytes_max = 1 << 20);
  void start_server();  // anew, over the disk as it is
  void stop_server();
  std::unique_ptr<RemoteTarget> target(const std::string& token = kTestToken, const std::string& by = "ada@laptop");
  void model(const std::string& path, const std::string& text, const std::string& weights = "");
  Candidate candidate(const std::string& path = "m.xml") const { return {path, "openvino", {}}; }

  FakeClock clock;
  FakeRandom random;
  FakeFiles device, laptop;
  FakeProcesses processes;
  FakeSensors sensors;
  LoopHttp http;
  TestGate gate;
  MeasureOptions options;
  std::unique_ptr<MeasureServer> server;

  std::vector<Json> commands;  // that children got
  std::string dies_at;         // a child's command that it does not survive
  int exit_signal = 11;
  int64_t rss_bytes = int64_t{10} << 20;
  std::vector<std::pair<std::string, std::string>> opened;  // names and contents beside the model that was opened

 private:
  std::optional<std::vector<std::string>> reply(const std::string& line);
};

}  // namespace oree
