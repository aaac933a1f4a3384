// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/files/torchscript_file.h"

#include <doctest/doctest.h>

#include "core/codec/zip.h"
#include "model/runtime/files/model_file.h"

namespace oree {
namespace {

Bytes archive(const std::string& note, bool program = true) {
  ZipWriter zip;
  zip.add("net/data.pkl", as_bytes("pickled"));
  zip.add("net/data/0", as_bytes("12345678"));
  if (program) zip.add("net/constants.pkl", as_bytes("pickled"));
  if (program) zip.add("net/code/__torch__.py", as_bytes("def forward"));
  if (!note.empty()) zip.add("net/extra/oree.json", as_bytes(note));
  return zip.finish();
}

std::string refusal(const std::string& note) {
  Result<TorchscriptFile> file = read_torchscript(archive(note));
  return file.ok() ? "" : file.error().message();
}

TEST_CASE("a TorchScript file is told by its program, whatever its name") {
  CHECK(format_of(archive(""), "net.bin") == ModelFormat::kTorchscript);
  CHECK(format_of(archive("", false), "net.bin") == ModelFormat::kUnknown);
  CHECK(format_of(archive("", false), "net.pt") == ModelFormat::kTorchscript);
  Result<TorchscriptFile> file = read_torchscript(archive(""));
  REQUIRE(file.ok());
  CHECK(file->folder == "net");
  CHECK(file->tensors == 1);
  CHECK(file->tensor_bytes == 8);
  CHECK(!file->note);
  file = read_torchscript(archive("", false));
  REQUIRE(!file.ok());
  CHECK(file.error().message().find("torch.save holds weights alone") != std::string::npos);
  CHECK(read_torchscript(as_bytes("PK")).error().code() == Code::kInvalid);
}

TEST_CASE("the note says names, types and sizes, each of them only if it wants to") {
  Result<TorchscriptFile> file = read_torchscript(archive(
      R"({"inputs": [{"name": "x", "dtype": "int64", "shape": [1, -1]}, {}], "outputs": [{"name": "y"}], "more": 1})"));
  REQUIRE_MESSAGE(file.ok(), file.error().message());
  const ModelNote& note = *file->note;
  REQUIRE(note.inputs.size() == 2);
  CHECK(note.inputs[0].name == "x");
  CHECK(*note.inputs[0].dtype == Dtype::kInt64);
  CHECK(*note.inputs[0].shape == Shape{1, -1});
  CHECK(!note.inputs[1].dtype);
  CHECK(!note.inputs[1].shape);
  CHECK(note.outputs[0].name == "y");
}

TEST_CASE("a note that cannot be meant is refused, with the place") {
  CHECK(refusal("{}").empty());
  for (const char* note :
       {"[]", "nonsense", R"({"inputs": 3})", R"({"inputs": [3]})", R"({"inputs": [{"shape": [-2]}]})",
        R"({"inputs": [{"shape": "x"}]})", R"({"inputs": [{"dtype": "float7"}]})",
        R"({"inputs": [{"shape": [1,1,1,1,1,1,1,1,1]}]})", R"({"inputs": [{"shape": [9000000000, 9000000000]}]})"}) {
    CAPTURE(note);
    CHECK(refusal(note).starts_with("its note extra/oree.json: "));
  }
}

TEST_CASE("an ExecuTorch program is told by its identifier") {
  const std::string file("\x0c\0\0\0ET12\x04\0\x04\0\x04\0\0\0", 16);
  CHECK(format_of(as_bytes(file), "net.bin") == ModelFormat::kExecutorch);
  CHECK(check_executorch(as_bytes(file)).ok());
  for (size_t keep = 8; keep < file.size(); ++keep) CHECK(!check_executorch(as_bytes(file.substr(0, keep))).ok());
  CHECK(format_of(as_bytes(std::string("\x0c\0\0\0ETxy....", 12)), "net.bin") == ModelFormat::kUnknown);
}

}  // namespace
}  // namespace oree
