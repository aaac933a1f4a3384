// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/camera_app.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace oree {
namespace {

constexpr int64_t kFetchWaitMs = 200;  // how late a stop or a heartbeat may be noticed

class Watch {
 public:
  Watch(const CameraParts& parts, const CameraConfig& config, const CameraLimits& limits, AlarmRules rules)
      : parts_(parts),
        config_(config),
        limits_(limits),
        rules_(std::move(rules)),
        tracker_(config.track),
        agent_(parts.tell_agent),
        recorder_(*parts.ports.files, parts.store, config.alarm.zones, config.store.snapshot_quality) {}

  Result<CameraSummary> run() {
    OREE_TRY(parts_.model->warm_up(clock()));
    agent_.ready(parts_.model_name, parts_.model_version);
    agent_.flush(clock().monotonic_ns(), true);  // the first heartbeat
    while (!(parts_.stop && parts_.stop())) {
      Frame frame;
      OREE_TRY_ASSIGN(Fetch fetched, parts_.source->next(frame, kFetchWaitMs));
      if (fetched == Fetch::kEnd) {
        ended_ = true;
        break;
      }
      if (fetched == Fetch::kFrame) OREE_TRY(watch(frame));
      report();
      ended_ = limits_.frames_max > 0 && summary_.frames >= limits_.frames_max;
      if (ended_) break;
    }
    finish();
    return summary_;
  }

 private:
  Clock& clock() { return *parts_.ports.clock; }

  Status watch(const Frame& frame) {
    int64_t start = clock().monotonic_ns();
    if (summary_.frames == 0) first_ns_ = start;
    StageTimes times;
    OREE_TRY_ASSIGN(std::vector<Detection> found, parts_.model->run(frame.view, clock(), times));
    int64_t decoded = clock().monotonic_ns();
    tracker_.update(found, frame.stream_ms, {frame.view.width, frame.view.height});
    std::vector<std::pair<Track, Alarm>> alarms;
    for (Track& track : tracker_.tracks()) {
      if (auto alarm = rules_.check(track, frame.view.width, frame.view.height)) alarms.emplace_back(track, *alarm);
    }
    // The decision stands here; what follows is telling it.
    last_ns_ = clock().monotonic_ns();
    count(frame, times, start, static_cast<double>(last_ns_ - decoded) / 1e6, static_cast<int64_t>(found.size()));
    bool wanted = !limits_.frames_folder.empty() && (summary_.frames - 1) % limits_.frames_every == 0;
    if (wanted || !alarms.empty()) record(frame, alarms, wanted);
    return {};
  }

  void count(const Frame& frame, const StageTimes& times, int64_t start, double decide_ms, int64_t detections) {
    ++summary_.frames;
    summary_.detections += detections;
    summary_.width = frame.view.width;
    summary_.height = frame.view.height;
    double total = static_cast<double>(last_ns_ - frame.born_ns) / 1e6;
    summary_.stage_ms["capture"].add(static_cast<double>(start - frame.born_ns) / 1e6);
    summary_.stage_ms["preprocess"].add(times.preprocess_ms);
    summary_.stage_ms["infer"].add(times.infer_ms);
    summary_.stage_ms["decode"].add(times.decode_ms + decide_ms);
    summary_.stage_ms["total"].add(total);
    AppStats& stats = agent_.stats();
    ++stats.frames;
    ++stats.predictions;
    stats.latency_ms.add(total);
    count_samples();
  }

  void count_samples() {
    for (double sample : tracker_.take_samples()) {
      summary_.confidence.add(sample);
      if (summary_.samples.size() < kSamplesKeptMax) summary_.samples.push_back(sample);
      agent_.stats().confidence.add(sample);
    }
  }

