// SPDX-License-Identifier: Apache-2.0
// The line at the end of a .param file of ours. Internal to model/ncnn.
#pragma once

#include "model/ncnn/ncnn_file.h"

namespace oree {

// In what follows the layers: the note, nothing when there is none. kInvalid when it is malformed.
Result<std::optional<NcnnNote>> find_ncnn_note(std::string_view rest);

}  // namespace oree
