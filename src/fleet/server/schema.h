// SPDX-License-Identifier: Apache-2.0
// The tables of the fleet's database, and how an older database becomes the current one.
#pragma once

#include "core/io/database.h"

namespace oree {

inline constexpr int64_t kFleetSchema = 3;

// Brings the database to kFleetSchema, each step in a transaction of its own. kUnsupported when a newer server wrote
// it.
Status migrate_fleet(Database& database);

}  // namespace oree