  void record(const Frame& frame, const std::vector<std::pair<Track, Alarm>>& alarms, bool wanted) {
    Frame copy = copy_frame(frame);
    std::vector<Mark> marks;
    for (const Track& track : tracker_.tracks()) {
      if (!track.seen || !track.confirmed) continue;
      marks.push_back(
          {track.box,
           fmt::format("{} {:.2f} #{}", label_name(parts_.model->labels(), track.label), track.score, track.id),
           track.alarmed});
    }
    for (const auto& [track, alarm] : alarms) {
      Event event;
      event.id = fmt::format("{:016x}{:016x}", parts_.ports.random->next_u64(), parts_.ports.random->next_u64());
      event.time_ms = clock().wall_ms();
      event.label = label_name(parts_.model->labels(), track.label);
      event.score = alarm.score;
      event.box = track.box;
      event.width = frame.view.width;
      event.height = frame.view.height;
      event.track = track.id;
      event.zone = alarm.zone;
      event.frame = frame.index;
      event.stream_ms = frame.stream_ms;
      event.model = parts_.model_name;
      event.version = parts_.model_version;
      ++summary_.events;
      ++agent_.stats().events;
      recorder_.push({std::move(event), "", copy, marks, false});
    }
    if (wanted)
      recorder_.push({std::nullopt, path_join(limits_.frames_folder, fmt::format("frame-{:06d}.jpg", frame.index)),
                      copy, marks, limits_.frames_plain});
  }

  void report(bool last = false) {
    for (const Event& event : recorder_.take_stored()) {
      Json json = event_to_json(event);
      if (parts_.on_event) parts_.on_event(json);
      agent_.event(json);
    }
    int64_t dropped = parts_.source->dropped();
    agent_.stats().frames_dropped += dropped - summary_.dropped;
    summary_.dropped = dropped;
    agent_.flush(clock().monotonic_ns(), last);
  }

  void finish() {
    tracker_.finish();
    count_samples();
    recorder_.finish();
    report(true);
    if (ended_) agent_.done();
    summary_.tracks = tracker_.confirmed_total();
    summary_.record_failures = recorder_.failures();
    summary_.seconds = summary_.frames > 0 ? static_cast<double>(last_ns_ - first_ns_) / 1e9 : 0;
    summary_.fps = summary_.seconds > 0 ? static_cast<double>(summary_.frames) / summary_.seconds : 0;
  }

  const CameraParts& parts_;
  const CameraConfig& config_;
  const CameraLimits& limits_;
  AlarmRules rules_;
  Tracker tracker_;
  AgentLink agent_;
  CameraSummary summary_;
  int64_t first_ns_ = 0, last_ns_ = 0;
  bool ended_ = false;
  Recorder recorder_;
};

}  // namespace

Result<CameraSummary> run_camera(const CameraParts& parts, const CameraConfig& config, const CameraLimits& limits) {
  OREE_TRY_ASSIGN(AlarmRules rules, AlarmRules::make(config.alarm, parts.model->labels()));
  if (!limits.frames_folder.empty()) OREE_TRY(parts.ports.files->make_dirs(limits.frames_folder));
  return Watch(parts, config, limits, std::move(rules)).run();
}

Json summary_to_json(const CameraSummary& s) {
  Json stages = Json::object();
  for (const auto& [stage, times] : s.stage_ms) {
    stages.set(stage, Json::object()
                          .set("p50", times.quantile(0.5))
                          .set("p95", times.quantile(0.95))
                          .set("p99", times.quantile(0.99))
                          .set("mean", times.mean())
                          .set("max", times.max()));
  }
  Json out = Json::object();
  out.set("frames", s.frames)
      .set("dropped", s.dropped)
      .set("seconds", s.seconds)
      .set("fps", s.fps)
      .set("width", s.width);
  out.set("height", s.height).set("detections", s.detections).set("tracks", s.tracks).set("events", s.events);
  out.set("record_failures", s.record_failures).set("latency_ms", std::move(stages));
  out.set("confidence", Json::object().set("samples", s.confidence.count()).set("mean", s.confidence.mean()));
  return out;
}

std::string summary_to_text(const CameraSummary& s) {
  TextTable table;
  table.header = {"stage", "p50 ms", "p95 ms", "p99 ms", "max ms"};
  table.right = {false, true, true, true, true};
  for (const char* stage : {"capture", "preprocess", "infer", "decode", "total"}) {
    auto found = s.stage_ms.find(stage);
    if (found == s.stage_ms.end()) continue;
    const ExponentialHistogram& t = found->second;
    table.rows.push_back({stage, fmt::format("{:.2f}", t.quantile(0.5)), fmt::format("{:.2f}", t.quantile(0.95)),
                          fmt::format("{:.2f}", t.quantile(0.99)), fmt::format("{:.2f}", t.max())});
  }
  return fmt::format("{} frames of {}x{} in {:.1f} s: {:.1f} frames/s, {} dropped; {} tracks, {} events\n{}", s.frames,
                     s.width, s.height, s.seconds, s.fps, s.dropped, s.tracks, s.events, table.text());
}

}  // namespace oree
