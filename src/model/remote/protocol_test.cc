// SPDX-License-Identifier: Apache-2.0
#include "model/remote/protocol.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace oree;

namespace {

const std::string kDigest(64, 'a');

Json command_json(const std::string& text) { return *Json::parse(text); }

}  // namespace

TEST_CASE("what a device says of itself comes back as it was") {
  TargetDescription d;
  d.name = "door-camera-1";
  d.machine = {"aarch64", "Cortex-A76", "Debian", 4, int64_t{4} << 30, "boot-7"};
  d.machine.board = "Raspberry Pi 5";
  d.machine.core_groups = {{{2, 3}, 1024}, {{0, 1}, 446}};
  RuntimeInfo info;
  info.name = "onnxruntime";
  info.available = true;
  info.version = "1.20";
  info.library = "/usr/lib/libonnxruntime.so";
  info.origin = "system";
  info.providers = {"cpu"};
  info.formats = {"onnx"};
  info.precisions = {"f32", "default"};
  info.absent = {{"cuda", "no driver"}};
  d.runtimes = {info};
  d.workers_bytes_max = int64_t{3} << 30;
  auto back = description_from_json(description_to_json(d));
  REQUIRE(back.ok());
  CHECK(description_to_json(*back) == description_to_json(d));
  CHECK(back->machine.boot_id == "boot-7");
  CHECK(back->workers_bytes_max == int64_t{3} << 30);
  CHECK(back->machine.board == "Raspberry Pi 5");
  REQUIRE(back->machine.core_groups.size() == 2);
  CHECK(back->machine.core_groups[0].cpus == std::vector<int>{2, 3});
  CHECK(back->machine.core_groups[1].capacity == 446);
  REQUIRE(back->runtimes.size() == 1);
  CHECK(back->runtimes[0].absent.at("cuda") == "no driver");
}

TEST_CASE("another version of the protocol is unsupported, and says both versions") {
  Json json = description_to_json({"x", {}, {}});
  json.set("protocol", 2);
  auto refused = description_from_json(json);
  REQUIRE(!refused.ok());
  CHECK(refused.error().code() == Code::kUnsupported);
  CHECK(refused.error().message().find("version 2") != std::string::npos);
}

TEST_CASE("a reading keeps what is not known unknown") {
  SystemReading reading;
  reading.load_1min = 0.25;
  reading.throttled = true;
  reading.frequencies = {{"policy0", 1500, 600, 2400, "schedutil"}};
  auto back = reading_from_json(reading_to_json(reading));
  REQUIRE(back.ok());
  CHECK(back->load_1min == 0.25);
  CHECK(back->throttled == true);
  REQUIRE(back->frequencies.size() == 1);
  CHECK(back->frequencies[0].mhz == 1500);
  CHECK(back->frequencies[0].governor == "schedutil");
  CHECK(!back->throttle_count);
  CHECK(!back->temperature_celsius);
  CHECK(!back->memory_used_bytes);
}

TEST_CASE("a command names files by digest alone") {
  RemoteCommand command;
  command.command = Json().set("cmd", "open").set("runtime", "tflite").set("threads", 2);
  command.model = {{"m.xml", kDigest}, {"weights/m.bin", std::string(64, '0')}};
  command.timeout_ms = 1000;
  command.wait_ms = 10;
  auto back = remote_command_from_json(remote_command_to_json(command));
  REQUIRE(back.ok());
  CHECK(back->model == command.model);
  CHECK(back->command == command.command);

  const std::string d = kDigest;
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {R"({"command":{"cmd":"open","model":"/etc/passwd"},"timeout_ms":1,"wait_ms":0})", "model"},
           {R"({"command":{"cmd":"open"},"timeout_ms":1,"wait_ms":0})", "model"},
           {R"({"command":{"cmd":"open"},"model":[],"timeout_ms":1,"wait_ms":0})", "1 to 64"},
           {R"({"command":{"cmd":"open"},"model":[{"name":"../x","sha256":")" + d +
                R"("}],"timeout_ms":1,"wait_ms":0})",
            "'..'"},
           {R"({"command":{"cmd":"open"},"model":[{"name":"x","sha256":"AB"}],"timeout_ms":1,"wait_ms":0})", "hex"},
           {R"({"command":{"cmd":"outputs"},"timeout_ms":1,"wait_ms":0})", "input"},
           {R"({"command":{"cmd":"outputs","output":"/x"},"input":")" + d + R"(","timeout_ms":1,"wait_ms":0})",
            "output"},
           {R"({"command":{"cmd":"runtimes"},"timeout_ms":1,"wait_ms":0})", "cmd"},
           {R"({"command":{"cmd":"run"},"timeout_ms":0,"wait_ms":0})", "timeout_ms"},
           {R"({"command":{"cmd":"run"},"timeout_ms":1,"wait_ms":99999999})", "wait_ms"}}) {
    auto refused = remote_command_from_json(command_json(text));
    INFO(text);
    REQUIRE(!refused.ok());
    CHECK(refused.error().code() == Code::kInvalid);
    CHECK(refused.error().message().find(why) != std::string::npos);
  }
}

TEST_CASE("an answer is the child's own, or its end with the code it ended with") {
  RemoteAnswer answer;
  answer.dead = Error(Code::kExhausted, "killed");
  auto back = remote_answer_from_json(remote_answer_to_json(answer));
  REQUIRE(back.ok());
  REQUIRE(back->dead);
  CHECK(back->dead->code() == Code::kExhausted);
  RemoteAnswer with_file;
  with_file.answer = Json().set("ok", true);
  with_file.output_digest = kDigest;
  with_file.output_bytes = 7;
  back = remote_answer_from_json(remote_answer_to_json(with_file));
  REQUIRE(back.ok());
  CHECK(back->output_digest == kDigest);
  CHECK(back->output_bytes == 7);
  CHECK(!remote_answer_from_json(*Json::parse(R"({"output":{"sha256":"x","bytes":1}})")).ok());
}

TEST_CASE("whoever measures must say who it is, in one line") {
  CHECK(job_request_from_json(job_request_to_json({"ada@laptop", 5000})).ok());
  CHECK(!job_request_from_json(job_request_to_json({"", 0})).ok());
  CHECK(!job_request_from_json(job_request_to_json({"a\nb", 0})).ok());
  CHECK(!job_request_from_json(job_request_to_json({std::string(300, 'x'), 0})).ok());
}

TEST_CASE("the examples of docs/formats/measure.md are read") {
  std::ifstream file(std::string(OREE_SOURCE_DIR) + "/docs/formats/measure.md");
  std::stringstream text;
  text << file.rdbuf();
  std::string page = text.str();
  std::vector<Json> examples;
  for (size_t at = page.find("```json\n"); at != std::string::npos; at = page.find("```json\n", at + 1)) {
    size_t from = at + 8, to = page.find("\n```", from);
    auto json = Json::parse(page.substr(from, to - from));
    REQUIRE_MESSAGE(json.ok(), json.error().message());
    examples.push_back(*json);
  }
  REQUIRE(examples.size() == 5);
  CHECK(description_from_json(examples[0]).ok());
  CHECK(job_request_from_json(examples[1]).ok());
  CHECK(job_grant_from_json(examples[2]).ok());
  CHECK(remote_command_from_json(examples[3]).ok());
  CHECK(remote_answer_from_json(examples[4]).ok());
}
