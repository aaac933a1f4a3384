// SPDX-License-Identifier: Apache-2.0
// MeasureServer: the device's side of measuring from elsewhere (docs/formats/measure.md). It lends the machine to one
// job at a time: files by digest, workers that measure, within limits of time, memory and disk. A job ends when it is
// asked to, after a silence, when its time is over, or with this process; its workers end with it.
// Called by the HTTP server from several threads at once. It never loads an engine itself: children do.
//
//   DIR/files, DIR/incoming, DIR/order.json   FileCache: kept from job to job
//   DIR/job/<worker>/model/<names>, out.npz   gone with the job
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/io/copy_file.h"
#include "core/io/http_server.h"
#include "core/io/ports.h"
#include "device/measure/file_cache.h"
#include "device/measure/job_gate.h"
#include "device/measure/measure_options.h"
#include "device/measure/measure_route.h"
#include "device/measure/worker_lane.h"

namespace oree {

class MeasureServer : public HttpHandler {
 public:
  // Ports and gate are borrowed. `token` is what the token file says. `place` gives a worker its models.
  MeasureServer(const Ports& ports, MeasureOptions options, const std::string& token, JobGate& gate,
                PlaceFile place = copy_file);
  ~MeasureServer() override;  // close()
  Status open();              // kUsage: the token is too short; else the data folder cannot be used
  void close();               // ends the job; no request may come any more

  RequestPlan begin(const ServerRequest& head) override;
  void tick() override;

 private:
  struct Held {  // a worker, and what of the cache is kept for it
    std::shared_ptr<WorkerLane> lane;
    std::vector<std::shared_ptr<void>> model;  // as long as it may read them
    std::shared_ptr<void> input;               // until the next command
    std::string output;                        // the file to fetch, until the next command; "": none
  };
  struct Job {
    std::string id, by;
    int64_t begun_ns = 0, time_ms_max = 0;
    std::atomic<int64_t> heard_ns{0};
    MemoryBudget budget;
    std::map<int64_t, Held> workers;  // guarded by the server's mutex
    int64_t started = 0;              // the highest number
    explicit Job(int64_t memory_bytes_max) : budget(memory_bytes_max) {}
  };
  struct Ended {
    std::string id, how;  // "asked", "lease", "time", "stopped"
    std::string text;
  };
  class BodySink;
  class FileSink;

  bool allowed(const ServerRequest& head) const;
  ServerResponse answer(const MeasureRoute& route, const std::string& body);
  RequestPlan put_file(const MeasureRoute& route, const ServerRequest& head);

  ServerResponse describe();
  Result<TargetDescription> look_around();
  ServerResponse begin_job(const MeasureRoute& route, const std::string& body);
  ServerResponse look_at_job(const MeasureRoute& route);
  ServerResponse start_worker(const MeasureRoute& route, const std::string& body);
  ServerResponse end_worker(const MeasureRoute& route);
  ServerResponse command(const MeasureRoute& route, const std::string& body);
  ServerResponse output(const MeasureRoute& route);

  // The job of that id, heard just now; nullptr when it is not the one that runs.
  std::shared_ptr<Job> job_of(const std::string& id);
  ServerResponse gone(const std::string& id);
  ServerResponse busy() const;  // mutex_ is held
  void end_job(const std::shared_ptr<Job>& job, const std::string& how, const std::string& text);
  std::optional<ServerResponse> give(const std::shared_ptr<Job>& job, WorkerLane& lane, const MeasureRoute& route,
                                     const RemoteCommand& request);
  Result<Json> prepare(Job& job, int64_t worker, const RemoteCommand& command, Held& kept);
  Status place_model(const std::vector<FileRef>& model, const std::string& folder);
  Status name_output(const std::string& path, int64_t worker, const std::shared_ptr<Job>& job, RemoteAnswer& answer);
  std::string worker_folder(int64_t worker) const;
  WorkerSettings worker_settings(int64_t address_space_bytes_max) const;
  int64_t now_ns() { return ports_.clock->monotonic_ns(); }

  Ports ports_;
  MeasureOptions options_;
  std::string token_digest_;           // SHA-256 of the token, hex
  std::optional<size_t> token_chars_;  // nothing: only its digest is known
  JobGate& gate_;
  PlaceFile place_;
  FileCache cache_;
  SystemIdentity machine_;

  std::mutex giving_;                      // one command is made ready at a time
  std::mutex reading_;                     // Sensors are for one thread
  std::mutex looking_;                     // one look at the engines at a time
  std::optional<TargetDescription> seen_;  // by the last look; guarded by looking_
  mutable std::mutex mutex_;               // guards the rest
  std::shared_ptr<Job> job_;
  std::string beginning_;  // id of the job that waits for the gate
  std::string beginning_by_;
  bool ending_ = false;  // the last job's workers are being ended
  std::optional<Ended> ended_;
};

}  // namespace oree
