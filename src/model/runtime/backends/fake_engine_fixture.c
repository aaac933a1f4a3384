/* SPDX-License-Identifier: Apache-2.0
 *
 * A plug-in of a few lines that doubles its input, in C. The first line of a "model" is FAKE and what shall go wrong. Built
 * several times over: OREE_FAKE_NAME names the plug-in, OREE_FAKE_ABI its version; with OREE_FAKE_MUTE it exports nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/runtime/plugin/oree_engine.h"

#ifndef OREE_FAKE_ABI
#define OREE_FAKE_ABI OREE_ENGINE_ABI
#endif

struct OreeEngineSession {
  char fault[32];
  OreeTensorInfo in, out;
  OreeTensor made[2];
  float values[64];
};

static int is(const OreeEngineSession* s, const char* fault) { return strcmp(s->fault, fault) == 0; }

static int read_fault(const char* path, char* fault) {
  FILE* file = fopen(path, "r");
  fault[0] = 0;
  if (file == NULL) return 0;
  int fields = fscanf(file, "FAKE %31s", fault);
  fclose(file);
  return fields == 1;
}

static int probe(const char* path) {
  char fault[32];
  return read_fault(path, fault);
}

static void make_ports(OreeEngineSession* s) {
  static char long_name[400];
  memset(long_name, 'x', sizeof long_name - 1);
  OreeTensorInfo port = {"x", OREE_ENGINE_FLOAT32, 2, {2, 3}};
  s->in = s->out = port;
  s->out.name = "y";
  if (is(s, "free")) s->in.dims[0] = s->out.dims[0] = -1;
  if (is(s, "open")) {
    s->in.rank = s->out.rank = -1;
    s->in.dtype = s->out.dtype = OREE_ENGINE_UNKNOWN;
  }
  if (is(s, "unnamed")) s->in.name = "";
  if (is(s, "late")) s->out.rank = -1;
  if (is(s, "in-rank")) s->in.rank = 9;
  if (is(s, "in-dim")) s->in.dims[1] = -2;
  if (is(s, "in-huge")) s->in.dims[0] = s->in.dims[1] = INT64_MAX;
  if (is(s, "in-type")) s->in.dtype = 99;
  if (is(s, "in-name")) s->in.name = long_name;
  if (is(s, "in-null")) s->in.name = NULL;
}

static int open_model(const OreeOpenOptions* options, OreeEngineSession** session, char* error) {
  OreeEngineSession* s = calloc(1, sizeof *s);
  read_fault(options->path, s->fault);
  if (is(s, "open-fails")) {
    snprintf(error, OREE_ENGINE_ERROR_BYTES, "no such layer:\n'%s'", "warp");
    free(s);
    return OREE_ENGINE_UNSUPPORTED;
  }
  if (is(s, "open-unbounded")) {
    memset(error, 'e', OREE_ENGINE_ERROR_BYTES);
    free(s);
    return 77;
  }
  make_ports(s);
  *session = is(s, "open-nothing") ? NULL : s;
  if (*session == NULL) free(s);
  return OREE_ENGINE_OK;
}

static void close_model(OreeEngineSession* s) { free(s); }

static int inputs(OreeEngineSession* s, const OreeTensorInfo** infos, uint32_t* count, char* error) {
  (void)error;
  *infos = is(s, "in-gone") ? NULL : &s->in;
  *count = is(s, "in-many") ? 100000 : 1;
  return OREE_ENGINE_OK;
}

static int outputs(OreeEngineSession* s, const OreeTensorInfo** infos, uint32_t* count, char* error) {
  (void)error;
  *infos = &s->out;
  *count = is(s, "none") ? 0 : 1;
  return OREE_ENGINE_OK;
}

static void spoil(OreeEngineSession* s) {
  OreeTensor* made = &s->made[0];
  if (is(s, "rank")) made->rank = 9;
  if (is(s, "null")) made->data = NULL;
  if (is(s, "negative")) made->dims[0] = -2;
  if (is(s, "huge")) made->dims[0] = made->dims[1] = INT64_MAX;
  if (is(s, "bytes")) made->bytes = 4;
  if (is(s, "type")) made->dtype = 0;
}

static int run(OreeEngineSession* s, const OreeTensor* given, uint32_t given_count, const OreeTensor** made,
               uint32_t* made_count, char* error) {
  if (is(s, "run-fails")) {
    snprintf(error, OREE_ENGINE_ERROR_BYTES, "the device is gone");
    return OREE_ENGINE_UNAVAILABLE;
  }
  if (given_count != 1 || given[0].bytes > sizeof s->values) return OREE_ENGINE_INVALID;
  for (uint64_t i = 0; i < given[0].bytes / sizeof(float); ++i) s->values[i] = 2 * ((const float*)given[0].data)[i];
  s->made[0] = given[0];
  s->made[0].data = s->values;
  spoil(s);
  *made = s->made;
  *made_count = is(s, "count") ? 2 : 1;
  return OREE_ENGINE_OK;
}

static int fact(OreeEngineSession* s, uint32_t index, const char** key, const char** value) {
  if (index > 0 && !is(s, "talks")) return 0;
  *key = "kernels";
  *value = "plain";
  return 1;
}

static const char* const kFormats[] = {"other", NULL};
static const char* const kProviders[] = {"cpu", "npu", NULL};
static const char* const kPrecisions[] = {"f32", "default", NULL};

static const OreeEngine kEngine = {
    OREE_FAKE_ABI, sizeof(OreeEngine), OREE_FAKE_NAME, "1.2", kFormats, kProviders, kPrecisions,
    probe,         open_model,         close_model,    inputs, outputs, run,        fact,
};

#ifndef OREE_FAKE_MUTE
const OreeEngine* oree_engine(uint32_t abi) {
  (void)abi;
  return &kEngine;
}
#else
const OreeEngine* oree_mute(void);
const OreeEngine* oree_mute(void) { return &kEngine; }
#endif
