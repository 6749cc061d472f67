#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace holdfast::cloud::sim {

/// What goes wrong with some calls.
struct Fault {
  enum class When : std::uint8_t {
    kBefore,  ///< the call has no effect
    kAfter,   ///< it has
  };
  enum class How : std::uint8_t {
    kDrop,      ///< the connection ends without an answer
    kHang,      ///< no answer comes for an hour
    kError,     ///< an internal error of the cloud (500)
    kThrottle,  ///< too many calls, come again in a second; kBefore alone
    kRefuse,    ///< refused with `code`; kBefore alone
  };
  std::string action = {};  ///< "CreateDisk"; empty: any
  When when = When::kBefore;
  How how = How::kDrop;
  std::string code = {};
  int skip = 0;   ///< of the calls that it is for, these are left alone first
  int times = 1;  ///< then so many are hit; less than 0: all
};

/// Faults that are to come, and how long each call takes. Not thread-safe.
class Faults {
 public:
  /// The fault that hits this call, if one does. Each call is asked about once.
  std::optional<Fault> hit(const std::string& action);

  void add(Fault fault) { faults_.push_back(std::move(fault)); }
  void clear() { faults_.clear(); }
  /// Whether there are some that have not hit all that they are to hit.
  [[nodiscard]] bool pending() const;
  std::chrono::milliseconds latency{};

 private:
  std::vector<Fault> faults_;
};

/// [{"action": "CreateDisk", "when": "before|after", "how": "drop|hang|error|throttle|refuse", "code": "...",
///   "skip": 0, "times": 1}]. Errors: kInvalidArgument, naming the member.
[[nodiscard]] Result<std::vector<Fault>> parse_faults(const nlohmann::json& document);

}  // namespace holdfast::cloud::sim
