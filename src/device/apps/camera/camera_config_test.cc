// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/camera_config.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

namespace oree {

TEST_CASE("the example in the repository is read") {
  std::ifstream file(std::string(OREE_SOURCE_DIR) + "/examples/camera/camera.toml");
  std::stringstream text;
  text << file.rdbuf();
  REQUIRE_FALSE(text.str().empty());
  auto config = parse_camera_config(text.str());
  REQUIRE_MESSAGE(config.ok(), config.error().message());
  CHECK(config->alarm.threshold == 0.55);
  REQUIRE(config->alarm.zones.size() == 1);
  CHECK(config->alarm.zones[0].polygon.size() == 4);
  CHECK_FALSE(config->source.uri.empty());
}

TEST_CASE("an empty file gives the defaults") {
  auto config = parse_camera_config("");
  REQUIRE(config.ok());
  CHECK(config->alarm.threshold == 0.7);
  CHECK(config->webhook.url.empty());
}

TEST_CASE("what is wrong is named by its key") {
  auto has = [](const char* toml, const char* part) {
    auto config = parse_camera_config(toml);
    REQUIRE_FALSE(config.ok());
    CHECK(config.error().code() == Code::kUsage);
    CHECK_MESSAGE(config.error().message().find(part) != std::string::npos, config.error().message());
  };
  has("x = [", "line");
  has("[sorce]\nuri = 'a'", "sorce is not a known key");
  has("[source]\nurl = 'a'", "source.url is not a known key");
  has("source = 3", "source must be a table");
  has("[source]\nuri = 3", "source.uri must be a text");
  has("[source]\nstart_s = 5\nstop_s = 4", "source.stop_s");
  has("[alarm]\nthreshold = 1.5", "alarm.threshold");
  has("[alarm]\nthreshold = nan", "alarm.threshold");
  has("[alarm]\nclasses = 'Person'", "alarm.classes");
  has("[alarm.thresholds]\nPerson = 'high'", "alarm.thresholds.Person");
  has("[[alarm.zones]]\npolygon = [[0,0],[1,0],[1,1]]", "alarm.zones[0].name");
  has("[[alarm.zones]]\nname = 'a'\npolygon = [[0,0],[1,0]]", "alarm.zones[0].polygon");
  has("[[alarm.zones]]\nname = 'a'\npolygon = [[0,0],[640,0],[1,1]]", "within 0 and 1");
  has("[track]\nhits_confirm = 0", "track.hits_confirm");
  has("[track]\nrefind_ms = -1", "track.refind_ms");
  has("[track]\nrefind_still_ms = 1e9", "track.refind_still_ms");
  has("[store]\nfolder = ''", "store.folder");
  has("[webhook]\nurl = 'ftp://x'", "webhook.url");
  has("[webhook]\nurl = 'http://x'\nheaders = { A = \"b\\nC: d\" }", "webhook.headers.A");
}

}  // namespace oree
