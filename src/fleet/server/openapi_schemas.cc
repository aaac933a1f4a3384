// SPDX-License-Identifier: Apache-2.0
// The shapes of the API's bodies as JSON Schema (2020-12, as OpenAPI 3.1 takes it). Kept as JSON text, since that is
// what its readers know; openapi_test parses it and compares real answers with it.
#include "fleet/server/openapi_schemas.h"

namespace oree {
namespace {

constexpr char kBasics[] = R"json({
"Error": {"type": "object", "required": ["error", "reason"], "properties": {
  "error": {"type": "string", "description": "for machines: invalid, integrity, unsupported, unavailable, exhausted, not_found, conflict, refused, unauthorized, internal"},
  "reason": {"type": "string", "description": "for people"}}},
"Empty": {"type": "object"},
"Document": {"type": "object"},
"Name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"},
"OptionalName": {"type": ["string", "null"], "pattern": "^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$"},
"OptionalDigest": {"type": ["string", "null"], "pattern": "^((sha256:)?[0-9a-fA-F]{64})?$"},
"OptionalText": {"type": ["string", "null"], "maxLength": 1024, "pattern": "^[^\\u0000-\\u0008\\u000b-\\u001f]*$", "description": "at most 4096 bytes"},
"Digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
"Milliseconds": {"type": "integer", "description": "Unix time in milliseconds"},
"Health": {"type": "object", "required": ["status", "version"], "properties": {"status": {"const": "ok"}, "version": {"type": "string"}}},
"Blob": {"type": "object", "required": ["digest", "size"], "properties": {"digest": {"$ref": "#/components/schemas/Digest"}, "size": {"type": "integer", "minimum": 0}}}
})json";

constexpr char kReleases[] = R"json({
"Latest": {"type": "object", "required": ["model", "version", "url", "checksum", "size", "compatible_devices", "release_id"], "properties": {
  "model": {"$ref": "#/components/schemas/Name"}, "version": {"$ref": "#/components/schemas/Name"},
  "url": {"type": "string", "description": "absolute, or a path on this server"},
  "checksum": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, "size": {"type": "integer", "minimum": 1},
  "compatible_devices": {"type": "array", "items": {"$ref": "#/components/schemas/Name"}}, "release_id": {"type": "string"}}},
"Release": {"type": "object", "required": ["model", "version", "digest", "size", "device_types"], "properties": {
  "model": {"$ref": "#/components/schemas/Name"}, "version": {"$ref": "#/components/schemas/Name"},
  "digest": {"type": "string", "pattern": "^(sha256:)?[0-9a-fA-F]{64}$"}, "size": {"type": "integer", "minimum": 1, "maximum": 4294967296},
  "device_types": {"type": "array", "minItems": 1, "maxItems": 64, "items": {"$ref": "#/components/schemas/Name"}},
  "notes": {"type": ["string", "null"], "maxLength": 4096, "description": "no control characters but line breaks and tabs"}}},
"StoredRelease": {"allOf": [{"$ref": "#/components/schemas/Release"}, {"type": "object", "required": ["id", "created_ms", "withdrawn_ms"], "properties": {
  "id": {"type": "string", "description": "model@version"}, "created_ms": {"$ref": "#/components/schemas/Milliseconds"}, "withdrawn_ms": {"type": ["integer", "null"]}}}]},
"ReleaseList": {"type": "object", "required": ["releases"], "properties": {"releases": {"type": "array", "items": {"$ref": "#/components/schemas/StoredRelease"}}}}
})json";

