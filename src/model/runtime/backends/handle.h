// SPDX-License-Identifier: Apache-2.0
// A handle of an engine that is released with the engine's own function.
#pragma once

#include <memory>

namespace oree {

template <typename T>
struct Releaser {
  void (*release)(T*);
  void operator()(T* p) const { release(p); }
};
template <typename T>
using Handle = std::unique_ptr<T, Releaser<T>>;

template <typename T>
Handle<T> hold(T* p, void (*release)(T*)) {
  return Handle<T>(p, Releaser<T>{release});
}

}  // namespace oree
