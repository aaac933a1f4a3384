// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/recorder.h"

#include <utility>

#include "core/base/log.h"

namespace oree {

Recorder::Recorder(Files& files, EventStore* store, std::vector<Zone> zones, int quality)
    : files_(files), store_(store), zones_(std::move(zones)), quality_(quality), thread_([this] { work(); }) {}

Recorder::~Recorder() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Recorder::push(Recording recording) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.size() < kRecorderQueueMax; });
  queue_.push_back(std::move(recording));
  changed_.notify_all();
}

std::vector<Event> Recorder::take_stored() {
  std::lock_guard lock(mutex_);
  return std::exchange(stored_, {});
}

void Recorder::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.empty(); });
}

int64_t Recorder::failures() const {
  std::lock_guard lock(mutex_);
  return failures_;
}

Status Recorder::record(Recording& recording) {
  Bytes jpeg;
  int quality = recording.event ? quality_ : kFrameFileQuality;
  if (quality > 0) {
    OREE_TRY_ASSIGN(Image picture, yuv_to_image(recording.frame.view));
    if (!recording.plain) annotate(picture, recording.marks, zones_);
    OREE_TRY_ASSIGN(jpeg, encode_jpeg(view_of(picture), quality));
  }
  if (recording.event) return store_->add(*recording.event, jpeg);
  return files_.write_atomic(recording.file, jpeg);
}

void Recorder::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Recording& recording = queue_.front();  // a deque's elements stay where they are while others are appended
    lock.unlock();
    Status done = record(recording);
    if (!done.ok())
      log_error("camera",
                (recording.event ? "event " + recording.event->id : recording.file) + ": " + done.error().message());
    lock.lock();
    if (!done.ok()) ++failures_;
    // An alarm is told even when the disk refused it.
    if (recording.event) stored_.push_back(std::move(*recording.event));
    queue_.pop_front();
    changed_.notify_all();
  }
}

}  // namespace oree
