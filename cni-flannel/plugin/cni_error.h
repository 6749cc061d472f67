#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "common/base/first_error.h"
#include "common/base/result.h"

namespace holdfast::cni {

/// What the runtime is told. From 100 on the numbers are the plugin's own: ours is 100 + holdfast::Code, e.g.
/// 108 for kResourceExhausted. A delegate's number is passed on as it came, whatever it is. Source: CNI
/// spec 1.1.0, section 5 "Error".
enum class CniCode : std::uint32_t {
  kIncompatibleVersion = 1,
  kUnsupportedField = 2,
  kUnknownContainer = 3,
  kInvalidEnvironment = 4,
  kIo = 5,
  kDecode = 6,
  kInvalidConfig = 7,
  kInvalidNetns = 8,
  kTryAgainLater = 11,
  kNotAvailable = 50,            ///< STATUS: no ADD can succeed
  kNotAvailableAndLimited = 51,  ///< STATUS: and containers that run may have limited connectivity
  kInternal = 999,
};

/// The plugin's own number for one of our codes: 100 + code.
[[nodiscard]] CniCode own_code(Code code);

struct CniError {
  CniCode code = CniCode::kInternal;
  std::string msg;
  std::string details;

  bool operator==(const CniError&) const = default;
};

/// A value or the CNI error to print. May not be dropped unread.
template <class T>
class [[nodiscard]] CniResult : public tl::expected<T, CniError> {
 public:
  using tl::expected<T, CniError>::expected;
};
using CniStatus = CniResult<void>;

[[nodiscard]] tl::unexpected<CniError> cni_fail(CniCode code, std::string msg, std::string details = {});

/// One of our errors as the runtime is told it: with `context` where the CNI spec has a number for what was
/// being done, else with the plugin's own number.
[[nodiscard]] CniError to_cni(Error error, std::optional<CniCode> context = std::nullopt);

/// The same for a whole result, so that `HOLDFAST_TRY(auto x, to_cni(f(), CniCode::kIo))` reads well.
template <class T>
[[nodiscard]] CniResult<T> to_cni(Result<T> result, std::optional<CniCode> context = std::nullopt) {
  if (!result) return tl::unexpected(to_cni(std::move(result).error(), context));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(result);
  }
}

[[nodiscard]] inline std::string& text_of(CniError& error) { return error.msg; }

/// The first error, as the runtime is told it (common/base/first_error.h).
class FirstError : public FirstErrorOf<CniStatus> {
 public:
  using FirstErrorOf<CniStatus>::add;
  void add(Status done) { add(to_cni(std::move(done))); }
};

/// {"cniVersion", "code", "msg", "details"}, details left out when empty.
[[nodiscard]] std::string to_json(const CniError& error, std::string_view cni_version);

/// What a delegate printed when it failed, or nullopt when that is no error object. Its code 0 (an error that
/// upstream's library made without a code) becomes 999.
[[nodiscard]] std::optional<CniError> parse_error(std::string_view text);

}  // namespace holdfast::cni
