#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "common/base/result.h"

namespace holdfast::cloud {

/// How a call of a cloud's API ended that did not succeed: what a caller may conclude from it.
enum class CallEnd : std::uint8_t {
  kRefused,         ///< the cloud answered: it was not done; `code` says why
  kThrottled,       ///< not done: too many calls
  kNoSuchThing,     ///< the cloud says so itself: what the call names is not there
  kUnknownOutcome,  ///< sent, and not answered so that one could tell: done or not
  kNotSent,         ///< the cloud never got it
};

/// "refused", "throttled", "no such thing", "unknown outcome", "not sent".
[[nodiscard]] std::string_view to_string(CallEnd end);

struct CallError {
  CallEnd end = CallEnd::kNotSent;
  std::string code = {};  ///< the cloud's own, "InvalidDiskId.NotFound"; empty when it gave none
  std::string message = {};
  std::optional<std::chrono::seconds> retry_after = {};  ///< of the cloud's answer

  /// The same seen from one level further out: "<what>: <message>".
  [[nodiscard]] CallError within(std::string_view what) &&;
};

/// A value or a CallError. It may not be dropped unread.
template <class T>
class [[nodiscard]] Answer : public tl::expected<T, CallError> {
 public:
  using tl::expected<T, CallError>::expected;
};
using Done = Answer<void>;

[[nodiscard]] tl::unexpected<CallError> ends(CallEnd end, std::string message, std::string code = {});

/// Why the cloud refused, as far as its codes tell it.
enum class Refusal : std::uint8_t {
  kInvalid,  ///< of what was asked for: asking again does not help
  kQuota,    ///< of an account's limits, or of what the cloud has in stock
  kInUse,    ///< something else has it, or is being done to it
  kExists,   ///< something else is called so
  kDenied,   ///< credentials, permissions, the machine's clock, or where the API is called: region, version
  kArrears,  ///< the account is not paid; what it has is kept
};
[[nodiscard]] Refusal refusal_of(std::string_view code);

/// The same as an answer to CSI's callers: kUnavailable for what is asked again with nothing left behind
/// (throttled, not sent, denied, in arrears), kAborted where it may have been done, kNotFound,
/// kInvalidArgument, kResourceExhausted, kFailedPrecondition (in use), kAlreadyExists.
[[nodiscard]] Error to_error(CallError error);

}  // namespace holdfast::cloud
