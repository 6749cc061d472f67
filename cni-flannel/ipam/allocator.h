#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast::flannel {

enum class OwnerState : std::uint8_t {
  kNone,     ///< the address is held by nobody
  kDead,     ///< of another boot, or its host link is gone
  kUnknown,  ///< there is a file, and nothing tells of its owner
  kAlive,
};

struct Owner {
  OwnerState state = OwnerState::kNone;
  bool has_file = false;
  std::string container_id;  ///< empty when kNone
};

/// Tells who holds an address. Asked for the few addresses that come into question only, as it costs a read
/// and a question to the kernel.
class Owners {
 public:
  Owners() = default;
  Owners(const Owners&) = delete;
  Owners& operator=(const Owners&) = delete;
  virtual ~Owners() = default;
  virtual Result<Owner> owner_of(const IpAddress& address) = 0;
};

/// The facts that a decision rests on. Holds references to what the caller keeps.
struct Situation {
  const IpamConfig& config;
  const AllocationRequest& request;
  const std::vector<IpAddress>& in_use;  ///< sorted: the addresses that have a file
  const std::vector<IpAddress>& mine;    ///< of these, the ones the requesting attachment has already
  const std::vector<Binding>& bindings;
  std::vector<std::optional<IpAddress>> last_reserved;  ///< one a range set
  const std::string& boot_id;
  std::chrono::sys_seconds now;
  std::chrono::seconds uptime;
};

struct Choice {
  AssignedAddress assigned;
  bool kept = false;      ///< the pod had it before
  bool is_mine = false;   ///< the attachment's file is there already
  bool replaces = false;  ///< a dead or stale owner's file is there and goes first
};

struct Decision {
  std::vector<Choice> choices;     ///< one a range set
  std::vector<std::size_t> ended;  ///< indices of the bindings that end, ascending
};

/// Decides which addresses an attachment gets, for each range set the first of
///   1. the address that was asked for;
///   2. the one it has already;
///   3. its pod's last one, when it is still in the ranges and nobody has it, or a dead owner, or an older
///      sandbox of the same pod (same uid);
///   4. the next after the last one given that nobody has and no binding names, as host-local goes round;
///   5. one of a dead owner that no binding names;
///   6. the one of the longest-absent pod, whose binding ends.
/// A gateway or reserved address never, also when a binding names it. Bindings end, too, when they are older
/// than binding_ttl or, being absent, have no address in any range (the node's subnet has changed). No pool
/// is enumerated: the cost goes with the number of addresses in use and bound. Pure but for what `owners`
/// answers. Errors: those of StickyIpam::allocate, and the owners' own.
[[nodiscard]] Result<Decision> plan(const Situation& situation, Owners& owners);

/// Whether a binding of this boot, as far as the log tells, is held by a sandbox.
[[nodiscard]] bool is_present(const Binding& binding, const std::string& boot_id);

}  // namespace holdfast::flannel
