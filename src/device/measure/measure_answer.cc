// SPDX-License-Identifier: Apache-2.0
#include "device/measure/measure_answer.h"

#include "model/remote/protocol.h"

namespace oree {
namespace {

int status_of(Code code) {
  switch (code) {
    case Code::kUsage:
    case Code::kInvalid: return 400;
    case Code::kIntegrity: return 422;
    case Code::kUnsupported: return 501;
    case Code::kUnavailable: return 503;
    case Code::kExhausted: return 507;
    case Code::kNotFound: return 404;
    case Code::kConflict: return 409;
    case Code::kRefused: return 403;
    case Code::kInternal: return 500;
  }
  return 500;
}

}  // namespace

ServerResponse json_response(int status, const Json& json) {
  ServerResponse response;
  response.status = status;
  response.headers["content-type"] = "application/json";
  response.headers["cache-control"] = "no-store";
  response.body = json.dump() + "\n";
  return response;
}

ServerResponse error_response(const Error& error) {
  return json_response(status_of(error.code()), error_to_json(error));
}

}  // namespace oree
