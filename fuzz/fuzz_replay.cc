// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over the files of folders and over mutations of them: always the same ones, so that a failure
// repeats. Says which input it was when the target dies.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// A target may bring its own mutations.
extern "C" __attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                                                unsigned seed);

namespace {

using Input = std::vector<uint8_t>;
char g_now[512];  // what is running, for the signal handler
const Input* g_input = nullptr;

void died(int) {
  ssize_t ignored = write(STDERR_FILENO, g_now, strnlen(g_now, sizeof g_now));
  if (g_input) ignored = write(STDERR_FILENO, g_input->data(), g_input->size());
  (void)ignored;
  _exit(1);
}

struct SplitMix {
  uint64_t state;
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  size_t below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(next() % n); }
};

void mutate(Input& in, const std::vector<Input>& seeds, SplitMix& random) {
  constexpr uint8_t kEdges[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '"', '{', '[', '.', '/', '\n'};
  for (size_t n = 1 + random.below(4); n > 0; --n) {
    size_t at = random.below(in.size());
    switch (random.below(6)) {
      case 0:
        if (!in.empty()) in[at] ^= static_cast<uint8_t>(1u << random.below(8));
        break;
      case 1:
        if (!in.empty()) in[at] = kEdges[random.below(sizeof kEdges)];
        break;
      case 2: in.resize(at); break;
      case 3: in.insert(in.begin() + static_cast<ptrdiff_t>(at), kEdges[random.below(sizeof kEdges)]); break;
      case 4: {  // a piece is repeated
        size_t size = std::min(in.size() - at, 1 + random.below(32));
        Input piece(in.begin() + static_cast<ptrdiff_t>(at), in.begin() + static_cast<ptrdiff_t>(at + size));
        in.insert(in.begin() + static_cast<ptrdiff_t>(at), piece.begin(), piece.end());
        break;
      }
      default: {  // its end comes from another seed
        const Input& other = seeds[random.below(seeds.size())];
        in.resize(at);
        in.insert(in.end(), other.begin() + static_cast<ptrdiff_t>(std::min(at, other.size())), other.end());
      }
    }
  }
}

void mutate_by_target(Input& in, SplitMix& random) {
  size_t size = in.size();
  in.resize(2 * size + 4096);
  in.resize(LLVMFuzzerCustomMutator(in.data(), size, in.size(), static_cast<unsigned>(random.next())));
}

// A copy of exactly its size, so that the sanitizers see one byte too far.
void run(const Input& in) {
  Input exact(in);
  exact.shrink_to_fit();
  g_input = &exact;
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argc, char** argv) {
  char* end = nullptr;
  const size_t mutations = argc > 1 ? std::strtoul(argv[1], &end, 10) : 0;
  if (argc < 3 || *end != 0) {
    std::fprintf(stderr, "usage: %s MUTATIONS FOLDER...\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (int i = 2; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> seeds;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seeds in %s\n", argv[0], argv[2]);
    return 1;
  }
  for (int s : {SIGABRT, SIGFPE, SIGSEGV}) signal(s, died);
  for (size_t i = 0; i < seeds.size(); ++i) {
    std::snprintf(g_now, sizeof g_now, "died on seed %s\n", files[i].c_str());
    run(seeds[i]);
    SplitMix random{i};
    for (size_t m = 0; m < mutations; ++m) {
      std::snprintf(g_now, sizeof g_now, "died on mutation %zu of seed %s\n", m, files[i].c_str());
      Input in = seeds[i];
      if (LLVMFuzzerCustomMutator && m % 8 != 0)
        mutate_by_target(in, random);
      else
        mutate(in, seeds, random);
      run(in);
    }
  }
  std::printf("%zu seeds, %zu mutations of each\n", seeds.size(), mutations);
  return 0;
}
