// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/codec/json.h"

namespace oree {

Json openapi_schemas();  // name -> JSON Schema: the document's components/schemas

}  // namespace oree
