// SPDX-License-Identifier: Apache-2.0
// The fleet server: an HttpHandler over a database and a data folder. Makes no thread and opens no socket; any number
// of threads may call it. docs/server.md is its manual, /openapi.json its interface.
#pragma once

#include <memory>

#include "fleet/server/router.h"

namespace oree {

class FleetServer : public HttpHandler {
 public:
  // The ports must outlive this object.
  FleetServer(Database& database, Files& files, Clock& clock, Random& random, const FleetOptions& options);
  Status open();   // the database's schema, the folders; removes what cut uploads left and blobs that nobody needs
  Status close();  // writes what is still in memory

  RequestPlan begin(const ServerRequest& head) override;
  void tick() override;

  const Router& router() const { return router_; }
  Fleet& fleet() { return fleet_; }

 private:
  std::optional<ServerResponse> authorise(const Route& route, Call& call);
  void sweep_blobs();
  Fleet fleet_;
  Router router_;
  int64_t ticks_ = 0;
  int64_t next_sweep_ns_ = 0;  // monotonic
};

}  // namespace oree
