// SPDX-License-Identifier: Apache-2.0
// Writing, signing, verifying and unpacking bundle files. Nothing is opened before the signature and every digest
// have been checked. Streaming: memory does not grow with the bundle.
#pragma once

#include <string>
#include <vector>

#include "core/crypto/crypto.h"
#include "core/io/files.h"
#include "deliver/bundle/manifest.h"

namespace oree {

struct BundleSource {
  std::string path;  // in the bundle
  std::string file;  // on disk; or, when empty:
  Bytes content;
};

// Fills manifest.members (in the order of `sources`) and writes an unsigned bundle atomically. Deterministic: same
// input, same bytes. kConflict when a source changes meanwhile.
Status write_bundle(Files& files, const std::string& path, Manifest manifest, const std::vector<BundleSource>& sources);

// Adds a signature (or replaces this key's) and rewrites atomically; in and out may be the same path. What is damaged
// is not signed: kIntegrity.
Status sign_bundle(Files& files, const std::string& in, const std::string& out, const SecretKey& key);

struct BundleInfo {
  Manifest manifest;
  std::string digest;  // SHA-256 of the whole file: the name of the blob
  int64_t size = 0;
  std::vector<std::string> signed_by;  // key ids whose signature is good, among the trusted keys
};

// Reads the manifest only, checks nothing but the format.
Result<Manifest> read_bundle_manifest(Files& files, const std::string& path);

// Checks: at least `threshold` distinct trusted keys signed the manifest's exact bytes; members are exactly those of
// the manifest, in its order, each of its size and digest. kIntegrity otherwise, naming the member and both digests;
// kInvalid when the file is no well-formed bundle (cut, bytes beside the members), kUsage when fewer than `threshold`
// keys are trusted.
Result<BundleInfo> verify_bundle(Files& files, const std::string& path, const std::vector<PublicKey>& trusted,
                                 int threshold = 1);

// Everything that verify_bundle checks but who signed: fit for naming and carrying a bundle, never for opening its
// model.
Result<BundleInfo> check_bundle(Files& files, const std::string& path);

// verify_bundle, then writes every member under folder (made fresh, synced). On an error the folder is removed.
// The manifest is written last: a folder that has one is whole, whatever happened to the power.
Result<BundleInfo> unpack_bundle(Files& files, const std::string& path, const std::vector<PublicKey>& trusted,
                                 const std::string& folder, int threshold = 1);

// The manifest of an unpacked folder; with `check_digests` every member is read and compared again.
Result<Manifest> open_unpacked(Files& files, const std::string& folder, bool check_digests);

}  // namespace oree
