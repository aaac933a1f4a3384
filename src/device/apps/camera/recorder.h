// SPDX-License-Identifier: Apache-2.0
// Recorder draws, encodes and stores away from the thread that watches: a snapshot of a 1080p frame and a synced write
// cost more than a frame's time. Its queue is short and bounded; a full one makes the watching thread wait, so that
// frames are dropped (and counted) rather than alarms.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "device/apps/camera/annotate.h"
#include "device/apps/camera/event_store.h"
#include "device/apps/camera/frame_source.h"

namespace oree {

inline constexpr size_t kRecorderQueueMax = 8;  // frames in flight: 8 x 3 MB at 1080p

inline constexpr int kFrameFileQuality = 95;  // JPEG, of frames written for people and as data

struct Recording {
  std::optional<Event> event;  // stored with the picture as its snapshot
  std::string file;            // else the picture goes to this file
  Frame frame;                 // in memory of its own (copy_frame)
  std::vector<Mark> marks;
  bool plain = false;  // nothing is drawn
};

class Recorder {
 public:
  // `quality` is that of snapshots; 0: events are stored without. Starts the thread.
  Recorder(Files& files, EventStore* store, std::vector<Zone> zones, int quality);
  ~Recorder();  // finishes what is queued

  void push(Recording recording);    // waits while the queue is full
  std::vector<Event> take_stored();  // events stored since the last call, in order
  void finish();                     // returns when everything pushed is done
  int64_t failures() const;          // events or pictures that could not be written; each is logged

 private:
  void work();
  Status record(Recording& recording);

  Files& files_;
  EventStore* store_;
  std::vector<Zone> zones_;
  int quality_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Recording> queue_;  // the front one is being worked on
  std::vector<Event> stored_;
  int64_t failures_ = 0;
  bool stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace oree
