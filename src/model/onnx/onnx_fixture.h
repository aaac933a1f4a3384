// SPDX-License-Identifier: Apache-2.0
// ONNX files made by hand, field by field, so that tests can say what is in them and what is wrong with them.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "core/codec/protobuf_writer.h"
#include "model/onnx/onnx_graph.h"

namespace oree::onnx_fixture {

using Fill = std::function<void(ProtoWriter&)>;
using Names = std::vector<std::string>;

inline void message(ProtoWriter& w, uint32_t field, const Fill& fill) {
  w.begin(field);
  if (fill) fill(w);
  w.end();
}

// --- attributes of a node
inline Fill integer(const std::string& name, int64_t value) {
  return [=](ProtoWriter& w) {
    message(w, 5, [&](ProtoWriter& a) { a.text(1, name), a.number(3, value), a.number(20, 2); });
  };
}
inline Fill real(const std::string& name, float value) {
  return [=](ProtoWriter& w) {
    message(w, 5, [&](ProtoWriter& a) { a.text(1, name), a.real(2, value), a.number(20, 1); });
  };
}
inline Fill text(const std::string& name, const std::string& value) {
  return [=](ProtoWriter& w) {
    message(w, 5, [&](ProtoWriter& a) { a.text(1, name), a.text(4, value), a.number(20, 3); });
  };
}
inline Fill integers(const std::string& name, const std::vector<int64_t>& values) {
  return [=](ProtoWriter& w) {
    message(w, 5, [&](ProtoWriter& a) { a.text(1, name), a.packed(8, values), a.number(20, 7); });
  };
}
inline Fill reals(const std::string& name, const std::vector<float>& values) {
  return [=](ProtoWriter& w) {
    message(w, 5, [&](ProtoWriter& a) { a.text(1, name), a.packed(7, values), a.number(20, 6); });
  };
}
inline Fill body(const std::string& name, const Fill& graph) {
  return [=](ProtoWriter& w) {
    message(w, 5, [&](ProtoWriter& a) { a.text(1, name), message(a, 6, graph), a.number(20, 5); });
  };
}
// The function's attribute `of` under another name.
inline Fill reference(const std::string& name, const std::string& of, int64_t kind) {
  return [=](ProtoWriter& w) {
    message(w, 5, [&](ProtoWriter& a) { a.text(1, name), a.text(21, of), a.number(20, kind); });
  };
}

// --- parts of a graph; `field` is 7 within a function
inline Fill node(const std::string& op, const Names& inputs, const Names& outputs, const std::vector<Fill>& more = {},
                 const std::string& domain = "", uint32_t field = 1) {
  return [=](ProtoWriter& w) {
    message(w, field, [&](ProtoWriter& n) {
      for (const auto& name : inputs) n.text(1, name);
      for (const auto& name : outputs) n.text(2, name);
      n.text(3, outputs.empty() ? "" : "make_" + outputs[0]);
      n.text(4, op);
      if (!domain.empty()) n.text(7, domain);
      for (const Fill& fill : more) fill(n);
    });
  };
}
// A tensor's fields; `field` is 5 within a graph.
inline Fill tensor(const std::string& name, int64_t element, const std::vector<int64_t>& dims, const Fill& values,
                   uint32_t field = 5) {
  return [=](ProtoWriter& w) {
    message(w, field, [&](ProtoWriter& t) {
      t.packed(1, dims);
      t.number(2, element);
      t.text(8, name);
      values(t);
    });
  };
}
inline Fill floats(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
  return tensor(name, 1, dims, [=](ProtoWriter& t) { t.packed(4, values); });
}
inline Fill ints(const std::string& name, const std::vector<int64_t>& values) {
  return tensor(name, 7, {static_cast<int64_t>(values.size())}, [=](ProtoWriter& t) { t.packed(7, values); });
}
// "2,N,?" as in dims_text(); "" is a scalar.
inline Fill value(uint32_t field, const std::string& name, int64_t element, const std::vector<std::string>& dims) {
  return [=](ProtoWriter& w) {
    message(w, field, [&](ProtoWriter& v) {
      v.text(1, name);
      message(v, 2, [&](ProtoWriter& type) {
        message(type, 1, [&](ProtoWriter& tensor_type) {
          tensor_type.number(1, element);
          message(tensor_type, 2, [&](ProtoWriter& shape) {
            for (const std::string& d : dims) {
              message(shape, 1, [&](ProtoWriter& dim) {
                if (d == "?") return;
                bool number = d[0] >= '0' && d[0] <= '9';
                number ? dim.number(1, std::stoll(d)) : dim.text(2, d);
              });
            }
          });
        });
      });
    });
  };
}
inline Fill input(const std::string& name, const std::vector<std::string>& dims, int64_t element = 1) {
  return value(11, name, element, dims);
}
inline Fill output(const std::string& name, const std::vector<std::string>& dims = {"?"}, int64_t element = 1) {
  return value(12, name, element, dims);
}
inline Fill output_untyped(const std::string& name) {
  return [=](ProtoWriter& w) { message(w, 12, [&](ProtoWriter& v) { v.text(1, name); }); };
}
inline Fill together(const std::vector<Fill>& parts) {
  return [=](ProtoWriter& w) {
    for (const Fill& part : parts) part(w);
  };
}

inline Fill opset(const std::string& domain, int64_t version, uint32_t field = 8) {
  return [=](ProtoWriter& w) { message(w, field, [&](ProtoWriter& o) { o.text(1, domain), o.number(2, version); }); };
}
inline Fill function(const std::string& name, const Names& inputs, const Names& outputs,
                     const std::vector<Fill>& more) {
  return [=](ProtoWriter& w) {
    message(w, 25, [&](ProtoWriter& f) {
      f.text(1, name);
      f.text(10, "own");
      for (const auto& n : inputs) f.text(4, n);
      for (const auto& n : outputs) f.text(5, n);
      for (const Fill& fill : more) fill(f);
      opset("", 17, 9)(f);
    });
  };
}

inline Bytes file(int64_t version, const std::vector<Fill>& graph, const std::vector<Fill>& more = {}) {
  ProtoWriter w;
  w.number(1, 8);
  message(w, 7, [&](ProtoWriter& g) {
    g.text(2, "made");
    for (const Fill& part : graph) part(g);
  });
  opset("", version)(w);
  for (const Fill& part : more) part(w);
  Bytes out;
  w.append_to(out);
  return out;
}

inline Result<Model> read(Bytes bytes, const OnnxReadOptions& options = {}) {
  auto kept = std::make_shared<const Bytes>(std::move(bytes));
  return read_onnx_model(*kept, kept, options);
}

// "Shape Flatten Softmax Reshape": the operators of a block in their order.
inline std::string ops(const Graph& graph, BlockId block = kMainBlock) {
  std::string out;
  for (NodeId n : graph.order(block)) out += (out.empty() ? "" : " ") + graph.node(n).op;
  return out;
}

}  // namespace oree::onnx_fixture
