// SPDX-License-Identifier: Apache-2.0
// Both ends together: a target that is a device, and the device.
#include <doctest/doctest.h>

#include "core/crypto/crypto.h"
#include "device/measure/loop_test.h"

using namespace oree;

namespace {

bool says(const Error& error, const std::string& part) {
  INFO(error.message());
  bool found = error.message().find(part) != std::string::npos;
  CHECK(found);
  return found;
}

std::string digest_of(const std::string& text) { return digest_text(sha256(as_bytes(text))); }

HttpRequest request(const std::string& method, const std::string& path, const std::string& body = "") {
  HttpRequest r;
  r.method = method;
  r.url = "http://device:8733/measure/v1" + path;
  r.headers["Authorization"] = std::string("Bearer ") + kTestToken;
  r.body = body;
  return r;
}

constexpr char kJob[] = "/jobs/0123456789abcdef0123456789abcdef";

int status_of(Loop& loop, const HttpRequest& r) {
  auto response = loop.http.send(r, {}, {});
  REQUIRE(response.ok());
  return response->status;
}

}  // namespace

TEST_CASE("a model is sent with its companions, opened, run, and its outputs come back") {
  Loop loop;
  loop.model("m.xml", "<net/>", "weights");
  loop.laptop.put("in.npz", "numbers");
  auto target = loop.target();
  auto described = target->describe();
  REQUIRE_MESSAGE(described.ok(), described.error().message());
  CHECK(described->name == "door-camera-1");
  CHECK(described->machine.cpu_model == "Fake CPU");
  REQUIRE(described->runtimes.size() == 1);
  CHECK(described->runtimes[0].version == "2025.0");
  CHECK(loop.gate.begun == 0);  // to ask is not to measure

  auto worker = target->start({});
  REQUIRE_MESSAGE(worker.ok(), worker.error().message());
  CHECK(loop.gate.by == "ada@laptop");
  auto opened = (*worker)->open(loop.candidate());
  REQUIRE_MESSAGE(opened.ok(), opened.error().message());
  CHECK(opened->load_ms == 3.5);
  CHECK(loop.opened == std::vector<std::pair<std::string, std::string>>{{"m.bin", "weights"}, {"m.xml", "<net/>"}});
  REQUIRE((*worker)->set_input("in.npz", 1).ok());
  auto turn = (*worker)->run(2, 3);
  REQUIRE(turn.ok());
  CHECK(turn->latency_ms == std::vector<double>{1, 1.001, 1.002});
  Status outputs = (*worker)->outputs("in.npz", "out/out.npz");
  REQUIRE_MESSAGE(outputs.ok(), outputs.error().message());
  CHECK(loop.laptop.text("out/out.npz") == "outputs of numbers");

  worker = Error(Code::kUsage, "");
  CHECK(loop.processes.running() == 0);
  target.reset();
  CHECK(loop.gate.ended == 1);
  CHECK(!loop.device.exists("/measure/job"));
}

TEST_CASE("a file is sent once, whatever measures, and is still there for the next job") {
  Loop loop;
  loop.model("m.xml", "<net/>", "weights");
  loop.model("copy.xml", "<net/>");
  for (int i = 0; i < 2; ++i) {
    auto target = loop.target();
    auto one = target->start({}), two = target->start({});
    REQUIRE((one.ok() && two.ok()));
    REQUIRE((*one)->open(loop.candidate()).ok());
    REQUIRE((*two)->open(loop.candidate()).ok());
    REQUIRE((*two)->open(loop.candidate("copy.xml")).ok());
    CHECK(loop.http.count("PUT", "/files/") == 2);
  }
  CHECK(loop.http.count("HEAD", "/files/") == 2);
  // Before a byte is sent, the device is asked.
  loop.start_server();
  loop.laptop.put("n.xml", "<net/> ");
  auto target = loop.target();
  auto worker = target->start({});
  REQUIRE((*worker)->open(loop.candidate("n.xml")).ok());
  CHECK(loop.http.count("HEAD", digest_of("<net/> ")) == 1);
  CHECK(loop.http.count("PUT", digest_of("<net/> ")) == 1);
}