constexpr char kDevices[] = R"json({
"DeviceRegistration": {"type": "object", "required": ["id", "device_type"], "properties": {"id": {"$ref": "#/components/schemas/Name"}, "device_type": {"$ref": "#/components/schemas/Name"}}},
"NewDevice": {"type": "object", "required": ["id", "device_type", "token"], "properties": {"id": {"type": "string"}, "device_type": {"type": "string"}, "token": {"type": "string", "description": "shown this once"}}},
"NewToken": {"type": "object", "required": ["id", "token"], "properties": {"id": {"type": "string"}, "token": {"type": "string"}}},
"DeviceStatus": {"type": "object", "required": ["device_type"], "properties": {
  "device_type": {"$ref": "#/components/schemas/Name"}, "agent_version": {"type": ["string", "null"], "maxLength": 128}, "architecture": {"type": ["string", "null"], "maxLength": 128},
  "cpu_model": {"$ref": "#/components/schemas/OptionalText"}, "os": {"$ref": "#/components/schemas/OptionalText"}, "model": {"$ref": "#/components/schemas/OptionalName", "description": "running now; \"\" when none"},
  "version": {"$ref": "#/components/schemas/OptionalName"}, "bundle_digest": {"$ref": "#/components/schemas/OptionalDigest"},
  "state": {"enum": ["", "idle", "downloading", "installing", "proving", "probation", "failed", "measuring", null]},
  "update_version": {"$ref": "#/components/schemas/OptionalName"}, "update_digest": {"$ref": "#/components/schemas/OptionalDigest"}, "update_outcome": {"enum": ["", "committed", "rolled_back", "refused", null]},
  "update_reason": {"$ref": "#/components/schemas/OptionalName"}, "update_detail": {"$ref": "#/components/schemas/OptionalText"},
  "update_seq": {"type": ["integer", "null"], "minimum": 0, "description": "grows with each finished update"}, "telemetry_pending": {"type": ["integer", "null"], "minimum": 0}}},
"Device": {"type": "object", "required": ["id", "device_type", "created_ms", "last_seen_ms", "state", "status"], "properties": {
  "id": {"type": "string"}, "device_type": {"type": "string"}, "created_ms": {"$ref": "#/components/schemas/Milliseconds"}, "last_seen_ms": {"type": ["integer", "null"]},
  "state": {"enum": ["online", "offline", "never"]}, "status": {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/DeviceStatus"}]}}},
"DeviceDetail": {"allOf": [{"$ref": "#/components/schemas/Device"}, {"type": "object", "required": ["updates"], "properties": {"updates": {"type": "array", "items": {
  "type": "object", "required": ["seq", "version", "digest", "outcome", "reason", "detail", "received_ms"], "properties": {"seq": {"type": "integer"}, "version": {"type": "string"},
  "digest": {"type": "string"}, "outcome": {"type": "string"}, "reason": {"type": "string"}, "detail": {"type": "string"}, "received_ms": {"type": "integer"}}}}}}]},
"DeviceList": {"type": "object", "required": ["devices"], "properties": {"devices": {"type": "array", "items": {"$ref": "#/components/schemas/Device"}}}}
})json";

constexpr char kTelemetry[] = R"json({
"ConfidenceHistogram": {"type": "object", "description": "256 equal bins on [0, 1], sparse", "required": ["n", "bins"], "properties": {"n": {"type": "integer", "minimum": 0}, "bins": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}}},
"ExponentialHistogram": {"type": "object", "description": "OpenTelemetry exponential layout, milliseconds: bucket i holds (base^i, base^(i+1)], base = 2^(2^-scale)", "required": ["n", "zero", "sum", "min", "max", "scale", "buckets"], "properties": {
  "n": {"type": "integer", "minimum": 0}, "zero": {"type": "integer", "minimum": 0}, "sum": {"type": "number"}, "min": {"type": "number"}, "max": {"type": "number"},
  "scale": {"type": "integer", "minimum": -10, "maximum": 20}, "buckets": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}}},
"Drift": {"type": "object", "required": ["level", "distance", "samples"], "properties": {"level": {"enum": ["unknown", "none", "warn", "severe"]}, "distance": {"type": "number"}, "samples": {"type": "integer", "minimum": 0}}},
"ModelReport": {"type": "object", "required": ["model", "version", "bundle_digest", "predictions", "frames_dropped", "events", "confidence", "latency_ms", "drift"], "properties": {
  "model": {"type": "string", "maxLength": 128}, "version": {"type": "string", "maxLength": 128}, "bundle_digest": {"type": "string", "maxLength": 128},
  "predictions": {"type": "integer", "minimum": 0}, "frames_dropped": {"type": "integer", "minimum": 0}, "events": {"type": "integer", "minimum": 0},
  "confidence": {"$ref": "#/components/schemas/ConfidenceHistogram"}, "latency_ms": {"$ref": "#/components/schemas/ExponentialHistogram"}, "drift": {"$ref": "#/components/schemas/Drift"}}},
