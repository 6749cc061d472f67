#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/cloud/credentials.h"
#include "common/cloud/sim/request.h"

namespace holdfast::cloud::sim {

/// Why a request is answered by an error.
struct Failure {
  int status = 400;  ///< of HTTP; Tencent's are all told with 200
  std::string code;
  std::string message;
};

/// Checks requests as the clouds' gateways do: whose they are, that the signature is theirs over what was
/// sent, that it is recent, and (Alibaba) that it was not sent before. Not thread-safe.
class Verifier {
 public:
  static constexpr std::chrono::seconds kMostSkew{900};         ///< Alibaba
  static constexpr std::chrono::seconds kMostSkewTencent{300};  ///< Tencent

  /// `clock` outlives it.
  Verifier(std::vector<Credentials> accounts, Clock& clock) : accounts_(std::move(accounts)), clock_(clock) {}

  /// By whose rules a request is signed; nullopt for one that has no signature of either.
  [[nodiscard]] static std::optional<Vendor> vendor_of(const ServerRequest& request);
  /// nullopt: it is in order.
  [[nodiscard]] std::optional<Failure> check(const ServerRequest& request, Vendor vendor);

 private:
  [[nodiscard]] std::optional<Failure> check_acs3(const ServerRequest& request);
  [[nodiscard]] std::optional<Failure> check_tc3(const ServerRequest& request);
  [[nodiscard]] const Credentials* account(std::string_view id) const;
  [[nodiscard]] bool recent(std::chrono::sys_seconds time, std::chrono::seconds most) const;
  [[nodiscard]] bool is_new(const std::string& nonce);

  std::vector<Credentials> accounts_;
  Clock& clock_;
  std::set<std::string> nonces_;
  std::deque<std::pair<std::chrono::sys_seconds, std::string>> nonces_by_age_;
};

}  // namespace holdfast::cloud::sim
