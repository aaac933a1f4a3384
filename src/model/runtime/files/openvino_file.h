// SPDX-License-Identifier: Apache-2.0
// An OpenVINO IR (version 10 or 11) as it lies: an XML of layers, ports and edges beside a file of weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/tensor.h"
#include "model/runtime/files/element_type.h"

namespace oree {

struct OpenvinoPort {
  std::string names;  // first of its tensor names, "" when it has none
  ElementType element;
  Shape shape;  // -1: free
};

struct OpenvinoLayer {
  int64_t id = 0;
  std::string name;
  std::string type;                         // "Convolution"
  std::map<std::string, std::string> data;  // attributes of <data>
  std::vector<OpenvinoPort> inputs;
  std::vector<OpenvinoPort> outputs;
  std::vector<int64_t> sources;  // ids of the layers behind its inputs, in the order of its ports; -1: none
};

struct OpenvinoFile {
  std::string name;
  int64_t version = 0;
  std::vector<OpenvinoLayer> layers;
  std::map<std::string, std::string> rt_info;  // "conversion_parameters.framework" -> value, as far as it is given
};

// `weights_size` is that of the .bin file, -1 when there is none. kInvalid on malformed XML, a port or constant that
// does not fit, a dimension out of bounds.
Result<OpenvinoFile> read_openvino(ByteView xml, int64_t weights_size);

std::string openvino_weights_path(const std::string& xml_path);  // "a/b.xml" -> "a/b.bin"
int64_t openvino_weights_size(const std::string& xml_path);      // -1 when absent

bool looks_like_openvino_xml(ByteView file);

}  // namespace oree