TEST_CASE("who measures names one of the device's own meters, never a program to run there") {
  Loop loop;
  auto target = loop.target();
  CHECK(*target->meter("ina3221 VDD_IN") == "meter ina3221 VDD_IN, named");
  CHECK(*target->meter("") == "meter , named");
  loop.options.power_meter = "python3 /opt/meter.py";
  loop.start_server();
  auto again = loop.target();
  CHECK(*again->meter("") == "meter python3 /opt/meter.py");
  CHECK(*again->meter("rm -rf /") == "meter rm -rf /, named");
}

TEST_CASE("without the token every path is 401, and the target says so") {
  Loop loop;
  auto target = loop.target("another-token-another-token-anoth");
  auto described = target->describe();
  REQUIRE(!described.ok());
  CHECK(described.error().code() == Code::kUsage);
  says(described.error(), "does not accept this token");
  for (const char* path : {"/device", "/reading", "/nothing", kJob}) {
    HttpRequest r = request("GET", path);
    r.headers.clear();
    CHECK(status_of(loop, r) == 401);
    r.headers["Authorization"] = std::string("Bearer ") + kTestToken + "x";
    CHECK(status_of(loop, r) == 401);
  }
  CHECK(loop.processes.spawned.empty());
}

TEST_CASE("a token file may hold the token's hash alone; a short token is refused") {
  Loop loop;
  Ports ports{&loop.clock, &loop.random, &loop.device, nullptr, &loop.processes, &loop.sensors};
  loop.stop_server();
  MeasureServer hashed(ports, loop.options, "sha256:" + digest_of(kTestToken) + "\n", loop.gate);
  REQUIRE(hashed.open().ok());
  loop.http.server = &hashed;
  CHECK(loop.target()->describe().ok());
  loop.http.server = nullptr;
  for (const char* wrong : {"short", "", "sha256:", "sha256:00"}) {
    MeasureServer refused(ports, loop.options, wrong, loop.gate);
    Status status = refused.open();
    REQUIRE(!status.ok());
    CHECK(status.error().code() == Code::kUsage);
  }
}

