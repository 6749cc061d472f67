#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/clock.h"
#include "common/base/log.h"

namespace holdfast::flannel {

/// One thing about this node that is as it should be, or is not.
struct ConditionKind {
  std::string_view type;
  bool good = true;       ///< its status when all is well
  bool for_ready = true;  ///< the node is not ready while it is not well

  auto operator<=>(const ConditionKind&) const = default;
};

inline constexpr ConditionKind kInterfaceFound{"InterfaceFound"};
inline constexpr ConditionKind kLeaseKnown{"LeaseKnown"};
inline constexpr ConditionKind kDeviceRight{"DeviceRight"};
inline constexpr ConditionKind kPeersProgrammed{"PeersProgrammed"};
inline constexpr ConditionKind kRulesInPlace{"RulesInPlace"};
inline constexpr ConditionKind kSubnetFileWritten{"SubnetFileWritten"};
inline constexpr ConditionKind kStateStored{"StateStored", true, false};
inline constexpr ConditionKind kSourceReachable{"SourceReachable", true, false};
inline constexpr ConditionKind kPeersGuarded{"PeersGuarded", true, false};
inline constexpr ConditionKind kObjectsUnusable{"ObjectsUnusable", false, false};
inline constexpr ConditionKind kPublicAddressWrong{"PublicAddressWrong", false, false};
inline constexpr ConditionKind kPeersRejected{"PeersRejected", false, false};
inline constexpr ConditionKind kVtepMacContested{"VtepMacContested", false, false};
inline constexpr ConditionKind kCidrConflict{"CidrConflict", false, false};
inline constexpr ConditionKind kChecksumOffloadBroken{"ChecksumOffloadBroken", false, false};
inline constexpr ConditionKind kPathMtuTooSmall{"PathMtuTooSmall", false, false};
inline constexpr ConditionKind kControllerFindsFault{"ControllerFindsFault", false, false};

/// Reasons of what is no fault of this node: it starts; its source is out of reach.
inline constexpr std::string_view kStartingReason = "Starting";
inline constexpr std::string_view kUnreachableReason = "Unreachable";
/// Reason of what flannel-controller has found, and has told by an Event itself.
inline constexpr std::string_view kToldByControllerReason = "ToldByController";

/// The conditions of this node. Each transition is one line in the log.
class Conditions {
 public:
  /// Those above whose good status is true begin as not well yet.
  Conditions(Logger& log, Clock& clock);

  /// `told` is called after each transition.
  void on_transition(std::function<void()> told) { told_ = std::move(told); }

  void well(const ConditionKind& kind);
  /// `reason` is one word in CamelCase; `message` says what is wrong, with which object, and the cure. Of it
  /// is shown what is printable, of a very long one the beginning: names and values in it come from outside.
  void unwell(const ConditionKind& kind, std::string_view reason, const std::string& message);
  /// unwell with `message` unless it is empty.
  void set(const ConditionKind& kind, std::string_view reason, const std::string& message);

  [[nodiscard]] bool is_well(const ConditionKind& kind) const;
  [[nodiscard]] bool ready() const;
  /// As an object's status has them.
  [[nodiscard]] std::vector<Condition> list() const;
  /// For people: a line each, "[+]DeviceRight ok" or "[-]DeviceRight failed: WHY", and of those that are good
  /// when they are false "[+]CidrConflict none" or "[-]CidrConflict found: WHAT".
  [[nodiscard]] std::string report() const;
  /// The first message of what keeps the node from being ready; empty when it is.
  [[nodiscard]] std::string first_trouble() const;
  /// Grows with each transition.
  [[nodiscard]] std::uint64_t transitions() const { return transitions_; }

 private:
  struct State {
    bool well = false;
    std::string reason;
    std::string message;
    std::chrono::sys_seconds since{};
  };
  Logger& log_;
  Clock& clock_;
  std::map<ConditionKind, State> states_;
  std::uint64_t transitions_ = 0;
  std::function<void()> told_;
};

}  // namespace holdfast::flannel
