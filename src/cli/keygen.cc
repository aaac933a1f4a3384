// SPDX-License-Identifier: Apache-2.0
#include "cli/keygen.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>

#include "cli/context.h"

namespace oree::cli {
namespace {

constexpr int64_t kKeyBytesMax = 16 << 10;

constexpr char kExamples[] =
    "  oree keygen --out release.key\n"
    "Writes release.key (keep it where only the signer can read it) and release.key.pub (give it to every device).\n";

bool mentions(ByteView pem, std::string_view what) { return as_text(pem).find(what) != std::string_view::npos; }

// Files made while it lives are readable by their owner only, from their first byte on.
class OwnerOnly {
 public:
  OwnerOnly() : before_(umask(0077)) {}
  ~OwnerOnly() { umask(before_); }
  OwnerOnly(const OwnerOnly&) = delete;

 private:
  mode_t before_;
};

struct Options {
  std::string out;
  bool force = false;
};

Status keygen(const Context& context, const Options& options) {
  OREE_TRY_ASSIGN(PublicKey key, write_key_pair(*context.ports.files, options.out, options.force));
  std::string pub = options.out + ".pub";
  Json document = Json().set("key_id", key_id(key)).set("secret_key", options.out).set("public_key", pub);
  print_result(context, document,
               fmt::format("key {}\nsecret  {}  (0600; whoever reads it can sign for your devices)\npublic  {}\n",
                           key_id(key), options.out, pub));
  return {};
}

}  // namespace

Result<SecretKey> load_secret_key(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(Bytes pem, files.read(path, kKeyBytesMax));
  auto key = parse_secret_key_pem(as_text(pem));
  if (key.ok()) return key;
  if (mentions(pem, "PUBLIC KEY"))
    return Error(Code::kInvalid, fmt::format("{}: is a public key; signing needs the secret one", path));
  return key.error().within(path);
}

Result<std::vector<PublicKey>> load_public_keys(Files& files, const std::vector<std::string>& paths) {
  std::vector<PublicKey> keys;
  for (const std::string& path : paths) {
    OREE_TRY_ASSIGN(Bytes pem, files.read(path, kKeyBytesMax));
    auto key = parse_public_key_pem(as_text(pem));
    if (!key.ok() && mentions(pem, "PRIVATE KEY")) {
      return Error(Code::kInvalid, fmt::format("{}: is a secret key; checking needs {}.pub", path, path));
    }
    if (!key.ok()) return key.error().within(path);
    keys.push_back(*key);
  }
  return keys;
}

Result<PublicKey> write_key_pair(Files& files, const std::string& path, bool force) {
  std::string pub = path + ".pub";
  for (const std::string& file : {path, pub}) {
    if (!force && files.exists(file)) {
      return Error(Code::kConflict,
                   fmt::format("{} exists; --force replaces it, and what it signed is then no longer trusted", file));
    }
  }
  SecretKey secret = generate_key();
  PublicKey key = public_key(secret);
  {
    OwnerOnly guard;
    if (force) OREE_TRY(files.remove(path));  // the new file takes the new mode, not the old one's
    OREE_TRY(files.write_atomic(path, as_bytes(secret_key_pem(secret))));
  }
  OREE_TRY(files.write_atomic(pub, as_bytes(public_key_pem(key))));
  return key;
}

void add_keygen(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, context, "keygen", "Make a key pair for signing bundles", kExamples,
                                  [&context, options] { return keygen(context, *options); });
  command->add_option("--out", options->out, "File of the secret key; the public one gets .pub")->required();
  command->add_flag("--force", options->force, "Replace keys that exist");
}

}  // namespace oree::cli
