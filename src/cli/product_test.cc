// SPDX-License-Identifier: Apache-2.0
#include "cli/product.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "core/io/fake/fake_files.h"

using namespace oree;
using namespace oree::cli;

namespace {

const std::string kSmall = R"(
[product]
name = "p"
version = "1.0.0"
[model]
file = "m.onnx"
[data]
golden = "g.npz"
[bundle]
device_types = ["pi5"]
runtime = "onnxruntime"
)";

Result<Product> load(const std::string& text, const std::string& path = "shop/oree.toml") {
  FakeFiles files;
  files.put(path, text);
  files.put("shop/recipe.json", R"({"kind":"tensor","decoder":{"kind":"tensor"}})");
  files.put("shop/labels.txt", "cat\ndog\n");
  return load_product(files, path);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("the least product: defaults, and paths relative to the file") {
  auto p = load(kSmall);
  REQUIRE(p.ok());
  CHECK(p->model == "shop/m.onnx");
  CHECK(p->golden == std::vector<std::string>{"shop/g.npz"});
  CHECK(p->state_folder == "shop/.oree");
  CHECK(p->manifest.model == "p");
  CHECK(p->manifest.runtime == "onnxruntime");
  CHECK_FALSE(p->tune);
  CHECK_FALSE(p->sign);
  CHECK_FALSE(p->publish);
  CHECK_FALSE(p->recipe);
  auto here = load(replaced(kSmall, "m.onnx", "/models/m.onnx"), "oree.toml");
  REQUIRE(here.ok());
  CHECK(here->model == "/models/m.onnx");
  CHECK(here->golden[0] == "g.npz");
}

TEST_CASE("every table is read") {
  std::string text = replaced(kSmall, "runtime = \"onnxruntime\"", "probation_seconds = 5\nlatency_ms_max = 12.5") + R"(
[recipe]
file = "recipe.json"
labels = "labels.txt"
[tune]
runtimes = ["tflite"]
threads = [1, 4]
min_agreement = 0.97
memory_bytes_max = 200000000
[sign]
key = "k"
[publish]
server = "http://x"
token_file = "t"
)";
  auto p = load(text);
  REQUIRE(p.ok());
  CHECK(p->recipe->labels == std::vector<std::string>{"cat", "dog"});
  CHECK(p->tune->threads == std::vector<int>{1, 4});
  CHECK(p->tune->min_agreement == 0.97);
  CHECK(p->tune->memory_bytes_max == 200000000);
  CHECK(p->manifest.probation_seconds == 5);
  CHECK(p->manifest.golden.latency_ms_p95_max == 12.5);
  CHECK(p->sign->trusted == std::vector<std::string>{"shop/k.pub"});
  CHECK(p->publish->token_env == "OREE_TOKEN");
  CHECK(p->publish->token_file == "shop/t");
}

TEST_CASE("a recipe may stand in the file itself, its labels in another or in a list") {
  auto p = load(kSmall + "[recipe]\nkind = \"tensor\"\nlabels = \"labels.txt\"\n[recipe.decoder]\nkind = \"tensor\"\n");
  REQUIRE(p.ok());
  CHECK(p->recipe->labels.size() == 2);
  auto q = load(kSmall +
                "[recipe]\nkind = \"tensor\"\nlabels = [\"a\", \"b\", \"c\"]\n[recipe.decoder]\nkind = \"tensor\"\n");
  REQUIRE(q.ok());
  CHECK(q->recipe->labels.size() == 3);
  CHECK(load(kSmall + "[recipe]\nkind = \"soup\"\n").error().code() == Code::kUsage);
}

