// SPDX-License-Identifier: Apache-2.0
// The OpenAPI 3.1 document, made from the table of routes.
#pragma once

#include "fleet/server/router.h"

namespace oree {

Json openapi_document(const Router& router);

}  // namespace oree
