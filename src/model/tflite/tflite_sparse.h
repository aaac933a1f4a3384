// SPDX-License-Identifier: Apache-2.0
// Sparse constants of TFLite files made dense. Format: SparsityParameters in schema.fbs, the "sparse tensor" text
// there.
#pragma once

#include "model/graph/constant.h"
#include "model/tflite/tflite_file.h"

namespace oree {

// kInvalid when the parts do not fit together, kExhausted when the dense tensor would be more than kSparseExpansionMax
// times what is stored.
Result<Constant> read_sparse_tensor(const TfliteTensor& tensor, ByteView buffer);

}  // namespace oree