TEST_CASE("what is wrong is said by table and key") {
  struct Bad {
    std::string text;
    const char* said;
  };
  const std::vector<Bad> cases = {
      {"", "[product] name is missing"},
      {"[product", "shop/oree.toml"},
      {"product = 7", "[product] must be a table"},
      {replaced(kSmall, "version = \"1.0.0\"", ""), "[product] version is missing"},
      {replaced(kSmall, "version = \"1.0.0\"", "version = 1.0"), "[product] version must be a text"},
      {replaced(kSmall, "\"1.0.0\"", "\"one / two\""), "the version"},
      {replaced(kSmall, "name = \"p\"", "name = \"../p\""), "the model's name"},
      {replaced(kSmall, "file = \"m.onnx\"", ""), "[model] file is missing"},
      {replaced(kSmall, "golden = \"g.npz\"", ""), "[data] golden is missing"},
      {replaced(kSmall, "golden = \"g.npz\"", "golden = [1]"), "[data] golden must be a list of texts"},
      {replaced(kSmall, "golden = \"g.npz\"", "golden = \"g\"\ngolden_random = 2"), "exclude each other"},
      {replaced(kSmall, "[\"pi5\"]", "[]"), "[bundle] device_types is missing"},
      {replaced(kSmall, "[\"pi5\"]", "[\"pi 5\"]"), "a device type"},
      {replaced(kSmall, "runtime = \"onnxruntime\"", ""), "[bundle] runtime is missing"},
      {kSmall + "precision = \"f64\"\n", "[bundle] precision must be"},
      {kSmall + "threads = 0\n", "[bundle] threads must be a whole number from 1"},
      {kSmall + "latency_ms_max = -1\n", "[bundle] latency_ms_max must be a number"},
      {kSmall + "latency_max_ms = 1\n", "[bundle] latency_max_ms is not a known key"},
      {kSmall + "[tune]\n", "[bundle] runtime is for tune to choose"},
      {kSmall + "[tunes]\n", "[tunes] is not a known table"},
      {kSmall + "[sign]\n", "[sign] key is missing"},
      {kSmall + "[publish]\nserver = \"http://x\"\n", "[publish] needs a [sign]"},
  };
  for (const Bad& bad : cases) {
    CAPTURE(bad.text);
    auto result = load(bad.text);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code() == Code::kUsage);
    CHECK(result.error().message().starts_with("shop/oree.toml: "));
    CAPTURE(result.error().message());
    CHECK(result.error().message().find(bad.said) != std::string::npos);
  }
  FakeFiles files;
  CHECK(load_product(files, "oree.toml").error().code() == Code::kNotFound);
  CHECK(load(kSmall + "[recipe]\nfile = \"absent.json\"\n").error().code() == Code::kNotFound);
}