"Report": {"type": "object", "description": "counts once by (boot_id, seq); at most 65536 bytes", "required": ["boot_id", "seq", "start_ms", "end_ms", "duration_ms", "merged_reports", "agent_rss_bytes", "app_rss_bytes", "app_cpu_ms", "app_restarts", "models"], "properties": {
  "boot_id": {"type": "string", "minLength": 1, "maxLength": 128}, "seq": {"type": "integer", "minimum": 1}, "start_ms": {"type": "integer"}, "end_ms": {"type": "integer"},
  "duration_ms": {"type": "integer", "minimum": 0}, "merged_reports": {"type": "integer", "minimum": 1},
  "cpu_percent": {"type": ["number", "null"]}, "memory_used_bytes": {"type": ["integer", "null"]}, "memory_total_bytes": {"type": ["integer", "null"]},
  "temperature_celsius": {"type": ["number", "null"], "description": "null or absent where there is no sensor"},
  "agent_rss_bytes": {"type": "integer", "minimum": 0}, "app_rss_bytes": {"type": "integer", "minimum": 0}, "app_cpu_ms": {"type": "integer", "minimum": 0}, "app_restarts": {"type": "integer", "minimum": 0},
  "models": {"type": "array", "maxItems": 16, "items": {"$ref": "#/components/schemas/ModelReport"}}}},
"TelemetryBatch": {"type": "object", "required": ["reports"], "properties": {"reports": {"type": "array", "maxItems": 256, "description": "each a Report; one that is malformed is rejected alone", "items": {}}}},
"ReportKey": {"type": "object", "required": ["boot_id", "seq"], "properties": {"boot_id": {"type": "string"}, "seq": {"type": "integer"}}},
"TelemetryAnswer": {"type": "object", "required": ["accepted", "rejected"], "properties": {"accepted": {"type": "array", "items": {"$ref": "#/components/schemas/ReportKey"}},
  "rejected": {"type": "array", "items": {"allOf": [{"$ref": "#/components/schemas/ReportKey"}, {"type": "object", "required": ["reason"], "properties": {"reason": {"type": "string"}}}]}}}},
"ReportList": {"type": "object", "required": ["reports"], "properties": {"reports": {"type": "array", "items": {"allOf": [{"$ref": "#/components/schemas/Report"}, {"type": "object", "required": ["received_ms"]}]}}}}
})json";

constexpr char kWatching[] = R"json({
"Alert": {"type": "object", "required": ["id", "device_id", "kind", "subject", "state", "detail", "count", "opened_ms", "last_ms", "acknowledged_ms", "resolved_ms"], "properties": {
  "id": {"type": "integer"}, "device_id": {"type": "string"}, "kind": {"enum": ["drift", "update", "silent", "temperature"]}, "subject": {"type": "string", "description": "model@version for drift"},
  "state": {"enum": ["open", "acknowledged", "resolved"]}, "detail": {"type": "string"}, "count": {"type": "integer", "minimum": 1}, "opened_ms": {"type": "integer"},
  "last_ms": {"type": "integer"}, "acknowledged_ms": {"type": ["integer", "null"]}, "resolved_ms": {"type": ["integer", "null"]}}},
"AlertList": {"type": "object", "required": ["alerts"], "properties": {"alerts": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}}}},
"RetrainRequest": {"type": "object", "required": ["id", "alert_id", "device_id", "model", "version", "distance", "samples", "created_ms"], "properties": {
  "id": {"type": "integer"}, "alert_id": {"type": "integer"}, "device_id": {"type": "string"}, "model": {"type": "string"}, "version": {"type": "string"},
  "distance": {"type": "number"}, "samples": {"type": "integer"}, "created_ms": {"type": "integer"}}},
