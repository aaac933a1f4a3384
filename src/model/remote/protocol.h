// SPDX-License-Identifier: Apache-2.0
// What a device and whoever measures on it say to each other (docs/formats/measure.md), version 1: the forms that both
// ends share. Unknown members are ignored; a known one of a wrong type or out of bounds is kInvalid.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "core/io/sensors.h"
#include "model/eval/target.h"

namespace oree {

inline constexpr int kMeasureProtocol = 1;
inline constexpr char kPathMeasure[] = "/measure/v1";

// {"protocol", "name", "machine": {…}, "runtimes": […]}. kUnsupported: another version of the protocol.
Json description_to_json(const TargetDescription& description);
Result<TargetDescription> description_from_json(const Json& json);

Json reading_to_json(const SystemReading& reading);
Result<SystemReading> reading_from_json(const Json& json);

// Whoever measures names the job, so that asking twice begins one.
struct JobRequest {
  std::string by;           // who, for others to see: "ada@laptop"
  int64_t time_ms_max = 0;  // 0: as long as the device lends itself
};
Json job_request_to_json(const JobRequest& request);
Result<JobRequest> job_request_from_json(const Json& json);

struct JobGrant {
  int64_t lease_ms = 0;     // the job ends after so long a silence
  int64_t time_ms_max = 0;  // and at the latest then
  std::string boot_id;
};
Json job_grant_to_json(const JobGrant& grant);
Result<JobGrant> job_grant_from_json(const Json& json);

// One file of a model, or an input: what it is called there, and what is in it.
struct FileRef {
  std::string name;
  std::string digest;  // SHA-256, 64 lower-case hex digits
  bool operator==(const FileRef&) const = default;
};

// A command of worker.h on its way. The members that name files are taken out of it: they are digests here.
struct RemoteCommand {
  Json command;                // without "model", "npz", "input" and "output"
  std::vector<FileRef> model;  // of "open": the model's own file first
  std::string input;           // digest of the npz that "input" or "outputs" reads; "": noise
  int64_t timeout_ms = 0;      // of the child
  int64_t wait_ms = 0;         // that the request may be held back; then it is asked again
};
Json remote_command_to_json(const RemoteCommand& command);
Result<RemoteCommand> remote_command_from_json(const Json& json);

// What became of a command: the child's own answer, its end, or neither yet.
struct RemoteAnswer {
  std::optional<Json> answer;
  std::optional<Error> dead;  // the child is gone, and why
  std::string output_digest;  // of "outputs": the file to fetch
  int64_t output_bytes = 0;
};
Json remote_answer_to_json(const RemoteAnswer& answer);
Result<RemoteAnswer> remote_answer_from_json(const Json& json);

Json error_to_json(const Error& error);  // {"error": code, "reason": text}

bool is_digest(std::string_view text);  // 64 lower-case hex digits
bool is_job_id(std::string_view text);  // 32 of them

}  // namespace oree
