// SPDX-License-Identifier: Apache-2.0
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

const Tensor kQuery = floats({1, 1, 2, 1}, {1, 1}), kKeys = floats({1, 1, 2, 1}, {0, 0});
const Tensor kValues = floats({1, 1, 2, 1}, {10, 30});

TEST_CASE("equal scores average the values, and a causal query sees no key behind it") {
  check_near(run_op("Attention", {kQuery, kKeys, kValues}), floats({1, 1, 2, 1}, {20, 20}));
  check_near(run_op("Attention", {kQuery, kKeys, kValues}, {{"is_causal", int64_t{1}}}),
             floats({1, 1, 2, 1}, {10, 20}));
}

TEST_CASE("a query that sees nothing gives 0, not a division by nothing") {
  Tensor mask = bools({2, 2}, {0, 0, 0, 1});
  check_near(run_op("Attention", {kQuery, kKeys, kValues, mask}), floats({1, 1, 2, 1}, {0, 30}));
  Tensor reals = floats({2, 2}, {-INFINITY, -INFINITY, 0, 0});
  check_near(run_op("Attention", {kQuery, kKeys, kValues, reals}), floats({1, 1, 2, 1}, {0, 20}));
}

TEST_CASE("windows, short masks and lengths of a cache put keys out of sight") {
  Attributes left{{"left_window_size", int64_t{0}}, {"right_window_size", int64_t{0}}};
  check_near(run_op("Attention", {kQuery, kKeys, kValues}, left), floats({1, 1, 2, 1}, {10, 30}));
  check_near(run_op("Attention", {kQuery, kKeys, kValues, floats({2, 1}, {0, 0})}), floats({1, 1, 2, 1}, {10, 10}));
  check_near(run_op("Attention", {kQuery, kKeys, kValues, {}, {}, {}, list({1})}), floats({1, 1, 2, 1}, {10, 10}));
}

TEST_CASE("heads beside each other are those apart, and keys are shared between queries' heads") {
  Attributes heads{{"q_num_heads", int64_t{2}}, {"kv_num_heads", int64_t{1}}};
  Tensor y =
      run_op("Attention", {floats({1, 1, 2}, {1, 2}), floats({1, 2, 1}, {0, 1}), floats({1, 2, 1}, {10, 30})}, heads);
  const double one = 10 + 20 / (1 + std::exp(-1.0)), two = 10 + 20 / (1 + std::exp(-2.0));
  check_near(y, floats({1, 1, 2}, {one, two}), 1e-5);
}

TEST_CASE("attention refuses shapes that do not fit") {
  CHECK(code_of("Attention", {kQuery, floats({1, 1, 2, 2}, {0, 0, 0, 0}), kValues}) == Code::kInvalid);
  CHECK(code_of("Attention", {kQuery, kKeys, floats({1, 1, 1, 1}, {0})}) == Code::kInvalid);
  CHECK(code_of("Attention", {kQuery, kKeys, kValues, floats({2, 3}, {0, 0, 0, 0, 0, 0})}) == Code::kInvalid);
  CHECK(code_of("Attention", {kQuery, kKeys, kValues, {}, kKeys}) == Code::kInvalid);
  CHECK(code_of("Attention", {kQuery, kKeys, kValues, {}, {}, {}, list({3})}) == Code::kInvalid);
  CHECK(code_of("Attention", {floats({1, 2, 1}, {1, 1}), floats({1, 2, 1}, {0, 0}), floats({1, 2, 1}, {1, 1})}) ==
        Code::kInvalid);  // how many heads?
}

TEST_CASE("a quarter turn moves the first half of a row into the second") {
  Tensor x = floats({1, 1, 1, 3}, {1, 2, 7}), cosine = floats({2, 1}, {1, 0}), sine = floats({2, 1}, {0, 1});
  Attributes two{{"rotary_embedding_dim", int64_t{2}}};
  check_near(run_op("RotaryEmbedding", {x, cosine, sine, ints({1, 1}, {1})}, two), floats({1, 1, 1, 3}, {-2, 1, 7}));
  CHECK(code_of("RotaryEmbedding", {x, cosine, sine, ints({1, 1}, {2})}, two) == Code::kInvalid);
  CHECK(code_of("RotaryEmbedding", {x, cosine, sine, ints({1, 1}, {1})}) == Code::kInvalid);  // 3 is odd
}

}  // namespace
}  // namespace oree
