// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. Every function that can fail for a reason outside the program returns one.
// A bug in the program is OREE_ASSERT, never an Error; data from outside is never asserted on.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace oree {

// One code for each different reaction of a caller. exit_code() maps them to the documented exit statuses.
enum class Code {
  kUsage,        // the command line or a configuration file is wrong: the person mends it
  kInvalid,      // data from outside is malformed: refuse it
  kIntegrity,    // a digest or signature does not match: refuse and report
  kUnsupported,  // well-formed, but not something this build, engine or device can do: choose another
  kUnavailable,  // network, server, engine or device is not there now: back off and try again
  kExhausted,    // disk, memory or a named limit is used up: shed, or make room
  kNotFound,     // the named thing does not exist
  kConflict,     // exists already, or changed meanwhile
  kRefused,      // everything worked and the verdict is no: accuracy below bound, golden samples failed
  kInternal,     // should not happen: report as a bug
};

const char* code_name(Code code);  // "invalid", "integrity", …
int exit_code(Code code);          // docs/exit-codes.md; 1..9, never 0

class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  // The same error, its text led by what was being done: "reading x.onnx: …".
  Error within(const std::string& context) const { return Error(code_, context + ": " + message_); }

 private:
  Code code_;
  std::string message_;  // what was expected and what was found, with the file, op or key it concerns
};

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

#define OREE_ASSERT(x) ((x) ? (void)0 : ::oree::assertion_failed(#x, __FILE__, __LINE__))

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    OREE_ASSERT(!ok());
    return std::get<1>(v_);
  }
  T& value() & {
    OREE_ASSERT(ok());
    return std::get<0>(v_);
  }
  const T& value() const& {
    OREE_ASSERT(ok());
    return std::get<0>(v_);
  }
  T value() && {  // by value: a range-for over a temporary Result must not dangle
    OREE_ASSERT(ok());
    return std::get<0>(std::move(v_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT
  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    OREE_ASSERT(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

#define OREE_CONCAT2(a, b) a##b
#define OREE_CONCAT(a, b) OREE_CONCAT2(a, b)

// OREE_TRY(status());               returns the error to the caller
// OREE_TRY_ASSIGN(auto x, thing()); the same, else moves the value into x
#define OREE_TRY(expr)                                   \
  do {                                                   \
    auto&& oree_status_ = (expr);                        \
    if (!oree_status_.ok()) return oree_status_.error(); \
  } while (false)
#define OREE_TRY_ASSIGN(decl, expr) OREE_TRY_ASSIGN_IMPL(OREE_CONCAT(oree_result_, __LINE__), decl, expr)
#define OREE_TRY_ASSIGN_IMPL(tmp, decl, expr) \
  auto tmp = (expr);                          \
  if (!tmp.ok()) return tmp.error();          \
  decl = std::move(tmp).value()

}  // namespace oree