TEST_CASE("a [[target]] has what [tune] and [bundle] say, but for what it says itself") {
  FakeFiles files;
  const std::string head =
      "[product]\nname = \"a\"\nversion = \"1\"\n[model]\nfile = \"m.onnx\"\n[data]\ngolden_random = 1\n";
  const std::string tune = "[tune]\nthreads = [1, 2]\nlatency_ms_max = 40\n[bundle]\nnice = 4\nlatency_ms_max = 60\n";
  auto load = [&](const std::string& text) {
    files.put("p/oree.toml", text);
    return load_product(files, "p/oree.toml");
  };
  auto product = load(head + tune + R"(
[[target]]
name = "pi5"
device_types = ["pi5", "pi5-8g"]
profile = "raspberry-pi-5"
threads = [4]
[[target]]
name = "nuc"
device_types = ["nuc"]
device = "https://nuc:8733"
device_token_file = "nuc.token"
latency_ms_max = 9
device_latency_ms_max = 12
nice = -2
governor = "performance"
)");
  REQUIRE_MESSAGE(product.ok(), product.error().message());
  REQUIRE(product->targets.size() == 2);
  const ProductTarget &pi = product->targets[0], &nuc = product->targets[1];
  CHECK(pi.profile == "raspberry-pi-5");
  CHECK_FALSE(pi.device.remote());
  CHECK(pi.tune.threads == std::vector<int>{4});
  CHECK(pi.tune.latency_ms_max == 40);
  CHECK(pi.host == HostSettings{4, ""});
  CHECK(pi.latency_ms_max == 60);
  CHECK(nuc.tune.threads == std::vector<int>{1, 2});
  CHECK(nuc.tune.latency_ms_max == 9);
  CHECK(nuc.latency_ms_max == 12);
  CHECK(nuc.device.token_file == "p/nuc.token");
  CHECK(nuc.host == HostSettings{-2, "performance"});
  const std::string one = "[[target]]\nname = \"x\"\ndevice_types = [\"t\"]\n";
  struct Case {
    std::string text, named;
  };
  for (const auto& [text, named] :
       {Case{tune + one + one, "comes twice"},
        Case{tune + one + "[[target]]\nname = \"y\"\ndevice_types = [\"t\"]\n", "is x's already"},
        Case{tune + one + "speed = 1\n", "[[target]] 1 speed is not a known key"},
        Case{tune + one + "device = \"http://d\"\nprofile = \"p\"\n", "give it or a device"},
        Case{tune + one + "profile = \"raspberry-pi-9\"\n", "profile is unknown: "},
        Case{tune + one + "device_ca = \"ca\"\n", "device is missing"},
        Case{tune + one + "governor = \"no way\"\n", "governor must be"},
        Case{tune + one + "nice = 20\n", "nice must be"},
        Case{"[tune]\n[bundle]\ndevice_types = [\"a\"]\n" + one, "are those of each [[target]]"},
        Case{"[bundle]\nruntime = \"tflite\"\n" + one, "needs a [tune]"},
        Case{"[tune]\n[bundle]\n[target]\nname = \"x\"\n", "expected 1 to"},
        Case{tune + std::string("[[target]]\ndevice_types = [\"t\"]\n"), "name is missing"}}) {
    CAPTURE(text);
    auto refused = load(head + text);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code() == Code::kUsage);
    CHECK(refused.error().message().find(named) != std::string::npos);
  }
}

TEST_CASE("the example in examples/camera is a product") {
  FakeFiles files;
  for (const char* name : {"oree.toml", "recipe.json"}) {
    std::ifstream in(std::string(OREE_SOURCE_DIR) + "/examples/camera/" + name);
    std::stringstream text;
    text << in.rdbuf();
    files.put(std::string("examples/camera/") + name, text.str());
  }
  files.put("examples/camera/../../.deps/models/detector_labels.txt", "background\nPerson\n");
  auto p = load_product(files, "examples/camera/oree.toml");
  REQUIRE(p.ok());
  CHECK(p->recipe->decoder.kind == "ssd");
  CHECK(p->recipe->image.width == 300);
  CHECK(p->manifest.model == "detector");
  CHECK(p->tune->min_agreement == 0.98);
}

TEST_CASE("a [quantize] needs a [tune] and data, and knows its keys") {
  const std::string tuned = replaced(kSmall, "runtime = \"onnxruntime\"\n", "[tune]\n");
  auto p = load(tuned + "[quantize]\nengines = [\"openvino\"]\nfloat_macs_percent = 0\ncalibration = \"c.npz\"\n");
  REQUIRE(p.ok());
  REQUIRE(p->quantize);
  CHECK(p->quantize->engines == std::vector<std::string>{"openvino"});
  CHECK(p->quantize->float_macs_percent == 0.0);
  CHECK(p->quantize->calibration == "shop/c.npz");
  CHECK(p->quantize->ranges == "mse");
  auto untuned = load(kSmall + "[quantize]\n");
  REQUIRE_FALSE(untuned.ok());
  CHECK(untuned.error().message().find("[tune]") != std::string::npos);
  auto misspelt = load(tuned + "[quantize]\nrange = \"mse\"\n");
  REQUIRE_FALSE(misspelt.ok());
  CHECK(misspelt.error().message().find("range") != std::string::npos);
}
