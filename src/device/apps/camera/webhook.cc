// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/webhook.h"

#include <algorithm>
#include <chrono>

#include "core/base/log.h"

namespace oree {

int64_t Webhook::back_off(const std::string& why) {
  ++failures_;
  wait_ms_ = wait_ms_ == 0 ? kWebhookBackoffFirstMs : std::min(wait_ms_ * 2, kWebhookBackoffMaxMs);
  // Half to the whole of it: a fleet must not come back in step.
  auto wait = static_cast<int64_t>(static_cast<double>(wait_ms_) * (0.5 + random_.next_unit() / 2));
  not_before_ns_ = clock_.monotonic_ns() + wait * 1'000'000;
  log_warn("webhook", "next try in " + std::to_string(wait) + " ms: " + why);
  return wait;
}

int64_t Webhook::step() {
  int64_t early_ns = not_before_ns_ - clock_.monotonic_ns();
  if (early_ns > 0) return (early_ns + 999'999) / 1'000'000;
  while (true) {
    auto owed = store_.pending(1);
    if (!owed.ok()) return back_off(owed.error().message());
    if (owed->empty()) return kWebhookBackoffMaxMs;
    const PendingEvent& event = owed->front();
    HttpRequest request;
    request.method = "POST";
    request.url = config_.url;
    request.headers = config_.headers;
    request.headers["Content-Type"] = "application/json";
    request.headers["Idempotency-Key"] = event.id;
    request.body = event.json;
    request.timeout_ms = kWebhookTimeoutMs;
    auto answer = http_.send(request);
    if (!answer.ok()) return back_off(answer.error().message());
    int status = answer->status;
    bool taken = status >= 200 && status < 300, never = status == 400 || status == 413 || status == 422;
    if (!taken && !never) return back_off("the address answered " + std::to_string(status));
    Status settled = store_.settle(event.id);
    if (!settled.ok()) return back_off(settled.error().message());
    wait_ms_ = 0;
    if (taken) {
      ++delivered_;
    } else {
      ++refused_;
      log_warn("webhook", "event " + event.id + " is given up: the address answered " + std::to_string(status));
    }
  }
}

WebhookThread::~WebhookThread() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WebhookThread::wake() {
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void WebhookThread::work() {
  while (true) {
    int64_t wait_ms = webhook_.step();  // once more after the last wake, so that a short run delivers its events
    std::unique_lock lock(mutex_);
    if (stop_ && !woken_) return;
    changed_.wait_for(lock, std::chrono::milliseconds(wait_ms), [&] { return stop_ || woken_; });
    woken_ = false;
  }
}

}  // namespace oree
