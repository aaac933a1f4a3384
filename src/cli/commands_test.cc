// SPDX-License-Identifier: Apache-2.0
// The delivery commands from their command lines to their exit statuses, over files in memory.
#include <doctest/doctest.h>

#include "cli/context.h"
#include "cli/keygen.h"
#include "core/io/fake/fake_clock.h"
#include "core/io/fake/fake_files.h"
#include "core/io/fake/fake_http.h"
#include "core/io/fake/fake_power.h"
#include "core/io/fake/fake_sensors.h"
#include "deliver/bundle/bundle.h"

using namespace oree;

namespace {

struct Shell {
  FakeFiles files;
  FakeClock clock;
  FakeHttp http{&files};
  FakeSensors sensors;
  Ports ports;

  Shell() {
    ports.files = &files;
    ports.clock = &clock;
    ports.http = &http;
    ports.sensors = &sensors;
  }
  int operator()(const std::string& line) {
    std::vector<std::string> words{"oree"};
    for (size_t begin = 0; begin < line.size();) {
      size_t end = std::min(line.find(' ', begin), line.size());
      words.push_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    std::vector<char*> argv;
    argv.reserve(words.size());
    for (std::string& word : words) argv.push_back(word.data());
    return cli::run(ports, static_cast<int>(argv.size()), argv.data());
  }
  void put_bundle() {
    Manifest m;
    m.model = "m";
    m.version = "1.0.0";
    m.device_types = {"pi5"};
    m.runtime = "tflite";
    m.model_path = "model/m";
    REQUIRE(write_bundle(files, "b.oree", m, {{"model/m", {}, Bytes(5000, 7)}, {"recipe.json", {}, {}}}).ok());
  }
};

}  // namespace

TEST_CASE("keygen, sign and verify from the command line") {
  Shell oree;
  oree.put_bundle();
  CHECK(oree("keygen --out k") == 0);
  CHECK(oree("keygen --out k") == 9);
  CHECK(oree("keygen --out k --force") == 0);
  CHECK(oree("keygen --out stranger") == 0);
  CHECK(oree("verify b.oree --key k.pub") == 4);
  CHECK(oree("sign b.oree --key k") == 0);
  CHECK(oree("verify b.oree --key k.pub") == 0);
  CHECK(oree("verify b.oree --json --key stranger.pub --key k.pub") == 0);
  CHECK(oree("verify b.oree --key stranger.pub") == 4);
  CHECK(oree("verify b.oree --key k.pub --key stranger.pub --threshold 2") == 4);
  CHECK(oree("sign b.oree --key stranger --out c.oree") == 0);
  CHECK(oree("verify c.oree --key k.pub --key stranger.pub --threshold 2") == 0);
  CHECK(oree("verify b.oree --key stranger.pub") == 4);  // --out left the first as it was
}

TEST_CASE("each bad input has its exit status") {
  Shell oree;
  oree.put_bundle();
  REQUIRE(oree("keygen --out k") == 0);
  REQUIRE(oree("sign b.oree --key k") == 0);
  std::string good = oree.files.text("b.oree");
  oree.files.put("empty", "");
  oree.files.put("cut.oree", good.substr(0, good.size() / 2));
  oree.files.put("odd.oree", "TFL3" + good);
  std::string flipped = good;
  flipped[flipped.size() - 2000] = static_cast<char>(flipped[flipped.size() - 2000] ^ 1);
  oree.files.put("flip.oree", flipped);
  for (const char* command : {"verify", "sign"}) {
    std::string key = command == std::string("verify") ? " --key k.pub" : " --key k";
    CHECK(oree(std::string(command) + " absent.oree" + key) == 8);
    CHECK(oree(std::string(command) + " empty" + key) == 3);
    CHECK(oree(std::string(command) + " cut.oree" + key) == 3);
    CHECK(oree(std::string(command) + " odd.oree" + key) == 3);
    CHECK(oree(std::string(command) + " k.pub" + key) == 3);
    CHECK(oree(std::string(command) + " b.oree --key absent") == 8);
    CHECK(oree(std::string(command) + " b.oree --key empty") == 3);
    CHECK(oree(std::string(command) + " b.oree --key b.oree") == 3);
    CHECK(oree(std::string(command) + " b.oree") == 2);
    CHECK(oree(std::string(command) + key) == 2);
  }
  CHECK(oree("verify flip.oree --key k.pub") == 4);
  CHECK(oree("verify b.oree --key k") == 3);
  CHECK(oree("verify b.oree --key k.pub --threshold 0") == 2);
  CHECK(oree("verify b.oree --key k.pub --threshold 2") == 2);
  CHECK(oree("sign b.oree --key k.pub") == 3);
  CHECK(oree("keygen") == 2);
  CHECK(oree("publish b.oree --server http://nowhere") == 6);
  CHECK(oree("publish b.oree --server nowhere") == 2);
  CHECK(oree("publish b.oree") == 2);
  CHECK(oree("publish absent --server http://nowhere") == 8);
  CHECK(oree("publish cut.oree --server http://nowhere") == 3);
  CHECK(oree("publish b.oree --server http://nowhere --token-file absent") == 8);
  CHECK(oree("bundle") == 2);
  CHECK(oree("bundle --name n --version 1 --device-type t --out x") == 2);
  CHECK(oree("bundle --name n --version 1 --device-type t --out x --model absent.onnx --golden-random 1 --threads 0") ==
        2);
  CHECK(oree("bundle --name n --version 1 --device-type t --out x --model absent.onnx --golden-random 1 --precision "
             "f64") == 2);
  CHECK(oree("ship") == 8);
  CHECK(oree("ship --product empty") == 2);
  CHECK(oree("ship --product b.oree") == 2);
}

TEST_CASE("a full disk is said as such and leaves the bundle as it was") {
  Shell oree;
  oree.put_bundle();
  REQUIRE(oree("keygen --out k") == 0);
  std::string before = oree.files.text("b.oree");
  oree.files.set_free_bytes(3000);
  CHECK(oree("sign b.oree --key k") == 7);
  CHECK(oree.files.text("b.oree") == before);
  CHECK_FALSE(oree.files.exists("b.oree.partial"));
}

TEST_CASE("sensors answers on a machine with meters, without any, and in a program that reads none") {
  Shell oree;
  CHECK(oree("sensors") == 0);
  FakePowerMeters power;
  oree.ports.power = &power;
  CHECK(oree("sensors --json") == 0);
  CHECK(power.opened.empty());
  power.list = {{{"rapl package-0", "CPU package"}, true, Error(Code::kUnavailable, "readable by root only")},
                {{"ina3221 VDD_IN", "whole module"}, true, std::nullopt}};
  int failing = 0;
  power.make = [&](const std::string& name) -> Result<std::unique_ptr<PowerMeter>> {
    if (name == "plug") return Error(Code::kUnavailable, "external: plug ended with status 3");
    auto meter = std::make_unique<FakePowerMeter>(&oree.clock, [](double) { return 4.0; });
    if (failing > 0) meter->fail_after(--failing, Error(Code::kUnavailable, "bus"));
    return std::unique_ptr<PowerMeter>(std::move(meter));
  };
  int64_t slept = oree.clock.slept_ms();
  CHECK(oree("sensors --power-meter plug") == 0);
  // What is refused is not opened, and what opens is looked at for a moment.
  CHECK(power.opened == std::vector<std::string>{"plug", "ina3221 VDD_IN"});
  CHECK(oree.clock.slept_ms() - slept == 500);
  for (failing = 2; failing > 0;) CHECK(oree("sensors") == 0);
}
