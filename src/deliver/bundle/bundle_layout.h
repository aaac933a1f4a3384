// SPDX-License-Identifier: Apache-2.0
// The inside of a bundle file, shared by the reader, the writer and the signer; nobody else includes it.
//
//   | frame | manifest.json | frame | signatures.json | frame | member 0 | … | padding, end |
//
// A frame is the padding of what came before and the tar header of what follows: bytes that follow from path and size
// alone, so a bundle has no place where something could be changed or hidden.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/codec/tar.h"
#include "core/crypto/crypto.h"
#include "core/io/files.h"
#include "deliver/bundle/manifest.h"
#include "deliver/bundle/signatures.h"

namespace oree {

inline constexpr int64_t kBundleChunkBytes = 64 << 10;  // memory that a pass over a bundle takes

struct BundleLayout {
  std::unique_ptr<ReadFile> file;
  std::vector<TarMember> index;
  Bytes manifest_bytes;
  Bytes signatures_bytes;  // empty when the bundle is unsigned
  std::vector<BundleSignature> signatures;
  Manifest manifest;  // empty until parse_layout
};

// Opens the file and reads its head: after it the signatures can be checked, before anything that they cover is parsed.
// kInvalid when it is no bundle.
Result<BundleLayout> open_layout(Files& files, const std::string& path);

// Reads the manifest. kInvalid, kUnsupported; kIntegrity when the archive's list of members is not the manifest's.
// Contents are not read.
Status parse_layout(BundleLayout& layout);

// Called for each member in order; any of the three may be empty.
struct MemberSink {
  std::function<Status(const BundleMember& member)> begin;
  std::function<Status(ByteView chunk)> chunk;
  std::function<Status()> end;  // the member's digest was right
};

// Reads the file once, from the first byte to the last: every frame, digest and the end must be right. Returns the
// SHA-256 of the whole file. A sink sees bytes before their digest is known.
Result<std::string> walk_bundle(const BundleLayout& layout, const MemberSink& sink = {});

// A bundle being written beside its final place, and put there by finish(); otherwise nothing stays behind.
class BundleOutput {
 public:
  static Result<BundleOutput> open(Files& files, const std::string& path);
  BundleOutput(BundleOutput&&) = default;
  ~BundleOutput();
  Status begin(const std::string& path, int64_t size);  // of the next member; then exactly `size` bytes by write()
  Status write(ByteView bytes);
  Status add(const std::string& path, ByteView content);
  Status finish();

 private:
  BundleOutput(Files& files, const std::string& path);
  Files* files_;
  std::string path_, partial_;
  std::unique_ptr<WriteFile> file_;  // null once finished or moved from
  int64_t member_size_ = 0;          // of the last one: its padding is still owed
};

}  // namespace oree
