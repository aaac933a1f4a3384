// SPDX-License-Identifier: Apache-2.0
#include "device/measure/measure_answer.h"

#include "model/remote/protocol.h"

namespace oree {

ServerResponse json_response(int status, const Json& json) {
  ServerResponse response;
  response.status = status;
  response.headers["content-type"] = "application/json";
  response.headers["cache-control"] = "no-store";
  response.body = json.dump() + "\n";
  return response;
}

ServerResponse error_response(const Error& error) {
  return json_response(http_status(error.code()), error_to_json(error));
}

}  // namespace oree
