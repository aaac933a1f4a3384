// SPDX-License-Identifier: Apache-2.0
#include "core/codec/csv.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  int64_t window_rows = size > 0 ? 1 + data[size - 1] % 5 : 1;
  auto csv = CsvFile::open(source_of(ByteView(data, size)), [&](int64_t) -> Result<int64_t> { return window_rows; });
  if (!csv.ok()) return 0;
  OREE_ASSERT(static_cast<int64_t>((*csv)->windows()) == (*csv)->rows() / window_rows);
  for (size_t w = 0; w < (*csv)->windows(); ++w) {
    Result<std::vector<float>> values = (*csv)->read(w);
    OREE_ASSERT(!values.ok() || static_cast<int64_t>(values->size()) == window_rows * (*csv)->columns());
  }
  return 0;
}
