// SPDX-License-Identifier: Apache-2.0
// What a device that measures and whoever measures on it read of each other: the forms of the protocol, and the request
// line.
#include "core/base/bytes.h"
#include "core/io/inner_path.h"
#include "device/measure/measure_route.h"
#include "model/remote/protocol.h"

using namespace oree;

namespace {

template <typename Message>
void round_trip(const Json& json, Result<Message> (*read)(const Json&), Json (*write)(const Message&)) {
  auto message = read(json);
  if (!message.ok()) return;
  Json written = write(*message);
  auto again = read(written);
  OREE_ASSERT(again.ok() && write(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = as_text(ByteView(data, size));
  size_t space = text.find(' ');
  if (space != std::string_view::npos) {
    MeasureRoute route = measure_route(text.substr(0, space), text.substr(space + 1));
    bool in_job = route.kind > MeasureRoute::kReading;
    OREE_ASSERT(!in_job || is_job_id(route.job));
    OREE_ASSERT((route.kind != MeasureRoute::kPutFile && route.kind != MeasureRoute::kHasFile) ||
                is_digest(route.digest));
    OREE_ASSERT(route.kind < MeasureRoute::kStartWorker || route.worker > 0);
  }
  auto json = Json::parse(text);
  if (!json.ok()) return 0;
  round_trip<TargetDescription>(*json, description_from_json, description_to_json);
  round_trip<SystemReading>(*json, reading_from_json, reading_to_json);
  round_trip<JobRequest>(*json, job_request_from_json, job_request_to_json);
  round_trip<JobGrant>(*json, job_grant_from_json, job_grant_to_json);
  round_trip<RemoteCommand>(*json, remote_command_from_json, remote_command_to_json);
  round_trip<RemoteAnswer>(*json, remote_answer_from_json, remote_answer_to_json);
  // Whatever is opened stays in the worker's own folder.
  if (auto command = remote_command_from_json(*json); command.ok()) {
    for (const FileRef& file : command->model) OREE_ASSERT(check_inner_path(file.name).ok() && is_digest(file.digest));
  }
  return 0;
}
