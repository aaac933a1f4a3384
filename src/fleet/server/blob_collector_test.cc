// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include "core/base/limits.h"
#include "fleet/server/fleet_fixture.h"
#include "fleet/server/schema.h"
#include "os/posix/posix_clock.h"
#include "os/posix/posix_files.h"
#include "os/posix/test_folder.h"

namespace oree {
namespace {

std::string digest_of(const std::string& bytes) { return digest_text(sha256(as_bytes(bytes))); }

struct CollectorFixture : FleetFixture {
  bool has(const std::string& digest) { return status("HEAD", "/blobs/sha256/" + digest) == 200; }
  // The server's clock goes on, and the server looks after its blobs.
  void pass(int64_t ms) {
    clock.advance_ms(ms);
    server->tick();
  }
  void pass_grace() { pass(kServerBlobGraceMs); }
  std::string metric(const std::string& name) {
    std::string text = call("GET", "/metrics").body, line = "\n" + name + " ";
    size_t at = text.find(line);
    REQUIRE(at != std::string::npos);
    return text.substr(at + line.size(), text.find('\n', at + 1) - at - line.size());
  }
  RequestPlan begin(const std::string& method, const std::string& path) {
    return server->begin({method, path, {{"authorization", "Bearer " + operator_token}}, peer});
  }
  int withdraw(const std::string& id) { return status("DELETE", "/api/v1/releases/" + id, "", operator_token); }
};

// Lets a test do something at the moment when the first file is about to be deleted.
struct WatchedFiles : FakeFiles {
  std::function<void()> before_first_remove;
  Status remove(const std::string& path) override {
    if (auto act = std::exchange(before_first_remove, nullptr)) act();
    return FakeFiles::remove(path);
  }
};

}  // namespace

TEST_CASE("a blob that no release names is deleted after its grace, and not before") {
  CollectorFixture f;
  std::string unused = f.put_blob("never published");
  f.publish("detector", "1.0", "one");
  CHECK(f.metric("oree_blobs") == "2");
  CHECK(f.metric("oree_blob_bytes") == "18");
  f.pass(kServerBlobGraceMs - 1);
  CHECK(f.has(unused));
  f.pass(kServerBlobSweepMs);
  CHECK_FALSE(f.has(unused));
  CHECK(f.has(digest_of("one")));
  CHECK(f.metric("oree_blobs") == "1");
  CHECK(f.metric("oree_blob_bytes") == "3");
  CHECK(f.metric("oree_blobs_collected_total") == "1");
  CHECK(f.metric("oree_blob_bytes_collected_total") == "15");
  Release late{"detector", "1.1", unused, 15, {"pi5"}, ""};
  Json refused = f.as_operator("POST", "/api/v1/releases", release_to_json(late).dump());
  CHECK(refused["reason"] == Json("blob sha256:" + unused + " is not here: PUT it first"));
  CHECK(f.publish("detector", "1.1", "never published") == 201);
}

TEST_CASE("a blob stays while any release names it, and a grace longer") {
  CollectorFixture f;
  std::string shared = digest_of("shared");
  CHECK(f.publish("detector", "1.0", "shared") == 201);
  CHECK(f.publish("detector-eu", "1.0", "shared") == 201);
  for (int day = 0; day < 10; ++day) f.pass_grace();
  CHECK(f.withdraw("detector@1.0") == 200);
  for (int day = 0; day < 10; ++day) f.pass_grace();
  CHECK(f.has(shared));
  CHECK(f.withdraw("detector-eu@1.0") == 200);
  f.pass(kServerBlobSweepMs);
  f.pass(kServerBlobGraceMs - 1);
  CHECK(f.has(shared));
  f.pass(kServerBlobSweepMs);
  CHECK_FALSE(f.has(shared));
  CHECK(f.files.list("data/uploads")->empty());
}

TEST_CASE("a blob that is uploaded again gets a whole grace again") {
  CollectorFixture f;
  std::string digest = f.put_blob("twice");
  f.pass(kServerBlobGraceMs - kServerBlobSweepMs);
  f.put_blob("twice");
  f.pass(2 * kServerBlobSweepMs);
  CHECK(f.has(digest));
  f.pass_grace();
  CHECK_FALSE(f.has(digest));
}

TEST_CASE("a blob in use is not deleted: read, or received again") {
  CollectorFixture f;
  std::string read = f.put_blob("read"), received = f.put_blob("received");
  {
    ServerResponse download = f.call("GET", "/blobs/sha256/" + read);
    RequestPlan upload = f.begin("PUT", "/blobs/sha256/" + received);
    REQUIRE(upload.sink);
    f.pass_grace();
    CHECK(f.metric("oree_blobs_collected_total") == "0");
    CHECK(as_text(*download.file->read_at(0, 4)) == "read");
    CHECK(!upload.sink->write(as_bytes("received")));
    CHECK(upload.sink->finish().status == 200);
  }
  f.pass(kServerBlobSweepMs);
  CHECK_FALSE(f.has(read));
  CHECK(f.has(received));  // what was acknowledged just now
  CHECK(f.publish("detector", "1.0", "received") == 201);
  // A cut upload holds nothing either.
  std::string cut = f.put_blob("cut");
  { CHECK(f.begin("PUT", "/blobs/sha256/" + cut).sink); }
  f.pass_grace();
  CHECK_FALSE(f.has(cut));
  // And a download may outlast the server.
  ServerResponse last = f.call("GET", "/blobs/sha256/" + received);
  f.server.reset();
  CHECK(as_text(*last.file->read_at(0, 8)) == "received");
}

TEST_CASE("two uploads of one blob count once") {
  CollectorFixture f;
  std::string path = "/blobs/sha256/" + digest_of("good");
  RequestPlan one = f.begin("PUT", path), two = f.begin("PUT", path);
  CHECK(!one.sink->write(as_bytes("good")));
  CHECK(!two.sink->write(as_bytes("good")));
  CHECK(one.sink->finish().status == 201);
  CHECK(two.sink->finish().status == 200);
  one.sink.reset();
  two.sink.reset();
  CHECK(f.metric("oree_blobs") == "1");
  CHECK(f.metric("oree_blob_bytes") == "4");
  CHECK(f.files.list("data/uploads")->empty());
}

TEST_CASE("a start deletes what was due, and gives a grace to blobs of an older server") {
  CollectorFixture f;
  std::string due = f.put_blob("due"), old = digest_of("old");
  std::string folder = "data/blobs/sha256/";
  f.files.put(folder + old.substr(0, 2) + "/" + old, "old");
  const std::string others[] = {folder + "README", folder + "00/notes.txt", folder + "00/" + std::string(64, 'A'),
                                folder + "00/" + digest_of("elsewhere"), folder + "abc/" + std::string(64, 'a')};
  for (const std::string& other : others) f.files.put(other, "not ours");
  f.clock.advance_ms(kServerBlobGraceMs);
  f.restart();
  CHECK_FALSE(f.has(due));
  CHECK(f.has(old));
  CHECK(f.metric("oree_blobs") == "1");
  CHECK(f.metric("oree_blob_bytes") == "3");
  f.pass_grace();
  CHECK_FALSE(f.has(old));
  CHECK(f.metric("oree_blobs") == "0");
  for (const std::string& other : others) CHECK(f.files.text(other) == "not ours");
}

TEST_CASE("a clock that jumps makes no blob old") {
  CollectorFixture f;
  f.clock.set_wall_ms(1'000'000);  // a machine that was just switched on
  f.restart();
  std::string digest = f.put_blob("x");
  f.clock.set_wall_ms(1'800'000'000'000);
  f.pass(kServerBlobSweepMs);
  CHECK(f.has(digest));
  f.clock.set_wall_ms(1'700'000'000'000);
  f.pass(kServerBlobSweepMs);
  CHECK(f.has(digest));
  f.pass(kServerBlobGraceMs - kServerBlobSweepMs);
  CHECK(f.has(digest));
  f.pass(kServerBlobSweepMs);
  CHECK_FALSE(f.has(digest));
}

TEST_CASE("one look deletes so many blobs, and the next follows at once") {
  CollectorFixture f;
  for (int i = 0; i <= kServerBlobsSweptMax; ++i) f.put_blob(std::to_string(i));
  f.pass_grace();
  CHECK(f.metric("oree_blobs") == "1");
  f.server->tick();
  CHECK(f.metric("oree_blobs") == "0");
}

TEST_CASE("a failure or a power cut at any step of a sweep loses no named blob and leaves no other for good") {
  for (int64_t n = 1;; ++n) {
    REQUIRE(n < 100);
    CollectorFixture f;
    f.publish("detector", "1.0", "named");
    for (const char* bytes : {"a", "b", "c"}) f.put_blob(bytes);
    int64_t before = f.files.operations();
    f.files.fail_after(n, Error(Code::kUnavailable, "I/O error"));
    f.pass_grace();
    bool reached = f.files.operations() - before >= n;
    f.files.heal();
    f.files.crash();
    f.restart();
    CHECK(f.has(digest_of("named")));
    f.pass(kServerBlobSweepMs);
    f.pass_grace();
    CHECK(f.metric("oree_blobs") == "1");
    CHECK(f.metric("oree_blob_bytes") == "5");
    CHECK(f.has(digest_of("named")));
    auto rows = f.database->query("SELECT count(*) FROM unused_blobs");
    CHECK((*rows)[0].integer(0) == 0);
    if (!reached) break;
  }
}

TEST_CASE("a database of an older version keeps its releases") {
  auto database = SqliteDatabase::open(":memory:");
  REQUIRE(migrate_fleet(**database).ok());
  // As version 1 made it.
  REQUIRE((*database)
              ->script(R"sql(
DROP TABLE unused_blobs; DROP INDEX releases_by_digest; DROP TABLE release_types; DROP TABLE releases;
CREATE TABLE releases(
  id TEXT PRIMARY KEY, model TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
  device_types TEXT NOT NULL, notes TEXT NOT NULL, reference TEXT, created_ms INTEGER NOT NULL, withdrawn_ms INTEGER,
  UNIQUE(model, version));
CREATE TABLE release_types(
  model TEXT NOT NULL, device_type TEXT NOT NULL, release_id TEXT NOT NULL REFERENCES releases(id),
  PRIMARY KEY(model, device_type, release_id)) WITHOUT ROWID;
INSERT INTO releases VALUES('m@1', 'm', '1', 'aa', 5, '["pi5"]', 'old', NULL, 7, NULL);
INSERT INTO release_types VALUES('m', 'pi5', 'm@1');
PRAGMA user_version = 1;)sql")
              .ok());
  REQUIRE(migrate_fleet(**database).ok());
  CHECK((*database)->query("SELECT * FROM unused_blobs").ok());
  ReleaseStore releases(**database);
  auto old = releases.latest("m", "pi5");
  REQUIRE(old.ok());
  CHECK(old->id == "m@1");
  CHECK(old->release.notes == "old");
  auto second = releases.publish({"m", "1", "bb", 6, {"jetson"}, ""}, std::nullopt, 8);
  REQUIRE(second.ok());
  CHECK(second->release.id == "m@1@jetson");
  CHECK(releases.latest("m", "jetson")->release.digest == "bb");
}

TEST_CASE("a release that comes while a sweep deletes others keeps its blob") {
  WatchedFiles files;
  FakeClock clock;
  FakeRandom random;
  auto database = SqliteDatabase::open(":memory:");
  BlobStore blobs(files, random, "data");
  ReleaseStore releases(**database);
  BlobCollector collector(**database, blobs, clock, 1000);
  REQUIRE(migrate_fleet(**database).ok());
  REQUIRE(blobs.open().ok());
  for (const char* bytes : {"a", "b", "c"}) {  // deleted in this order
    auto upload = blobs.begin(digest_of(bytes), 1);
    REQUIRE((*upload)->write(as_bytes(std::string_view(bytes))).ok());
    REQUIRE((*upload)->finish().ok());
    REQUIRE(collector.received(digest_of(bytes)).ok());
    clock.advance_ms(1);
  }
  clock.advance_ms(1000);
  files.before_first_remove = [&] {
    CHECK(releases.publish({"m", "1", digest_of("b"), 1, {"pi5"}, ""}, std::nullopt, 0).ok());
  };
  CHECK(collector.sweep().ok());
  CHECK_FALSE(blobs.has(digest_of("a")));
  CHECK(blobs.has(digest_of("b")));
  CHECK_FALSE(blobs.has(digest_of("c")));
}

TEST_CASE("a blob that was published under a sweeping server is there, whatever came when") {
  TestFolder folder;
  PosixFiles files;
  FakeClock clock;
  PosixRandom random;
  auto database = SqliteDatabase::open(":memory:");
  BlobStore blobs(files, random, folder.path);
  ReleaseStore releases(**database);
  REQUIRE(migrate_fleet(**database).ok());
  REQUIRE(blobs.open().ok());
  BlobCollector collector(**database, blobs, clock, 0);  // no grace: what is not in use goes
  std::atomic<int> running{0}, wrong{0};
  constexpr int kPublishers = 3, kRounds = 40;
  // As a publisher does: upload, then publish while the blob is held. Both may find it gone and must then say so.
  auto publish = [&](int who, int round) -> Status {
    std::string bytes = std::to_string(round % 4), digest = digest_of(bytes);
    OREE_TRY_ASSIGN(auto upload, blobs.begin(digest, 1));
    OREE_TRY(upload->write(as_bytes(bytes)));
    OREE_TRY(upload->finish());
    OREE_TRY(collector.received(digest));
    if (!blobs.has(digest)) return Error(Code::kInternal, "gone under an upload");
    upload.reset();
    OREE_TRY_ASSIGN(auto held, blobs.read(digest));
    std::string version = std::to_string(who) + "." + std::to_string(round);
    OREE_TRY(releases.publish({"m", version, digest, 1, {"pi5"}, ""}, std::nullopt, 0));
    held.reset();
    if (!blobs.has(digest)) return Error(Code::kInternal, "gone under a release");
    return releases.withdraw("m@" + std::string(version), 0);
  };
  std::vector<std::thread> threads;
  for (int who = 0; who < kPublishers; ++who) {
    ++running;
    threads.emplace_back([&, who] {
      for (int round = 0; round < kRounds; ++round) {
        Status done = publish(who, round);
        wrong += !done.ok() && done.error().code() != Code::kNotFound;
      }
      --running;
    });
  }
  while (running > 0) wrong += !collector.sweep().ok();
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  while (blobs.count() > 0) REQUIRE(collector.sweep().ok());
  CHECK(collector.blobs_collected() > 0);
  CHECK(blobs.bytes() == 0);
  CHECK(blobs.list()->empty());
}

}  // namespace oree
