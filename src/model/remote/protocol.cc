// SPDX-License-Identifier: Apache-2.0
#include "model/remote/protocol.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/measure_limits.h"
#include "core/io/inner_path.h"
#include "model/eval/pipe_channel.h"
#include "model/runtime/runtime_info.h"

namespace oree {
namespace {

constexpr size_t kTextBytesMax = 4096;
constexpr size_t kByBytesMax = 256;
constexpr int64_t kBytesMax = int64_t{1} << 50;

bool is_hex(std::string_view text, size_t length) {
  return text.size() == length &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<std::string> read_digest(const Json& json, std::string_view key) {
  OREE_TRY_ASSIGN(std::string digest, json.get_string(key));
  if (!is_digest(digest)) return member_error(key, "must be 64 lower-case hex digits");
  return digest;
}

Result<std::optional<double>> read_optional_double(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  if (found == nullptr || found->is_null()) return std::optional<double>();
  OREE_TRY_ASSIGN(double value, json.get_double(key));
  return std::optional<double>(value);
}

Result<std::optional<int64_t>> read_optional_bytes(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  if (found == nullptr || found->is_null()) return std::optional<int64_t>();
  OREE_TRY_ASSIGN(int64_t value, json.get_int(key, 0, kBytesMax));
  return std::optional<int64_t>(value);
}

Json core_groups_to_json(const std::vector<CoreGroup>& groups) {
  Json list = Json::array();
  for (const CoreGroup& group : groups) {
    Json cpus = Json::array();
    for (int cpu : group.cpus) cpus.push(cpu);
    list.push(Json().set("cpus", cpus).set("capacity", group.capacity));
  }
  return list;
}

Result<std::vector<CoreGroup>> core_groups_from_json(const Json& list) {
  std::vector<CoreGroup> groups;
  if (list.items().size() > kMeasureFrequenciesMax) return member_error("core_groups", "has too many entries");
  for (const Json& item : list.items()) {
    CoreGroup group;
    OREE_TRY_ASSIGN(group.capacity, item.get_int("capacity", 0, kBytesMax));
    OREE_TRY_ASSIGN(const Json* cpus, item.get_array("cpus"));
    if (cpus->items().size() > kMeasureCpusMax) return member_error("cpus", "has too many entries");
    for (const Json& cpu : cpus->items()) {
      if (!cpu.is_int() || cpu.as_int() < 0 || cpu.as_int() >= static_cast<int64_t>(kMeasureCpusMax))
        return member_error("cpus", "must be numbers of CPUs");
      group.cpus.push_back(static_cast<int>(cpu.as_int()));
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

Result<SystemIdentity> machine_from_json(const Json& json) {
  SystemIdentity machine;
  OREE_TRY_ASSIGN(machine.architecture, json.get_text("architecture", kTextBytesMax));
  OREE_TRY_ASSIGN(machine.cpu_model, json.get_text("cpu_model", kTextBytesMax));
  OREE_TRY_ASSIGN(machine.os, json.get_text("os", kTextBytesMax));
  OREE_TRY_ASSIGN(machine.cpu_cores, json.get_int32("cpu_cores", 0, 1 << 16));
  OREE_TRY_ASSIGN(machine.memory_total_bytes, json.get_int("memory_total_bytes", 0, kBytesMax));
  OREE_TRY_ASSIGN(machine.boot_id, json.get_text("boot_id", kTextBytesMax));
  machine.board = json["board"].as_string().substr(0, kTextBytesMax);
  OREE_TRY_ASSIGN(machine.core_groups, core_groups_from_json(json["core_groups"]));
  return machine;
}

Result<std::vector<FileRef>> model_from_json(const Json& list) {
  if (!list.is_array() || list.items().empty() || list.items().size() > kMeasureModelFilesMax)
    return member_error("model", fmt::format("must be a list of 1 to {} files", kMeasureModelFilesMax));
  std::vector<FileRef> files;
  for (const Json& item : list.items()) {
    FileRef file;
    OREE_TRY_ASSIGN(file.name, item.get_text("name", kTextBytesMax));
    OREE_TRY(check_inner_path(file.name));
    OREE_TRY_ASSIGN(file.digest, read_digest(item, "sha256"));
    for (const FileRef& other : files) {
      if (other.name == file.name) return member_error("model", fmt::format("names {} twice", file.name));
    }
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

bool is_digest(std::string_view text) { return is_hex(text, 64); }
bool is_job_id(std::string_view text) { return is_hex(text, 32); }

Json description_to_json(const TargetDescription& description) {
  const SystemIdentity& m = description.machine;
  Json machine = Json()
                     .set("architecture", m.architecture)
                     .set("cpu_model", m.cpu_model)
                     .set("os", m.os)
                     .set("cpu_cores", m.cpu_cores)
                     .set("memory_total_bytes", m.memory_total_bytes)
                     .set("boot_id", m.boot_id)
                     .set("board", m.board)
                     .set("core_groups", core_groups_to_json(m.core_groups));
  return Json()
      .set("protocol", kMeasureProtocol)
      .set("name", description.name)
      .set("machine", machine)
      .set("runtimes", runtimes_to_json(description.runtimes))
      .set("workers_bytes_max", description.workers_bytes_max);
}

Result<TargetDescription> description_from_json(const Json& json) {
  OREE_TRY_ASSIGN(int protocol, json.get_int32("protocol", 0, 1 << 20));
  if (protocol != kMeasureProtocol) {
    return Error(Code::kUnsupported,
                 fmt::format("the device speaks version {} of the measuring protocol, this program {}", protocol,
                             kMeasureProtocol));
  }
  TargetDescription description;
  OREE_TRY_ASSIGN(description.name, json.get_text("name", kTextBytesMax));
  OREE_TRY_ASSIGN(const Json* machine, json.get_object("machine"));
  OREE_TRY_ASSIGN(description.machine, machine_from_json(*machine));
  OREE_TRY_ASSIGN(const Json* runtimes, json.get_array("runtimes"));
  OREE_TRY_ASSIGN(description.runtimes, runtimes_from_json(*runtimes));
  if (json.find("workers_bytes_max") != nullptr) {
    OREE_TRY_ASSIGN(description.workers_bytes_max, json.get_int("workers_bytes_max", 0, kBytesMax));
  }
  return description;
}

Json reading_to_json(const SystemReading& reading) {
  Json frequencies = Json::array();
  for (const CpuFrequency& f : reading.frequencies) {
    frequencies.push(Json()
                         .set("policy", f.policy)
                         .set("mhz", f.mhz)
                         .set("mhz_min", f.mhz_min)
                         .set("mhz_max", f.mhz_max)
                         .set("governor", f.governor));
  }
  return Json()
      .set("cpu_percent", reading.cpu_percent)
      .set("memory_used_bytes", reading.memory_used_bytes)
      .set("memory_total_bytes", reading.memory_total_bytes)
      .set("temperature_celsius", reading.temperature_celsius)
      .set("load_1min", reading.load_1min)
      .set("frequencies", frequencies)
      .set("throttled", reading.throttled)
      .set("throttle_count", reading.throttle_count);
}

Result<SystemReading> reading_from_json(const Json& json) {
  if (!json.is_object()) return Error(Code::kInvalid, "a reading must be a JSON object");
  SystemReading reading;
  OREE_TRY_ASSIGN(reading.cpu_percent, read_optional_double(json, "cpu_percent"));
  OREE_TRY_ASSIGN(reading.memory_used_bytes, read_optional_bytes(json, "memory_used_bytes"));
  OREE_TRY_ASSIGN(reading.memory_total_bytes, read_optional_bytes(json, "memory_total_bytes"));
  OREE_TRY_ASSIGN(reading.temperature_celsius, read_optional_double(json, "temperature_celsius"));
  OREE_TRY_ASSIGN(reading.load_1min, read_optional_double(json, "load_1min"));
  OREE_TRY_ASSIGN(reading.throttle_count, read_optional_bytes(json, "throttle_count"));
  if (const Json& throttled = json["throttled"]; throttled.is_bool()) reading.throttled = throttled.as_bool();
  const Json::Array& frequencies = json["frequencies"].items();
  if (frequencies.size() > kMeasureFrequenciesMax)
    return member_error("frequencies", fmt::format("has {} entries; at most {} are allowed", frequencies.size(),
                                                   kMeasureFrequenciesMax));
  for (const Json& item : frequencies) {
    CpuFrequency f;
    OREE_TRY_ASSIGN(f.policy, item.get_text("policy", kTextBytesMax));
    OREE_TRY_ASSIGN(f.mhz, item.get_double("mhz"));
    OREE_TRY_ASSIGN(f.mhz_min, item.get_double("mhz_min"));
    OREE_TRY_ASSIGN(f.mhz_max, item.get_double("mhz_max"));
    OREE_TRY_ASSIGN(f.governor, item.get_text("governor", kTextBytesMax));
    reading.frequencies.push_back(std::move(f));
  }
  return reading;
}

Json job_request_to_json(const JobRequest& request) {
  return Json().set("by", request.by).set("time_ms_max", request.time_ms_max);
}

Result<JobRequest> job_request_from_json(const Json& json) {
  JobRequest request;
  OREE_TRY_ASSIGN(request.by, json.get_text("by", kByBytesMax));
  for (char c : request.by) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return member_error("by", "has a control character");
  }
  if (request.by.empty()) return member_error("by", "must say who measures");
  if (json.find("time_ms_max") != nullptr) {
    OREE_TRY_ASSIGN(request.time_ms_max, json.get_int("time_ms_max", 0, kMeasureJobMsMax));
  }
  return request;
}

Json job_grant_to_json(const JobGrant& grant) {
  return Json().set("lease_ms", grant.lease_ms).set("time_ms_max", grant.time_ms_max).set("boot_id", grant.boot_id);
}

Result<JobGrant> job_grant_from_json(const Json& json) {
  JobGrant grant;
  OREE_TRY_ASSIGN(grant.lease_ms, json.get_int("lease_ms", 1, kMeasureJobMsMax));
  OREE_TRY_ASSIGN(grant.time_ms_max, json.get_int("time_ms_max", 1, kMeasureJobMsMax));
  OREE_TRY_ASSIGN(grant.boot_id, json.get_text("boot_id", kTextBytesMax));
  return grant;
}

Json remote_command_to_json(const RemoteCommand& command) {
  Json out = Json().set("command", command.command);
  if (!command.model.empty()) {
    Json model = Json::array();
    for (const FileRef& file : command.model) model.push(Json().set("name", file.name).set("sha256", file.digest));
    out.set("model", model);
  }
  if (!command.input.empty()) out.set("input", command.input);
  return out.set("timeout_ms", command.timeout_ms).set("wait_ms", command.wait_ms);
}

Result<RemoteCommand> remote_command_from_json(const Json& json) {
  RemoteCommand out;
  OREE_TRY_ASSIGN(const Json* command, json.get_object("command"));
  // Paths of the sender's would be looked for here.
  for (const char* key : {"model", "npz", "input", "output"}) {
    if (command->find(key) != nullptr)
      return member_error(key, "must not be in the command: files go by their digests");
  }
  out.command = *command;
  OREE_TRY_ASSIGN(std::string name, command->get_text("cmd", 64));
  if (name == "open") {
    const Json* model = json.find("model");
    if (model == nullptr) return member_error("model", "is missing");
    OREE_TRY_ASSIGN(out.model, model_from_json(*model));
  } else if (name == "outputs" || (name == "input" && json.find("input") != nullptr)) {
    OREE_TRY_ASSIGN(out.input, read_digest(json, "input"));
  } else if (name != "input" && name != "run" && name != "meter" && name != "energy") {
    return member_error("cmd", "must be open, input, run, outputs, meter or energy");
  }
  OREE_TRY_ASSIGN(out.timeout_ms, json.get_int("timeout_ms", 1, kMeasureCommandMsMax));
  OREE_TRY_ASSIGN(out.wait_ms, json.get_int("wait_ms", 0, kMeasureWaitMsMax));
  return out;
}

Json remote_answer_to_json(const RemoteAnswer& answer) {
  Json out = Json::object();
  if (answer.answer) out.set("answer", *answer.answer);
  if (answer.dead)
    out.set("dead", Json().set("code", code_name(answer.dead->code())).set("message", answer.dead->message()));
  if (!answer.output_digest.empty())
    out.set("output", Json().set("sha256", answer.output_digest).set("bytes", answer.output_bytes));
  return out;
}

Result<RemoteAnswer> remote_answer_from_json(const Json& json) {
  if (!json.is_object()) return Error(Code::kInvalid, "an answer must be a JSON object");
  RemoteAnswer out;
  if (const Json* answer = json.find("answer")) {
    if (!answer->is_object()) return member_error("answer", "must be an object");
    out.answer = *answer;
  }
  if (json.find("dead") != nullptr) {
    OREE_TRY_ASSIGN(const Json* dead, json.get_object("dead"));
    OREE_TRY_ASSIGN(std::string code, dead->get_text("code", 64));
    OREE_TRY_ASSIGN(std::string message, dead->get_string("message"));
    out.dead = Error(code_from_name(code), message);
  }
  if (json.find("output") != nullptr) {
    OREE_TRY_ASSIGN(const Json* output, json.get_object("output"));
    OREE_TRY_ASSIGN(out.output_digest, read_digest(*output, "sha256"));
    OREE_TRY_ASSIGN(out.output_bytes, output->get_int("bytes", 0, kModelBytesMax));
  }
  return out;
}

Json error_to_json(const Error& error) {
  return Json().set("error", code_name(error.code())).set("reason", error.message());
}

}  // namespace oree