TEST_CASE("a second one is told by whom the device is used and since when, and gets it afterwards") {
  Loop loop;
  auto first = loop.target();
  REQUIRE(first->start({}).ok());
  loop.clock.advance_ms(42'000);
  auto second = loop.target(kTestToken, "bob@desk");
  auto refused = second->start({});
  REQUIRE(!refused.ok());
  CHECK(refused.error().code() == Code::kConflict);
  says(refused.error(), "ada@laptop measures on it since 42 s");
  first.reset();
  CHECK(second->start({}).ok());
}

TEST_CASE("what the agent has to do first is said") {
  Loop loop;
  loop.gate.answer = Error(Code::kConflict, "an update is under way");
  auto target = loop.target();
  auto refused = target->start({});
  REQUIRE(!refused.ok());
  CHECK(refused.error().code() == Code::kConflict);
  says(refused.error(), "an update is under way");
  loop.gate.answer = Status();
  CHECK(target->start({}).ok());
}

TEST_CASE("silence ends a job and its workers; the target begins another") {
  Loop loop;
  loop.model("m.xml", "<net/>");
  auto target = loop.target();
  auto worker = target->start({});
  REQUIRE(worker.ok());
  loop.clock.advance_ms(59'000);
  loop.server->tick();
  CHECK((*worker)->open(loop.candidate()).ok());  // heard: the lease begins anew
  loop.clock.advance_ms(59'000);
  loop.server->tick();
  CHECK(loop.processes.running() == 1);
  loop.clock.advance_ms(1'000);
  loop.server->tick();
  CHECK(loop.processes.running() == 0);
  CHECK(loop.gate.ended == 1);
  auto lost = (*worker)->run(0, 1);
  REQUIRE(!lost.ok());
  CHECK(lost.error().code() == Code::kUnavailable);
  says(lost.error(), "no request came for 60 s");
  auto back = target->recover(0);
  REQUIRE(back.ok());
  CHECK(*back);
  auto again = target->start({});
  REQUIRE(again.ok());
  CHECK((*again)->open(loop.candidate()).ok());
  CHECK(!(*worker)->run(0, 1).ok());  // the old one stays lost
}

TEST_CASE("a job's time is limited, and recover() does not begin it anew") {
  Loop loop;
  loop.options.job_ms_max = 100'000;
  loop.start_server();
  auto target = loop.target();
  auto worker = target->start({});
  for (int i = 0; i < 3; ++i) {
    loop.clock.advance_ms(40'000);
    (void)target->recover(0);
    loop.server->tick();
  }
  auto refused = (*worker)->run(0, 1);
  REQUIRE(!refused.ok());
  says(refused.error(), "100 s");
  auto back = target->recover(600'000);
  REQUIRE(!back.ok());
  CHECK(back.error().code() == Code::kUnavailable);
}

TEST_CASE("a device that is gone in the middle is waited for, and what it was is said") {
  Loop loop;
  loop.model("m.xml", "<net/>");
  auto target = loop.target();
  auto worker = target->start({});
  REQUIRE((*worker)->open(loop.candidate()).ok());
  CHECK(*target->recover(0) == false);  // it never was away
  loop.http.server = nullptr;           // unplugged
  auto lost = (*worker)->run(0, 1);
  REQUIRE(!lost.ok());
  CHECK(lost.error().code() == Code::kUnavailable);
  auto gone = target->recover(20'000);
  REQUIRE(!gone.ok());
  CHECK(gone.error().code() == Code::kUnavailable);
  says(gone.error(), "does not answer");
  says(gone.error(), "waited");
  CHECK(!target->start({}).ok());
  // Plugged in again a while into the next wait, after a reboot.
  loop.stop_server();
  loop.sensors.machine.boot_id = "boot-2";
  int64_t begin = loop.clock.monotonic_ns();
  loop.http.each = [&](const HttpRequest&) {
    bool due = loop.clock.monotonic_ns() - begin > 40'000'000'000;
    if (due && loop.http.server == nullptr) loop.start_server();
  };
  auto back = target->recover(600'000);
  REQUIRE_MESSAGE(back.ok(), back.error().message());
  CHECK(*back);
  auto again = target->start({});
  REQUIRE(again.ok());
  CHECK((*again)->open(loop.candidate()).ok());
  CHECK(loop.http.count("PUT", "/files/") == 1);  // the file was still there
}

TEST_CASE("a network that stumbles is no loss: a command that is asked twice runs once") {
  Loop loop;
  loop.model("m.xml", "<net/>");
  auto target = loop.target();
  loop.http.lose_answers = 1;
  auto worker = target->start({});
  REQUIRE_MESSAGE(worker.ok(), worker.error().message());
  CHECK(loop.gate.begun == 1);
  REQUIRE((*worker)->open(loop.candidate()).ok());
  size_t before = loop.commands.size();
  loop.http.lose_answers = 2;
  CHECK((*worker)->run(0, 2).ok());
  CHECK(loop.commands.size() == before + 1);
}

TEST_CASE("a worker that dies is the candidate's affair, and only its") {
  struct Case {
    int signal;
    int64_t rss_bytes;
    Code code;
    std::string says;
  };
  for (const Case& c : {Case{11, 10 << 20, Code::kUnsupported, "crashed during 'run'"},
                        Case{9, 10 << 20, Code::kExhausted, "want of memory"},
                        Case{11, int64_t{200} << 20, Code::kExhausted, "100.0 MiB"}}) {
    Loop loop;
    loop.model("m.xml", "<net/>");
    auto target = loop.target();
    auto other = target->start({});
    REQUIRE((*other)->open(loop.candidate()).ok());
    loop.exit_signal = c.signal;
    loop.rss_bytes = c.rss_bytes;
    auto worker = target->start({});
    REQUIRE(worker.ok());
    loop.dies_at = "run";
    auto opened = (*worker)->open(loop.candidate());
    auto died = opened.ok() ? (*worker)->run(0, 1) : Result<Worker::Turn>(opened.error());
    REQUIRE(!died.ok());
    CHECK(died.error().code() == c.code);
    says(died.error(), c.says);
    CHECK(*target->recover(0) == false);
    loop.dies_at.clear();
    CHECK((*other)->run(0, 1).ok());
  }
}

TEST_CASE("the least recently used files make room, those in use stay, and what never fits is refused in words") {
  Loop loop(10'000);
  for (const char* name : {"a", "b", "c", "d"}) loop.model(std::string(name) + ".xml", std::string(4000, name[0]));
  loop.model("huge.xml", std::string(20'000, 'h'));
  auto here = [&](char c) { return loop.device.exists("/measure/files/" + digest_of(std::string(4000, c))); };
  {
    auto target = loop.target();
    auto worker = target->start({});
    for (const char* name : {"a.xml", "b.xml", "a.xml"}) REQUIRE((*worker)->open(loop.candidate(name)).ok());
    REQUIRE((*worker)->open(loop.candidate("c.xml")).ok());
    CHECK((here('a') && !here('b') && here('c')));
    auto second = target->start({});
    REQUIRE((*second)->open(loop.candidate("d.xml")).ok());  // c is open in the first worker
    CHECK((!here('a') && here('c') && here('d')));
    auto third = target->start({});
    auto full = (*third)->open(loop.candidate("a.xml"));
    REQUIRE(!full.ok());
    CHECK(full.error().code() == Code::kExhausted);
    says(full.error(), "in use");
    auto huge = target->start({});
    auto never = (*huge)->open(loop.candidate("huge.xml"));
    REQUIRE(!never.ok());
    CHECK(never.error().code() == Code::kExhausted);
    says(never.error(), "lends for measuring");
    CHECK((*worker)->run(0, 1).ok());
  }
  // The order outlives the process: d was used after c.
  loop.stop_server();
  loop.start_server();
  auto target = loop.target();
  auto worker = target->start({});
  REQUIRE((*worker)->open(loop.candidate("a.xml")).ok());
  CHECK((here('a') && !here('c') && here('d')));
}

TEST_CASE("the disk's reserve is kept, and a disk that fills up in the middle leaves nothing behind") {
  Loop loop;
  loop.model("m.xml", std::string(5000, 'm'));
  loop.device.set_free_bytes(5500);  // a reserve of 1000 is to stay
  auto target = loop.target();
  auto worker = target->start({});
  auto full = (*worker)->open(loop.candidate());
  REQUIRE(!full.ok());
  CHECK(full.error().code() == Code::kExhausted);
  says(full.error(), "the device's disk has");
  CHECK(*target->recover(0) == false);  // it is the disk, not the device

  loop.device.set_free_bytes(100'000);
  auto second = target->start({});
  REQUIRE(second.ok());
  bool cut = false;
  loop.http.each = [&](const HttpRequest& r) {
    if (r.method == "PUT" && r.url.find("/files/") != std::string::npos && !cut) {
      cut = true;
      loop.device.fail_after(3, Error(Code::kExhausted, "no space left on device"));
    }
  };
  auto broken = (*second)->open(loop.candidate());
  REQUIRE(!broken.ok());
  CHECK(broken.error().code() == Code::kExhausted);
  says(broken.error(), "no space left");
  loop.device.heal();
  loop.server->close();
  loop.start_server();
  CHECK(loop.device.list("/measure/incoming").value().empty());
  CHECK(loop.device.list("/measure/files").value().empty());
  auto back = target->recover(0);
  REQUIRE(back.ok());
  auto third = target->start({});
  REQUIRE(third.ok());
  CHECK((*third)->open(loop.candidate()).ok());
}

TEST_CASE("bytes of another digest are not kept") {
  Loop loop;
  CHECK(status_of(loop, request("PUT", kJob, R"({"by":"ada"})")) == 201);
  std::string file = std::string(kJob) + "/files/" + digest_of("good");
  CHECK(status_of(loop, request("HEAD", file)) == 404);
  CHECK(status_of(loop, request("PUT", file, "evil")) == 422);
  CHECK(status_of(loop, request("HEAD", file)) == 404);
  CHECK(status_of(loop, request("PUT", file, "good")) == 201);
  CHECK(status_of(loop, request("PUT", file, "good")) == 200);
  CHECK(status_of(loop, request("HEAD", file)) == 200);
  CHECK(loop.device.list("/measure/incoming").value().empty());
}

TEST_CASE("what is out of bounds or out of order is refused, and the job goes on") {
  Loop loop;
  CHECK(status_of(loop, request("PUT", kJob, "{}")) == 400);
  CHECK(status_of(loop, request("PUT", kJob, "nonsense")) == 400);
  CHECK(status_of(loop, request("GET", kJob)) == 410);
  CHECK(status_of(loop, request("PUT", kJob, R"({"by":"ada"})")) == 201);
  CHECK(status_of(loop, request("PUT", kJob, R"({"by":"ada"})")) == 200);
  CHECK(status_of(loop, request("GET", kJob)) == 200);
  std::string w = std::string(kJob) + "/workers/1";
  const std::string run = R"({"command":{"cmd":"run","warmup":0,"runs":1},"timeout_ms":1000,"wait_ms":1000})";
  CHECK(status_of(loop, request("POST", w + "/commands/1", run)) == 409);  // no such worker
  CHECK(status_of(loop, request("PUT", w, R"({"memory_bytes_max":0})")) == 201);
  CHECK(status_of(loop, request("PUT", w, R"({"memory_bytes_max":0})")) == 200);
  CHECK(status_of(loop, request("POST", w + "/commands/2", run)) == 409);
  CHECK(status_of(loop, request("POST", w + "/commands/1", run)) == 200);
  CHECK(status_of(loop, request("POST", w + "/commands/1", run)) == 200);  // the same answer again
  CHECK(loop.commands.size() == 1);
  CHECK(status_of(loop, request("GET", w + "/output")) == 404);
  CHECK(status_of(loop, request("POST", w + "/commands/2", std::string(100'000, ' '))) == 413);
  CHECK(status_of(loop, request("POST", kJob, "")) == 405);
  CHECK(status_of(loop, request("GET", "/jobs/xyz")) == 404);
  CHECK(status_of(loop, request("DELETE", w)) == 200);
  CHECK(status_of(loop, request("PUT", w, R"({"memory_bytes_max":0})")) == 409);  // its number is spent
  CHECK(status_of(loop, request("DELETE", kJob)) == 200);
  CHECK(status_of(loop, request("DELETE", kJob)) == 410);
  CHECK(loop.gate.ended == 1);
}

TEST_CASE("no more workers than the limit live at once") {
  Loop loop;
  CHECK(status_of(loop, request("PUT", kJob, R"({"by":"ada"})")) == 201);
  for (int i = 1; i <= 64; ++i) {
    CHECK(status_of(loop, request("PUT", std::string(kJob) + "/workers/" + std::to_string(i),
                                  R"({"memory_bytes_max":0})")) == 201);
  }
  CHECK(status_of(loop, request("PUT", std::string(kJob) + "/workers/65", R"({"memory_bytes_max":0})")) == 507);
  loop.stop_server();
  CHECK(loop.processes.running() == 0);
}

TEST_CASE("engines are looked at by a child, and not beside a measurement") {
  Loop loop;
  auto target = loop.target();
  REQUIRE(target->describe().ok());
  REQUIRE(target->start({}).ok());
  size_t before = loop.processes.spawned.size();
  REQUIRE(target->describe().ok());
  CHECK(loop.processes.spawned.size() == before);
}
