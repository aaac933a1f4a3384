// SPDX-License-Identifier: Apache-2.0
// A bundle file as a hostile server sends it. The seed is signed by the key of docs/formats/bundle.md, so that
// mutations beyond the signature are reached by check_bundle and those before it by unpack_bundle.
#include "deliver/bundle/bundle.h"
#include "core/io/fake/fake_files.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  SecretKey secret;
  for (size_t i = 0; i < secret.seed.size(); ++i) secret.seed[i] = static_cast<uint8_t>(i);
  FakeFiles files;
  files.put("b.oree", as_text(ByteView(data, size)));
  auto checked = check_bundle(files, "b.oree");
  auto unpacked = unpack_bundle(files, "b.oree", {public_key(secret)}, "slot");
  if (!unpacked.ok()) {
    OREE_ASSERT(!files.exists("slot"));
    return 0;
  }
  OREE_ASSERT(checked.ok() && checked->digest == unpacked->digest);
  OREE_ASSERT(open_unpacked(files, "slot", true).ok());
  // Whatever unpacks is what this writer writes: there is one file for one content.
  std::vector<BundleSource> sources;
  for (const BundleMember& m : unpacked->manifest.members) sources.push_back({m.path, path_join("slot", m.path), {}});
  OREE_ASSERT(write_bundle(files, "again.oree", unpacked->manifest, sources).ok());
  return 0;
}