"RetrainList": {"type": "object", "required": ["retrain_requests"], "properties": {"retrain_requests": {"type": "array", "items": {"$ref": "#/components/schemas/RetrainRequest"}}}},
"Latency": {"anyOf": [{"type": "null"}, {"type": "object", "required": ["p50", "p95", "p99", "mean", "count"], "properties": {"p50": {"type": "number"}, "p95": {"type": "number"}, "p99": {"type": "number"}, "mean": {"type": "number"}, "count": {"type": "integer"}}}]},
"DeviceOverview": {"type": "object", "required": ["id", "device_type", "state", "last_seen_ms", "age_ms", "status", "model", "version", "reports", "latency_ms", "predictions_per_hour", "events", "confidence_mean", "drift", "temperature_celsius", "cpu_percent", "memory_used_bytes", "memory_total_bytes", "agent_rss_bytes", "app_rss_bytes", "alerts_live"], "properties": {
  "id": {"type": "string"}, "device_type": {"type": "string"}, "state": {"enum": ["online", "offline", "never"]}, "last_seen_ms": {"type": ["integer", "null"]}, "age_ms": {"type": ["integer", "null"]},
  "status": {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/DeviceStatus"}]}, "model": {"type": ["string", "null"]}, "version": {"type": ["string", "null"]}, "reports": {"type": "integer"},
  "latency_ms": {"$ref": "#/components/schemas/Latency"}, "predictions_per_hour": {"type": ["number", "null"]}, "events": {"type": ["integer", "null"]}, "confidence_mean": {"type": ["number", "null"]},
  "drift": {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/Drift"}]}, "temperature_celsius": {"type": ["number", "null"]}, "cpu_percent": {"type": ["number", "null"]},
  "memory_used_bytes": {"type": ["integer", "null"]}, "memory_total_bytes": {"type": ["integer", "null"]}, "agent_rss_bytes": {"type": ["integer", "null"]}, "app_rss_bytes": {"type": ["integer", "null"]},
  "alerts_live": {"type": "integer"}}},
"Shares": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "number"}, "minItems": 32, "maxItems": 32}]},
"ModelOverview": {"type": "object", "required": ["model", "version", "devices", "latency_ms", "confidence_mean", "confidence_count", "confidence_shares", "reference_shares", "reference_distance"], "properties": {
  "model": {"type": "string"}, "version": {"type": "string"}, "devices": {"type": "integer"}, "latency_ms": {"$ref": "#/components/schemas/Latency"}, "confidence_mean": {"type": ["number", "null"]},
  "confidence_count": {"type": "integer"}, "confidence_shares": {"$ref": "#/components/schemas/Shares"}, "reference_shares": {"$ref": "#/components/schemas/Shares"}, "reference_distance": {"type": ["number", "null"]}}},
"Overview": {"type": "object", "required": ["server", "truncated", "devices", "models", "alerts", "releases", "retrain_requests"], "properties": {
  "server": {"type": "object", "required": ["version", "started_ms", "now_ms"], "properties": {"version": {"type": "string"}, "started_ms": {"type": "integer"}, "now_ms": {"type": "integer"}}},
  "truncated": {"type": "boolean", "description": "there are more devices than are shown"}, "devices": {"type": "array", "items": {"$ref": "#/components/schemas/DeviceOverview"}},
  "models": {"type": "array", "items": {"$ref": "#/components/schemas/ModelOverview"}}, "alerts": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}},
  "releases": {"type": "array", "items": {"$ref": "#/components/schemas/StoredRelease"}}, "retrain_requests": {"type": "array", "items": {"$ref": "#/components/schemas/RetrainRequest"}}}}
})json";

}  // namespace

Json openapi_schemas() {
  Json all = Json::object();
  for (const char* text : {kBasics, kReleases, kDevices, kTelemetry, kWatching}) {
    auto part = Json::parse(text);
    OREE_ASSERT(part.ok());
    for (const auto& [name, schema] : part->members()) all.set(name, schema);
  }
  return all;
}

}  // namespace oree
