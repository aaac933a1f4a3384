// SPDX-License-Identifier: Apache-2.0
// Webhook posts stored events to an address: at least once, oldest first, with back-off while the address is away.
// What is owed lies in the EventStore, so nothing is forgotten over a restart. One thread calls step().
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/io/clock.h"
#include "core/io/http.h"
#include "device/apps/camera/event_store.h"

namespace oree {

inline constexpr int64_t kWebhookBackoffFirstMs = 1000, kWebhookBackoffMaxMs = 300'000;
inline constexpr int64_t kWebhookTimeoutMs = 10'000;

class Webhook {
 public:
  Webhook(HttpClient& http, EventStore& store, Clock& clock, Random& random, WebhookConfig config)
      : http_(http), store_(store), clock_(clock), random_(random), config_(std::move(config)) {}

  // Delivers what is owed until nothing is or an attempt fails. Gives the milliseconds until it wants to be called
  // again; an empty queue asks for kWebhookBackoffMaxMs (the caller wakes it when there is an event).
  // 2xx: delivered. 400, 413 and 422 say that this event will never be taken: it is given up, logged and counted.
  // Everything else, the network too, is tried again: a wrong address or token may be mended meanwhile.
  int64_t step();
  int64_t delivered() const { return delivered_; }
  int64_t refused() const { return refused_; }
  int64_t failures() const { return failures_; }  // attempts that are tried again

 private:
  int64_t back_off(const std::string& why);

  HttpClient& http_;
  EventStore& store_;
  Clock& clock_;
  Random& random_;
  WebhookConfig config_;
  int64_t wait_ms_ = 0, not_before_ns_ = 0;
  std::atomic<int64_t> delivered_{0}, refused_{0}, failures_{0};
};

// A thread that steps a Webhook, so that a slow address never holds up the camera.
class WebhookThread {
 public:
  explicit WebhookThread(Webhook& webhook) : webhook_(webhook), thread_([this] { work(); }) {}
  ~WebhookThread();  // lets the running attempt end (kWebhookTimeoutMs at most); what is owed stays owed
  void wake();       // there is an event

 private:
  void work();

  Webhook& webhook_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = true, stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace oree
