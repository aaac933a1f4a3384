// SPDX-License-Identifier: Apache-2.0
// What our plug-ins have in common on their side of oree_engine.h: refusing, what inputs() and outputs() give out, the
// table of an engine that computes in float32 on the CPU. C++14, which libtorch 1.13's headers are written for.
#pragma once

#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "model/runtime/plugin/oree_engine.h"

// What a session gives out; OreeEngineSession derives from it. `name` of the infos lies in the names.
struct Sides {
  std::vector<std::string> input_names, output_names;
  std::vector<OreeTensorInfo> inputs, outputs;
  std::vector<OreeTensor> made;
};

struct Refusal {
  int status;
  std::string text;
};

[[noreturn]] inline void refuse(int status, std::string text) { throw Refusal{status, std::move(text)}; }

// No exception leaves it. `line`: of what an exception of the engine says, what is told.
template <typename F, typename Line>
int guarded(char* error, const Line& line, const F& work) {
  Refusal why{OREE_ENGINE_INTERNAL, "an unknown exception"};
  try {
    work();
    return OREE_ENGINE_OK;
  } catch (const Refusal& refusal) {
    why = refusal;
  } catch (const std::bad_alloc&) {
    why = {OREE_ENGINE_EXHAUSTED, "no memory is left"};
  } catch (const std::exception& e) {
    why = {OREE_ENGINE_INVALID, line(e.what())};
  } catch (...) {
  }
  std::snprintf(error, OREE_ENGINE_ERROR_BYTES, "%s", why.text.c_str());
  return why.status;
}

template <typename T>
int give(const std::vector<T>& from, const T** first, uint32_t* count) {
  *first = from.data();
  *count = static_cast<uint32_t>(from.size());
  return OREE_ENGINE_OK;
}

// Of the engine's own tensor, whose memory stays with it.
template <typename T>
OreeTensor view_of(const T& tensor, void* data, uint64_t bytes, int32_t dtype) {
  OreeTensor view{};
  view.data = data;
  view.bytes = bytes;
  view.dtype = dtype;
  view.rank = static_cast<int32_t>(tensor.dim());
  for (int32_t d = 0; d < view.rank; ++d) view.dims[d] = tensor.size(d);
  return view;
}

// Session is OreeEngineSession, once that is known.
template <typename Session>
int give_inputs(Session* session, const OreeTensorInfo** infos, uint32_t* count, char*) {
  return give(session->inputs, infos, count);
}

template <typename Session>
int give_outputs(Session* session, const OreeTensorInfo** infos, uint32_t* count, char*) {
  return give(session->outputs, infos, count);
}

constexpr const char* kProviders[] = {"cpu", nullptr};
constexpr const char* kPrecisions[] = {"f32", nullptr};

template <typename Session>
constexpr OreeEngine float_engine(const char* name, const char* version, const char* const* formats,
                                  decltype(OreeEngine::open) open, void (*close)(Session*),
                                  decltype(OreeEngine::run) run, decltype(OreeEngine::fact) fact) {
  return {OREE_ENGINE_ABI,      sizeof(OreeEngine),    name,    version, formats,
          kProviders,           kPrecisions,           nullptr, open,    close,
          give_inputs<Session>, give_outputs<Session>, run,     fact};
}
