// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <set>

#include "core/io/copy_file.h"
#include "core/io/fake/fake_files.h"
#include "core/io/fake/fake_http.h"
#include "core/io/fake/fake_processes.h"

using namespace oree;

TEST_CASE("fake files behave as files") {
  FakeFiles f;
  CHECK(f.create("a/b").error().code() == Code::kNotFound);
  REQUIRE(f.make_dirs("a/c").ok());
  CHECK(f.make_dirs("a/c/").ok());
  auto w = f.create("a/b").value();
  CHECK(w->write(as_bytes("hello")).ok());
  CHECK(f.text("a//b") == "hello");
  CHECK(f.append("a/b").value()->write(as_bytes(" you")).ok());
  CHECK(f.read("a/b", 9).ok());
  CHECK(f.read("a/b", 8).error().code() == Code::kInvalid);
  CHECK(as_text(f.open("a/b").value()->read_at(6, 100).value()) == "you");
  CHECK(f.read("a", 9).error().code() == Code::kInvalid);
  CHECK(f.list("a").value() == std::vector<std::string>{"b", "c"});
  CHECK(f.list(".").value() == std::vector<std::string>{"a"});
  CHECK(f.truncate("a/b", 2).ok());
  CHECK(f.rename("a", "z").ok());
  CHECK(f.text("z/b") == "he");
  CHECK_FALSE(f.exists("a"));
  CHECK(f.info("z").value().directory);
  CHECK(f.remove("z/none").ok());
  CHECK(f.remove_all("z").ok());
  CHECK_FALSE(f.exists("z/c"));
  CHECK(f.write_atomic("x", as_bytes("1")).ok());
  CHECK(f.list(".").value() == std::vector<std::string>{"x"});
  CHECK(f.make_dirs("/abs/deep").ok());
  CHECK(f.list("/").value() == std::vector<std::string>{"abs"});
}

TEST_CASE("after a power cut an atomic write is old or new, a synced one is there") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    FakeFiles f(seed);
    REQUIRE(f.write_atomic("state", as_bytes("old")).ok());
    f.fail_after(static_cast<int64_t>(seed % 6) + 1, Error(Code::kUnavailable, "power"));
    bool written = f.write_atomic("state", as_bytes("newer")).ok();
    f.crash();
    f.heal();
    std::string found = f.text("state");
    CHECK((found == "newer" || (!written && found == "old")));
  }
}

TEST_CASE("unsynced content ends up whole, short, empty or zeroed, and unsynced names may vanish") {
  std::set<std::string> fates;
  bool vanished = false;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    FakeFiles f(seed);
    auto w = f.create("log").value();
    REQUIRE(w->write(as_bytes("abcd")).ok());
    f.crash();
    CHECK_FALSE(w->write(as_bytes("x")).ok());
    if (f.exists("log")) fates.insert(f.text("log"));
    vanished |= !f.exists("log");
  }
  CHECK(vanished);
  for (const std::string& fate : {std::string(), std::string("abcd"), std::string("ab"), std::string(4, '\0')}) {
    CHECK(fates.contains(fate));
  }
}

TEST_CASE("synced content under an unsynced name may vanish, under a synced name it stays") {
  bool vanished = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FakeFiles f(seed);
    auto w = f.create("a").value();
    REQUIRE(w->write(as_bytes("1")).ok());
    REQUIRE(w->sync().ok());
    FakeFiles g(seed);
    auto v = g.create("a").value();
    REQUIRE(v->write(as_bytes("1")).ok());
    REQUIRE(v->sync().ok());
    REQUIRE(g.sync_dir(".").ok());
    REQUIRE(v->write(as_bytes("2")).ok());
    f.crash();
    g.crash();
    vanished |= !f.exists("a");
    if (f.exists("a")) CHECK(f.text("a") == "1");
    CHECK(g.text("a").starts_with("1"));
  }
  CHECK(vanished);
}

TEST_CASE("a removed file may come back after a power cut, unless its folder was synced") {
  int back = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FakeFiles f(seed);
    f.put("d/a", "1");
    REQUIRE(f.remove("d/a").ok());
    f.crash();
    back += f.exists("d/a");
    f.put("d/b", "1");
    REQUIRE(f.remove("d/b").ok());
    REQUIRE(f.sync_dir("d").ok());
    f.crash();
    CHECK_FALSE(f.exists("d/b"));
  }
  CHECK(back > 0);
  CHECK(back < 50);
}

TEST_CASE("a full disk takes what fits and says so") {
  FakeFiles f;
  f.put("old", "12345");
  f.set_free_bytes(3);
  auto w = f.create("new").value();
  CHECK(w->write(as_bytes("abcde")).error().code() == Code::kExhausted);
  CHECK(f.text("new") == "abc");
  CHECK(f.free_bytes(".").value() == 0);
  CHECK(f.remove("old").ok());
  CHECK(f.free_bytes(".").value() == 5);
  CHECK(f.write_atomic("x", as_bytes("123456")).error().code() == Code::kExhausted);
  CHECK_FALSE(f.exists("x"));
  CHECK_FALSE(f.exists("x.tmp"));
}

