// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/webhook.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/io/fake/fake_clock.h"
#include "core/io/fake/fake_http.h"
#include "device/apps/camera/test_store.h"

namespace oree {
namespace {

struct Rig {
  void raise(int number) {
    Event event = numbered_event(number);
    REQUIRE(t.store->add(event, {}).ok());
  }
  void answer(int status) {
    http.on("http://hook", [this, status](const HttpRequest& r) -> Result<HttpResponse> {
      bodies.push_back(r.body);
      HttpResponse response;
      response.status = status;
      return response;
    });
  }
  TestStore t;
  FakeClock clock;
  FakeRandom random{1};
  FakeHttp http;
  std::vector<std::string> bodies;
  WebhookConfig config{"http://hook/alarm", {{"Authorization", "Bearer x"}}, 100};
  Webhook hook{http, *t.store, clock, random, config};
};

}  // namespace

TEST_CASE("events are posted in order with their id and headers") {
  Rig rig;
  rig.answer(204);
  rig.raise(1);
  rig.raise(2);
  CHECK(rig.hook.step() == kWebhookBackoffMaxMs);
  REQUIRE(rig.http.requests.size() == 2);
  CHECK(rig.http.requests[0].method == "POST");
  CHECK(rig.http.requests[0].headers.at("Idempotency-Key") == "event1");
  CHECK(rig.http.requests[1].headers.at("Authorization") == "Bearer x");
  CHECK(Json::parse(rig.bodies[1]).value()["id"].as_string() == "event2");
  CHECK(rig.hook.delivered() == 2);
  CHECK(rig.hook.step() == kWebhookBackoffMaxMs);
  CHECK(rig.http.requests.size() == 2);
}

TEST_CASE("an address that is away is tried again later and later, and nothing is lost") {
  Rig rig;
  rig.raise(1);
  int64_t previous = 0, longest = 0;
  for (int i = 0; i < 14; ++i) {
    int64_t wait = rig.hook.step();
    CHECK(wait >= kWebhookBackoffFirstMs / 2);
    CHECK(wait <= kWebhookBackoffMaxMs);
    longest = std::max(longest, wait);
    if (i < 3) CHECK(wait >= previous);
    previous = wait;
    auto before = rig.http.requests.size();
    CHECK(rig.hook.step() > 0);  // asked too early: no request
    CHECK(rig.http.requests.size() == before);
    rig.clock.advance_ms(wait);
  }
  CHECK(longest > kWebhookBackoffMaxMs / 2);
  CHECK(rig.hook.failures() == 14);
  rig.answer(200);
  rig.raise(2);
  CHECK(rig.hook.step() == kWebhookBackoffMaxMs);
  CHECK(rig.hook.delivered() == 2);
  CHECK(Json::parse(rig.bodies[0]).value()["id"].as_string() == "event1");
}

TEST_CASE("a server that is unwell or says no for now is asked again") {
  for (int status : {500, 503, 429, 401, 404, 302}) {
    Rig rig;
    rig.answer(status);
    rig.raise(1);
    CHECK(rig.hook.step() <= kWebhookBackoffFirstMs);
    CHECK(rig.t.store->pending(10)->size() == 1);
  }
}

TEST_CASE("an event that will never be taken does not hold up the next") {
  Rig rig;
  rig.http.on("http://hook", [](const HttpRequest& r) -> Result<HttpResponse> {
    HttpResponse response;
    response.status = r.headers.at("Idempotency-Key") == "event1" ? 422 : 200;
    return response;
  });
  rig.raise(1);
  rig.raise(2);
  CHECK(rig.hook.step() == kWebhookBackoffMaxMs);
  CHECK(rig.hook.refused() == 1);
  CHECK(rig.hook.delivered() == 1);
}

TEST_CASE("what was owed before a restart is delivered after it") {
  Rig rig;
  rig.raise(1);
  CHECK(rig.hook.step() < kWebhookBackoffMaxMs);
  rig.t.reopen();
  rig.answer(200);
  Webhook again(rig.http, *rig.t.store, rig.clock, rig.random, rig.config);
  again.step();
  CHECK(again.delivered() == 1);
}

TEST_CASE("the thread delivers what it is woken for, and what was raised just before the end") {
  Rig rig;
  rig.answer(200);
  {
    WebhookThread thread(rig.hook);
    rig.raise(1);
    thread.wake();
    rig.raise(2);
  }
  CHECK(rig.hook.delivered() == 2);
}

}  // namespace oree
