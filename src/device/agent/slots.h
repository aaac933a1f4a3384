// SPDX-License-Identifier: Apache-2.0
// The two folders that hold unpacked bundles. Stateless: what lies where is the journal's affair.
#pragma once

#include <string>
#include <vector>

#include "core/crypto/crypto.h"
#include "core/io/files.h"
#include "deliver/bundle/manifest.h"
#include "device/agent/journal.h"

namespace oree {

std::string slot_folder(const std::string& data, int slot);  // data/slots/a
std::string download_folder(const std::string& data);        // data/download
std::string part_path(const std::string& data, const std::string& digest);

// Every file as the journal's digest says, read from the medium. An empty slot is not intact.
bool slot_intact(Files& files, const std::string& data, int slot, const Slot& record);

struct InstallRequest {
  std::string part;                // the whole download
  std::string folder;              // of the spare slot; made fresh
  std::string digest, version;     // as offered
  std::string model, device_type;  // ours
  std::vector<PublicKey> trusted;
  int threshold = 1;
};
struct InstallResult {
  enum Kind { kInstalled, kRetry, kLost, kFailed };  // kLost: the download is not there any more
  Kind kind = kRetry;
  std::string manifest_sha256;
  std::string reason, detail;  // kFailed: docs/agent.md
  bool forever = false;
  Remedy remedy;
};
// Checks signature, digests, identity and fitness, then unpacks. Nothing is written before the signature is good.
InstallResult install_bundle(Files& files, const InstallRequest& request);

// When no journal is left: the slots that are whole, found by looking. The older of two becomes active, since only a
// model that was committed can be older than another on the device.
AgentState rescue(Files& files, const std::string& data);

}  // namespace oree
