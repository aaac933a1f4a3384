// SPDX-License-Identifier: Apache-2.0
// One fault at a time. The sweeps over all of them are in agent_sweep_test.cc.
#include "device/agent/agent.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "deliver/bundle/bundle.h"
#include "device/agent/world_test.h"

using namespace oree;

namespace {

// A device on which 1.0 is committed.
struct Settled : World {
  Settled() {
    v1 = make_bundle("1.0");
    offer(v1);
    REQUIRE(settle());
    REQUIRE(running() == "1.0");
    REQUIRE(last().outcome == "committed");
  }
  // 1.1 behaves so: how does it end?
  void expect_end(Behaviour how, const std::string& outcome, const std::string& reason) {
    behaviour["1.1"] = how;
    v2 = make_bundle("1.1");
    offer(v2);
    REQUIRE(settle());
    CHECK(last().version == "1.1");
    CHECK(last().outcome == outcome);
    CHECK(last().reason == reason);
    CHECK(running() == (outcome == "committed" ? "1.1" : "1.0"));
    // The old one may have to be killed first, and one that finishes is between two starts for a while.
    for (int i = 0; i < 200 && (i < 40 || processes.running() != 1); ++i) run_for(250);
    CHECK(processes.running() == 1);  // and an application runs on it
    std::string folder;
    for (const ProcessSpec& spec : processes.spawned) {
      if (spec.argv[0] == "camera") folder = spec.env.at("OREE_BUNDLE_DIR");
    }
    CHECK(folder == slot_folder(config.data, agent->state().active));
    CHECK(statuses.back().update_outcome == outcome);
    CHECK(statuses.back().update_reason == reason);
    if (outcome == "committed") return;
    size_t fetched = blob_requests();
    run_for(200'000);                   // many polls
    CHECK(blob_requests() == fetched);  // never tried again
    CHECK_FALSE(disk.exists(slot_folder(config.data, agent->state().spare())));
  }
  size_t blob_requests() const {
    size_t n = 0;
    for (const HttpRequest& r : http.requests) n += r.url.find("/blobs/") != std::string::npos;
    return n;
  }
  TestBundle v1, v2;
};

}  // namespace

TEST_CASE("an update is fetched, proven, watched and committed") {
  Settled world;
  world.expect_end({}, "committed", "");
  CHECK(world.statuses.back().version == "1.1");
  CHECK(world.statuses.back().state == "idle");
  CHECK(world.statuses.back().update_seq == 2);
  std::vector<std::string> states;
  for (const DeviceStatus& s : world.statuses) {
    if (states.empty() || states.back() != s.state) states.push_back(s.state);
  }
  CHECK(states.size() >= 5);
}

TEST_CASE("the committed version stays as the fallback") {
  Settled world;
  world.expect_end({}, "committed", "");
  const Slot& spare = world.agent->state().slots[static_cast<size_t>(world.agent->state().spare())];
  CHECK(spare.version == "1.0");
  CHECK(spare.committed);
  CHECK(slot_intact(world.disk, "/data", world.agent->state().spare(), spare));
}

TEST_CASE("wrong outputs on the golden samples are refused") {
  Settled().expect_end({Behaviour::kMismatch, {}}, "refused", "golden_mismatch");
}
TEST_CASE("a prover that crashes is a verdict") {
  Settled().expect_end({Behaviour::kProverCrashes, {}}, "refused", "prove_crashed");
}
TEST_CASE("a prover that hangs is killed and is a verdict") {
  Settled().expect_end({Behaviour::kProverHangs, {}}, "refused", "prove_timeout");
}
TEST_CASE("a prover that passes its memory bound is killed") {
  Settled().expect_end({Behaviour::kProverEatsMemory, {}}, "refused", "memory");
}
TEST_CASE("an app that crashes at start is rolled back") {
  Settled().expect_end({{}, Behaviour::kCrashesAtStart}, "rolled_back", "app_crashed");
}
TEST_CASE("an app that crashes later in probation is rolled back") {
  Settled().expect_end({{}, Behaviour::kCrashesLater}, "rolled_back", "app_crashed");
}
TEST_CASE("an app that hangs and ignores SIGTERM is rolled back") {
  Settled world;
  world.expect_end({{}, Behaviour::kHangs}, "rolled_back", "app_hung");
  CHECK(std::count(world.processes.signals.begin(), world.processes.signals.end(), 9) >= 1);
}
TEST_CASE("an app that is never ready is rolled back") {
  Settled().expect_end({{}, Behaviour::kNeverReady}, "rolled_back", "app_not_ready");
}
TEST_CASE("silence in probation is failure") {
  Settled().expect_end({{}, Behaviour::kSilent}, "rolled_back", "app_silent");
}
TEST_CASE("a model too slow on live data is rolled back") {
  Settled().expect_end({{}, Behaviour::kSlow}, "rolled_back", "app_latency");
}
TEST_CASE("severe drift in probation is rolled back") {
  Settled().expect_end({{}, Behaviour::kDrifts}, "rolled_back", "drift");
}
TEST_CASE("an input that ends during probation commits what was seen") {
  Settled world;
  world.expect_end({{}, Behaviour::kFinishes}, "committed", "");
}

TEST_CASE("forgiven crashes do not roll back") {
  World world;
  world.config.probation_crashes_max = 2;
  world.behaviour["1.0"].app = Behaviour::kCrashesLater;
  world.offer(world.make_bundle("1.0"));
  REQUIRE(world.settle());
  CHECK(world.last().outcome == "rolled_back");
  CHECK(world.last().reason == "app_crashed");
  // 8 s a start: it was started three times before the verdict
  int starts = 0;
  for (const ProcessSpec& spec : world.processes.spawned) starts += spec.argv[0] == "camera";
  CHECK(starts == 3);
  CHECK(world.running() == "");
}

TEST_CASE("a wrong digest is tried three times and then refused") {
  Settled world;
  TestBundle bundle = world.make_bundle("1.1");
  std::string other = bundle.bytes;
  other[other.size() / 2] ^= 1;
  world.offer_bytes(bundle, other);
  size_t before = world.blob_requests();
  REQUIRE(world.settle());
  CHECK(world.last().outcome == "refused");
  CHECK(world.last().reason == "digest");
  CHECK(world.blob_requests() == before + 3);
  world.run_for(300'000);
  CHECK(world.blob_requests() == before + 3);
  CHECK(world.running() == "1.0");
  world.offer(world.make_bundle("1.2"));
  REQUIRE(world.settle());
  CHECK(world.running() == "1.2");
}

TEST_CASE("a wrong signature is refused before anything is unpacked") {
  Settled world;
  world.offer(world.make_bundle("1.1", "detector", false));
  REQUIRE(world.settle());
  CHECK(world.last().reason == "signature");
  CHECK(world.running() == "1.0");
  CHECK(world.proven.count("1.1") == 0);
}

TEST_CASE("a tampered bundle with a matching digest is refused") {
  Settled world;
  TestBundle bundle = world.make_bundle("1.1");
  bundle.bytes[bundle.bytes.size() / 2] ^= 1;  // somewhere in a member
  bundle.digest = digest_text(sha256(as_bytes(bundle.bytes)));
  world.offer(bundle);
  REQUIRE(world.settle());
  CHECK(world.last().reason == "integrity");
  CHECK(world.running() == "1.0");
}

TEST_CASE("a bundle of another model or under another version is refused") {
  Settled world;
  world.offer(world.make_bundle("1.1", "classifier"));
  REQUIRE(world.settle());
  CHECK(world.last().reason == "incompatible");
  TestBundle bundle = world.make_bundle("1.2");
  bundle.version = "1.3";
  world.offer(bundle);
  REQUIRE(world.settle());
  CHECK(world.last().reason == "invalid_bundle");
  CHECK(world.running() == "1.0");
}

TEST_CASE("an older version is refused once, and taken when the configuration says so") {
  Settled world;
  world.offer(world.make_bundle("0.9"));
  REQUIRE(world.settle());
  CHECK(world.last().reason == "downgrade");
  int64_t seq = world.agent->state().update_seq;
  world.run_for(200'000);
  CHECK(world.agent->state().update_seq == seq);  // one outcome, not one a poll
  world.config.allow_downgrade = true;
  world.boot();
  world.run_for(120'000);
  CHECK(world.running() == "0.9");
}

TEST_CASE("a release for other devices or too large is refused without a download") {
  Settled world;
  size_t before = world.blob_requests();
  TestBundle bundle = world.make_bundle("1.1");
  world.offer(bundle);
  world.latest->compatible_devices = {"jetson"};
  REQUIRE(world.settle());
  CHECK(world.last().reason == "incompatible");
  world.latest->compatible_devices = {"pi"};
  world.latest->size = world.config.download_bytes_max + 1;
  world.run_for(60'000);
  CHECK(world.last().reason == "too_large");
  CHECK(world.blob_requests() == before);
}

TEST_CASE("two updates in a row: the second waits for the first one's probation") {
  Settled world;
  world.offer(world.make_bundle("1.1"));
  while (world.agent->state().update.phase != Phase::kProbation) world.run_for(250);
  world.offer(world.make_bundle("1.2"));
  REQUIRE(world.settle());
  CHECK(world.running() == "1.2");
  CHECK(world.committed == std::set<std::string>{"1.0", "1.1", "1.2"});
}

TEST_CASE("a newer release replaces one that is still being fetched") {
  Settled world;
  world.offer(world.make_bundle("1.1"));
  world.blobs.clear();
  world.http.on("https://fleet/blobs/sha256/", [&](const HttpRequest& r) -> Result<HttpResponse> {
    auto blob = world.blobs.find(r.url.substr(27));
    if (blob == world.blobs.end()) return Error(Code::kUnavailable, "gone");
    return answer_range(r, blob->second);
  });
  world.run_for(30'000);
  REQUIRE(world.agent->state().update.version == "1.1");
  world.offer(world.make_bundle("1.2"));
  REQUIRE(world.settle());
  CHECK(world.running() == "1.2");
  CHECK(world.committed.count("1.1") == 0);
  CHECK(world.disk.list("/data/download")->empty());
}

TEST_CASE("server gone: the model runs, the agent comes back with growing pauses") {
  Settled world;
  world.http.set_offline(true);
  size_t before = world.http.requests.size();
  world.boot();
  world.run_for(600'000);
  CHECK(world.running() == "1.0");
  CHECK(world.processes.running() == 1);
  CHECK(world.http.requests.size() - before < 16);  // at least 54 s apart in the end
  world.http.set_offline(false);
  world.offer(world.make_bundle("1.1"));
  REQUIRE(world.settle());
  CHECK(world.running() == "1.1");
}

TEST_CASE("a clock wrong by years changes nothing") {
  constexpr int64_t kYear = int64_t{365} * 86'400'000;
  for (int64_t jump : {-60 * kYear, -5 * kYear, 5 * kYear, 70 * kYear}) {
    Settled world;
    world.offer(world.make_bundle("1.1"));
    // Jumps in the middle, and back again at every third step.
    int turns = 0;
    world.each_turn = [&] {
      if (++turns % 3 == 1) world.clock.set_wall_ms(world.clock.wall_ms() + (turns % 2 ? jump : -jump));
    };
    REQUIRE(world.settle());
    CHECK(world.running() == "1.1");
    CHECK(world.last().outcome == "committed");
    world.boot();
    world.run_for(60'000);
    CHECK(world.running() == "1.1");
  }
}

TEST_CASE("cut at every chunk: the download goes on where it was") {
  Settled world;
  world.http.set_chunk_bytes(256);
  TestBundle bundle = world.make_bundle("1.1");
  auto size = static_cast<int64_t>(bundle.bytes.size());
  for (int64_t cut = 0; cut < size; cut += 256) {
    Settled fresh;
    fresh.http.set_chunk_bytes(256);
    fresh.offer(bundle);
    // The poll comes first: cut the blob, not the poll.
    bool armed = false;
    fresh.each_turn = [&] {
      if (!armed && fresh.agent->state().update.phase == Phase::kDownloading) {
        armed = true;
        fresh.http.cut_next_after(cut);
      }
    };
    REQUIRE(fresh.settle());
    CHECK(fresh.running() == "1.1");
  }
}

TEST_CASE("a download goes on over restarts with a range and the old ETag") {
  Settled world;
  world.http.set_chunk_bytes(256);
  TestBundle bundle = world.make_bundle("1.1");
  world.offer(bundle);
  world.http.on("https://fleet/blobs/sha256/", [&](const HttpRequest& r) -> Result<HttpResponse> {
    // Never more than 1000 bytes a connection.
    HttpResponse answer = answer_range(r, bundle.bytes);
    answer.headers["etag"] = "\"e1\"";
    world.http.cut_next_after(1000);
    return answer;
  });
  for (int i = 0; i < 400 && world.running() != "1.1"; ++i) {
    world.run_for(1'000);
    if (world.agent->state().update.phase == Phase::kDownloading) world.boot();  // kill -9
  }
  REQUIRE(world.settle());
  CHECK(world.running() == "1.1");
  int ranged = 0;
  for (const HttpRequest& r : world.http.requests) {
    if (r.headers.count("Range")) {
      ++ranged;
      CHECK(r.headers.at("If-Range") == "\"e1\"");
    }
  }
  CHECK(ranged >= 4);
}

TEST_CASE("disk full at first: told once, tried again, and done when there is room") {
  Settled world;
  TestBundle bundle = world.make_bundle("1.1");
  world.disk.set_free_bytes(8000);
  world.offer(bundle);
  REQUIRE(world.settle());
  CHECK(world.last().reason == "disk_full");
  CHECK(world.running() == "1.0");
  int64_t seq = world.agent->state().update_seq;
  world.run_for(300'000);
  CHECK(world.agent->state().update_seq == seq);
  world.disk.set_free_bytes(1 << 20);
  world.run_for(300'000);
  CHECK(world.running() == "1.1");
}

TEST_CASE("a damaged active slot falls back to the other one at boot, and is fetched again") {
  Settled world;
  world.expect_end({}, "committed", "");
  int bad = world.agent->state().active;
  world.kill();
  std::string model = slot_folder("/data", bad) + "/model/m.onnx";
  std::string text = world.disk.text(model);
  text[100] ^= 1;
  world.disk.put(model, text);
  world.latest.reset();
  world.boot();
  CHECK(world.running() == "1.0");
  CHECK(world.last().reason == "slot_damaged");
  world.offer(world.v2);
  world.run_for(120'000);
  CHECK(world.running() == "1.1");
}

TEST_CASE("a torn journal falls back to the generation before it") {
  Settled world;
  world.expect_end({}, "committed", "");
  world.kill();
  std::string text = world.disk.text("/data/state.json");
  for (size_t keep : {size_t{0}, size_t{1}, text.size() / 2, text.size() - 2}) {
    world.disk.put("/data/state.json", text.substr(0, keep));
    world.boot();
    CHECK(world.running() == "1.1");
    world.kill();
  }
}

TEST_CASE("with both journals gone bad the slots are searched and the model starts") {
  Settled world;
  world.expect_end({}, "committed", "");
  world.kill();
  world.disk.put("/data/state.json", "{");
  world.disk.put("/data/state.prev.json", std::string(300, '\0'));
  world.http.set_offline(true);
  world.boot();
  world.run_for(5'000);
  CHECK(world.running() == "1.0");  // the older: certainly a committed one
  CHECK(world.last().reason == "journal_lost");
  CHECK(world.processes.running() == 1);
  world.http.set_offline(false);
  world.run_for(120'000);
  CHECK(world.running() == "1.1");
}

TEST_CASE("a device that reboots in probation again and again goes back") {
  Settled world;
  world.config.probation_starts_max = 3;
  world.offer(world.make_bundle("1.1"));
  for (int i = 0; i < 100 && world.last().version != "1.1"; ++i) {
    world.run_for(250);
    if (world.agent->state().update.phase == Phase::kProbation && world.agent->state().update.starts > 0) {
      world.run_for(2'000);
      world.power_cut();
      world.boot();
    }
  }
  CHECK(world.last().outcome == "rolled_back");
  CHECK(world.last().reason == "boot_loop");
  CHECK(world.running() == "1.0");
}

TEST_CASE("the agent killed in probation goes on with it") {
  Settled world;
  world.offer(world.make_bundle("1.1"));
  while (world.agent->state().update.phase != Phase::kProbation) world.run_for(250);
  world.run_for(5'000);
  world.boot();
  CHECK(world.agent->state().update.phase == Phase::kProbation);
  CHECK(world.running() == "1.1");
  REQUIRE(world.settle());
  CHECK(world.last().outcome == "committed");
}

TEST_CASE("without an application a proof commits") {
  World world;
  world.config.app_command.clear();
  world.offer(world.make_bundle("1.0"));
  REQUIRE(world.settle());
  CHECK(world.running() == "1.0");
  CHECK(world.last().outcome == "committed");
}

TEST_CASE("telemetry is neither lost nor doubled, offline and over lost answers and restarts") {
  Settled world;
  world.run_for(40'000);
  world.http.set_offline(true);
  world.run_for(120'000);
  world.agent->shutdown();
  int64_t said = 0;
  world.boot();
  world.run_for(60'000);
  world.http.set_offline(false);
  world.answers_lost = 3;
  world.run_for(200'000);
  world.agent->shutdown();
  world.http.set_offline(true);
  world.boot();
  world.http.set_offline(false);
  world.run_for(10'000);
  CHECK(world.agent->status().telemetry_pending == 0);
  for (const auto& [identity, predictions] : world.counted) said += predictions;
  // Three runs of the application, a message a second, 10 predictions each; the open interval is not sent yet.
  int64_t seconds = 0;
  for (const auto& [identity, predictions] : world.counted) seconds += predictions / 10;
  CHECK(said == seconds * 10);
  CHECK(seconds >= 400);
  std::map<std::string, std::set<int64_t>> sequences;
  for (const auto& [identity, predictions] : world.counted) sequences[identity.first].insert(identity.second);
  for (const auto& [boot, seqs] : sequences) {
    CHECK(*seqs.begin() == 1);
    CHECK(*seqs.rbegin() == static_cast<int64_t>(seqs.size()));  // no gap: nothing lost
  }
}

TEST_CASE("kill -9 loses no more telemetry than since the last checkpoint") {
  Settled world;
  world.config.telemetry_ms = 1'000'000;
  world.boot();
  world.run_for(33'000);
  world.boot();  // kill -9, 3 s after a checkpoint
  world.run_for(5'000);
  int64_t best = 0;
  for (const auto& [identity, predictions] : world.counted) best = std::max(best, predictions);
  CHECK(best >= 270);
}

TEST_CASE("a report that the server refuses for ever does not hold back the others") {
  Settled world;
  std::string poison;
  std::set<int64_t> taken;
  world.http.on("https://fleet/api/v1/devices/cam-1/telemetry", [&](const HttpRequest& r) -> Result<HttpResponse> {
    Json json = *Json::parse(r.body);
    Json accepted = Json::array();
    for (const Json& item : json["reports"].items()) {
      if (item["seq"].as_int() == 3) return HttpResponse{400, {}, "{}"};
    }
    for (const Json& item : json["reports"].items()) {
      taken.insert(item["seq"].as_int());
      accepted.push(Json::object().set("boot_id", item["boot_id"]).set("seq", item["seq"]));
    }
    return HttpResponse{200, {}, Json::object().set("accepted", accepted).dump()};
  });
  world.boot();
  world.run_for(150'000);
  CHECK(taken.count(3) == 0);
  CHECK(taken.count(2) == 1);
  CHECK(taken.count(4) == 1);
  CHECK(taken.size() >= 7);
}