TEST_CASE("the n-th operation fails, and all after it, until healed") {
  FakeFiles f;
  f.fail_after(2, Error(Code::kUnavailable, "I/O error"));
  CHECK(f.make_dirs("a").ok());
  CHECK(f.make_dirs("b").error().code() == Code::kUnavailable);
  CHECK_FALSE(f.make_dirs("c").ok());
  CHECK(f.operations() == 3);
  f.heal();
  CHECK(f.make_dirs("c").ok());
}

TEST_CASE("fake HTTP routes, ranges, cuts and goes offline") {
  FakeFiles files;
  files.put("up", "body");
  FakeHttp http(&files);
  http.serve("http://h/blob", "0123456789");
  http.on("http://h/", [](const HttpRequest& r) -> Result<HttpResponse> { return HttpResponse{404, {}, r.body}; });
  CHECK(http.send({.url = "http://h/blob"}, {}, {}).value().body == "0123456789");
  HttpRequest range{.url = "http://h/blob", .headers = {{"Range", "bytes=4-"}}};
  HttpResponse r = http.send(range, {}, {}).value();
  CHECK(r.status == 206);
  CHECK(r.body == "456789");
  CHECK(r.headers.at("content-range") == "bytes 4-9/10");
  range.headers["Range"] = "bytes=10-";
  CHECK(http.send(range, {}, {}).value().status == 416);
  CHECK(http.send({.url = "http://h/x", .body_file = "up"}, {}, {}).value().body == "body");
  CHECK(http.send({.url = "http://other/"}, {}, {}).error().code() == Code::kUnavailable);
  std::string got;
  auto sink = [&](ByteView chunk) -> Status {
    got += as_text(chunk);
    return {};
  };
  http.cut_next_after(3);
  CHECK(http.send({.url = "http://h/blob"}, {}, sink).error().code() == Code::kUnavailable);
  CHECK(got == "012");
  auto refuse = [](const HttpResponse&) -> Status { return Error(Code::kRefused, "no"); };
  CHECK(http.send({.url = "http://h/blob"}, refuse, sink).error().code() == Code::kRefused);
  http.set_offline(true);
  CHECK(http.send({.url = "http://h/blob"}, {}, {}).error().code() == Code::kUnavailable);
  CHECK(http.requests.size() == 8);
}

TEST_CASE("fake children speak, answer, exit, hang and are killed") {
  FakeClock clock;
  FakeProcesses p(&clock);
  CHECK_FALSE(p.spawn({}).ok());
  p.on_spawn([](const ProcessSpec&) -> Result<FakeChild> {
    FakeChild c;
    c.messages = {{10, "a"}, {20, "b"}, {900, "never"}};
    c.exit_at_ms = 100;
    c.exit_code = 3;
    c.answer = [](const std::string& line) { return std::vector<std::string>{"re: " + line}; };
    return c;
  });
  auto child = p.spawn({.argv = {"x"}}).value();
  CHECK(p.running() == 1);
  CHECK(child->read_messages(5).empty());
  CHECK(child->read_messages(50) == std::vector<std::string>{"a"});
  CHECK(child->send("hi").ok());
  CHECK(child->read_output(0) == std::vector<std::string>{"re: hi"});
  CHECK_FALSE(child->wait(10).ok());
  CHECK(child->wait(1000).value().code == 3);
  CHECK(child->read_messages(0) == std::vector<std::string>{"b"});
  CHECK(p.running() == 0);

  p.on_spawn([](const ProcessSpec&) -> Result<FakeChild> { return FakeChild{.ignores_term = true}; });
  child = p.spawn({}).value();
  CHECK(child->signal(15).ok());
  CHECK_FALSE(child->poll_exit());
  CHECK(child->signal(9).ok());
  CHECK(child->poll_exit()->signal == 9);
  child = p.spawn({}).value();
  child.reset();
  CHECK(p.running() == 0);
  CHECK(p.signals == std::vector<int>{15, 9, 9});
}

TEST_CASE("a fake child replies on its message pipe, and dies where it has no reply") {
  FakeClock clock;
  FakeProcesses p(&clock);
  p.on_spawn([](const ProcessSpec&) -> Result<FakeChild> {
    FakeChild child;
    child.exit_signal = 6;
    child.reply = [](const std::string& line) -> std::optional<std::vector<std::string>> {
      if (line == "die") return std::nullopt;
      return std::vector<std::string>{"you said " + line};
    };
    return child;
  });
  auto child = p.spawn({}).value();
  CHECK(child->send("a").ok());
  CHECK(child->read_messages(100) == std::vector<std::string>{"you said a"});
  CHECK_FALSE(child->poll_exit());
  CHECK(child->send("die").ok());
  REQUIRE(child->poll_exit());
  CHECK(child->poll_exit()->signal == 6);
  CHECK(!child->send("b").ok());
}

TEST_CASE("a copy is whole or not there") {
  FakeFiles f;
  std::string text(3 << 20, 'x');
  f.put("a", text);
  f.put("b", "old");
  CHECK(copy_file(f, "none", "c").error().code() == Code::kNotFound);
  CHECK(copy_file(f, "a", "b").error().code() == Code::kConflict);
  CHECK(f.text("b") == "old");
  REQUIRE(copy_file(f, "a", "c").ok());
  CHECK(f.text("c") == text);
  f.set_free_bytes(2 << 20);
  CHECK(copy_file(f, "a", "d").error().code() == Code::kExhausted);
  CHECK_FALSE(f.exists("d"));
}
