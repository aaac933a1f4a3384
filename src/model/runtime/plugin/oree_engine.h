/* SPDX-License-Identifier: Apache-2.0
 *
 * The C interface of an engine plug-in: a shared library NAME.so through which Orée runs models in an engine that it
 * does not know itself. docs/engines.md says where it is looked for. The library exports one function, oree_engine().
 *
 * Rules for every function of the table:
 * - No C++ exception, longjmp or exit() leaves it.
 * - A session is used by one thread at a time; different sessions may be used by different threads at once.
 * - Texts are UTF-8 and end in 0. What the plug-in returns stays valid as long as the comment there says.
 * - It returns OREE_ENGINE_OK or another status; with another, one line of text in `error` says what was expected and
 *   found. `error` is never null, has OREE_ENGINE_ERROR_BYTES bytes and holds an empty text at the call.
 *
 * Orée checks all that a plug-in answers (ranks, sizes, bytes, names) before it uses it, but a plug-in runs in the same
 * process: what it does to memory is not checked.
 */
#ifndef OREE_ENGINE_H
#define OREE_ENGINE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A change that breaks plug-ins raises it. What is only added is appended to OreeEngine, whose `size` tells. */
#define OREE_ENGINE_ABI 1u

#define OREE_ENGINE_RANK_MAX 8
#define OREE_ENGINE_TENSORS_MAX 256u /* inputs, or outputs, of a model */
#define OREE_ENGINE_WORDS_MAX 32u    /* formats, providers, precisions, facts */
#define OREE_ENGINE_TEXT_MAX 256u    /* bytes of a name, a word or a fact */
#define OREE_ENGINE_ERROR_BYTES 1024u

/* Statuses: what a caller does about it. */
#define OREE_ENGINE_OK 0
#define OREE_ENGINE_INVALID 1     /* the file or an input is broken */
#define OREE_ENGINE_UNSUPPORTED 2 /* sound, but not for this engine */
#define OREE_ENGINE_UNAVAILABLE 3 /* a device or service is not there now */
#define OREE_ENGINE_EXHAUSTED 4   /* memory or another resource is used up */
#define OREE_ENGINE_INTERNAL 5    /* a bug */

/* Element types. Elements lie row-major, in the machine's byte order, with nothing between them. */
#define OREE_ENGINE_UNKNOWN 0 /* of a declared input or output alone: told by what is given */
#define OREE_ENGINE_FLOAT32 1
#define OREE_ENGINE_FLOAT16 2
#define OREE_ENGINE_FLOAT64 3
#define OREE_ENGINE_INT8 4
#define OREE_ENGINE_UINT8 5
#define OREE_ENGINE_INT16 6
#define OREE_ENGINE_UINT16 7
#define OREE_ENGINE_INT32 8
#define OREE_ENGINE_UINT32 9
#define OREE_ENGINE_INT64 10
#define OREE_ENGINE_UINT64 11
#define OREE_ENGINE_BOOL 12 /* one byte, 0 or 1 */
#define OREE_ENGINE_BFLOAT16 13

/* What a model says of an input or output. */
typedef struct OreeTensorInfo {
  const char* name; /* "" where the model has none */
  int32_t dtype;
  int32_t rank;                       /* 0 to OREE_ENGINE_RANK_MAX, -1: unknown */
  int64_t dims[OREE_ENGINE_RANK_MAX]; /* outermost first; -1: unknown until run */
} OreeTensorInfo;

/* A tensor of one run. */
typedef struct OreeTensor {
  void* data; /* inputs are not written to; null where there is no element */
  uint64_t bytes;
  int32_t dtype;
  int32_t rank;
  int64_t dims[OREE_ENGINE_RANK_MAX];
} OreeTensor;

typedef struct OreeOpenOptions {
  uint32_t size; /* of this struct, as Orée was built with it */
  int32_t threads;
  const char* path;
  const char* precision; /* a word of OreeEngine::precisions */
  const char* provider;  /* a word of OreeEngine::providers */
} OreeOpenOptions;

typedef struct OreeEngineSession OreeEngineSession; /* the plug-in's own */

/* The engine. It and all that it points to live as long as the process. Lists end in a null pointer. */
typedef struct OreeEngine {
  uint32_t abi;  /* OREE_ENGINE_ABI */
  uint32_t size; /* of this struct, as the plug-in was built with it */

  const char* name;    /* the file's name without ".so": a-z, 0-9 and _ */
  const char* version; /* of the engine itself */
  /* What it reads: "onnx", "tflite", "openvino", "torchscript", "executorch"; and "other", for a format that Orée does
   * not know, which probe() then tells. */
  const char* const* formats;
  const char* const* providers; /* the default first: "cpu", ... */
  /* "f32": exact float32 arithmetic; "default": what the engine does by itself; "f16"; "bf16". */
  const char* const* precisions;

  /* 1 when the file is of this engine's own format, else 0. By a few bytes: it is asked of every file that nobody
   * knows. Null where `formats` has no "other". */
  int (*probe)(const char* path);

  int (*open)(const OreeOpenOptions* options, OreeEngineSession** session, char* error);
  void (*close)(OreeEngineSession* session);

  /* Valid until the next run or close. Asked for again after a run where a dimension or type was unknown. */
  int (*inputs)(OreeEngineSession* session, const OreeTensorInfo** infos, uint32_t* count, char* error);
  int (*outputs)(OreeEngineSession* session, const OreeTensorInfo** infos, uint32_t* count, char* error);

  /* `given` has one tensor for each of inputs(), in that order; `made` gets one for each of outputs(), in memory of the
   * plug-in that stays until the next run or close. */
  int (*run)(OreeEngineSession* session, const OreeTensor* given, uint32_t given_count, const OreeTensor** made,
             uint32_t* made_count, char* error);

  /* The index-th fact about what the engine did in truth, for reports: 1, and key and value ("precision", "f32") valid
   * until close; 0 when there are no more. */
  int (*fact)(OreeEngineSession* session, uint32_t index, const char** key, const char** value);
} OreeEngine;

#if defined(_WIN32)
#define OREE_ENGINE_EXPORT __declspec(dllexport)
#else
#define OREE_ENGINE_EXPORT __attribute__((visibility("default")))
#endif

/* The table for this version of the interface, or null when the plug-in has none. */
OREE_ENGINE_EXPORT const OreeEngine* oree_engine(uint32_t abi);

#ifdef __cplusplus
}
#endif

#endif
