// SPDX-License-Identifier: Apache-2.0
#include "core/io/database.h"

namespace oree {
namespace {

const DbValue& at(const DbValues& values, size_t column) {
  OREE_ASSERT(column < values.size());
  return values[column];
}

}  // namespace

bool DbRow::is_null(size_t column) const { return std::holds_alternative<std::monostate>(at(values, column)); }

int64_t DbRow::integer(size_t column) const {
  const int64_t* v = std::get_if<int64_t>(&at(values, column));
  return v ? *v : 0;
}

double DbRow::real(size_t column) const {
  const DbValue& v = at(values, column);
  if (const double* d = std::get_if<double>(&v)) return *d;
  if (const int64_t* i = std::get_if<int64_t>(&v)) return static_cast<double>(*i);
  return 0;
}

const std::string& DbRow::text(size_t column) const {
  static const std::string empty;
  const std::string* v = std::get_if<std::string>(&at(values, column));
  return v ? *v : empty;
}

const Bytes& DbRow::blob(size_t column) const {
  static const Bytes empty;
  const Bytes* v = std::get_if<Bytes>(&at(values, column));
  return v ? *v : empty;
}

}  // namespace oree
