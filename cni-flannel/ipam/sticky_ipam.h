#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// What the runtime identifies an attachment by. A container id is never reused before its DEL.
struct Attachment {
  std::string network;       ///< "cbr0"; names a folder, so the caller has checked it by CNI's rule
  std::string container_id;  ///< CNI_CONTAINERID
  std::string ifname;        ///< CNI_IFNAME
  auto operator<=>(const Attachment&) const = default;
};

/// Whom an address is bound to: the pod, over any number of sandboxes.
struct Pod {
  std::string name_space;  ///< K8S_POD_NAMESPACE
  std::string name;        ///< K8S_POD_NAME
  std::string uid;         ///< K8S_POD_UID; empty when the runtime gives none (dockershim)
  auto operator<=>(const Pod&) const = default;
};

/// A run of addresses inside one subnet, both ends included.
struct IpRange {
  Cidr subnet;  ///< host bits cleared
  IpAddress first;
  IpAddress last;
  IpAddress gateway;  ///< never handed out
};
/// Ranges of one family; an attachment gets one address from each set.
using RangeSet = std::vector<IpRange>;

struct IpamConfig {
  std::filesystem::path data_dir = "/var/lib/cni/networks";        ///< host-local's `dataDir`
  std::filesystem::path state_dir = "/var/lib/cni/flannel-state";  ///< ours
  std::filesystem::path results_dir = "/var/lib/cni/results";  ///< libcni's cache, read once to learn names
  std::vector<RangeSet> range_sets{};
  std::vector<Cidr> reserved{};                       ///< never handed out
  std::optional<std::chrono::seconds> binding_ttl{};  ///< unset: an absent binding has no age limit
};

/// What of the running machine the address rules need. One real implementation (cni-flannel/plugin), one
/// fake.
class Machine {
 public:
  Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  virtual ~Machine() = default;
  /// /proc/sys/kernel/random/boot_id
  virtual Result<std::string> boot_id() = 0;
  /// Whether a veth of that name is in the host's network namespace: what else has the name is no pod's.
  virtual Result<bool> link_exists(const std::string& name) = 0;
};

struct AllocationRequest {
  Attachment attachment;
  std::optional<Pod> pod;  ///< unset (plain ctr, podman): behaves as host-local does, no binding
  /// CNI_ARGS IP, args.cni.ips, runtimeConfig.ips; at most one a range set.
  std::vector<IpAddress> requested;
  std::string host_link;  ///< the host end this attachment will have; its absence proves the owner dead
};

struct AssignedAddress {
  Cidr address;       ///< the address with the subnet's prefix length
  IpAddress gateway;  ///< the subnet's gateway
};

struct Allocation {
  std::vector<AssignedAddress> addresses;  ///< in the order of the range sets
  bool kept = false;                       ///< the pod had these very addresses before
  /// Host links of earlier sandboxes of the same pod that are still up and must be deleted before the
  /// addresses are used. Seldom any; two after an ADD that was killed.
  std::vector<std::string> stale_host_links;
};

/// An address as the store has it now.
struct InUse {
  IpAddress address;
  std::string container_id;
  std::string ifname;
  std::optional<Pod> pod;  ///< when a binding tells
  std::string host_link;   ///< empty when unknown (allocated by another plugin)
};

/// Of the range set with the fewest addresses left, since that one decides whether another pod fits.
struct PoolUsage {
  std::uint64_t size = 0;   ///< addresses that can be handed out (saturates)
  std::uint64_t used = 0;   ///< held by attachments of this boot; the pool is exhausted when used >= size
  std::uint64_t bound = 0;  ///< reserved for absent pods; given to others when nothing else is left
};

class NetworkSession;

/// Gives each attachment its addresses, and a pod the addresses it had before.
///
/// On disk, under one flock that upstream's host-local takes too:
///
///     <data_dir>/<network>/            host-local's layout (address_files.h): one file an address in use
///     <state_dir>/<network>.bindings   ours (binding_log.h): which pod had which addresses last
///
/// Which address a pod gets (allocator.h has the order): the same pod gets the same addresses; others get
/// never-bound addresses first, in host-local's order, then those of the longest-absent pod. An address is
/// taken from an owner only when the owner is dead: of another boot, or its host link is gone (and its ADD is
/// not still under way, see kAddMayTake).
///
/// Every change survives a kill at any system call and a power cut: what was answered is kept, what was not
/// is free again after a retry or DEL. An ADD makes two things durable: the content of its address file and
/// its line in the log, both outside the lock, so that concurrent ADDs share the disk's flushes.
///
/// Not thread-safe; any number of objects and processes may work on one network. Two data_dirs with one
/// network name need two state_dirs, as the lock is in data_dir.
class StickyIpam {
 public:
  /// How long a sandbox may be without host link before its address counts as abandoned: from its allocation
  /// to the creation of the link. Other pods wait that long, the same pod does not.
  static constexpr std::chrono::seconds kAddMayTake{60};

  /// Holds references: all three outlive the object.
  StickyIpam(Files& files, Machine& machine, Clock& clock, IpamConfig config);

  /// Errors: kResourceExhausted no address left ("no IP addresses available in range set: ..."),
  /// kAlreadyExists the attachment already has an address and its host link is alive ("... duplicate
  /// allocation is not allowed"), kInvalidArgument a requested address is outside every range or a gateway,
  /// kFailedPrecondition a requested address is in use, kUnavailable the lock is held by another process for
  /// too long, or errno of the failed call. After an error nothing is held.
  Result<Allocation> allocate(const AllocationRequest& request);

  /// Frees every address of the attachment; its pod's binding becomes absent. Nothing there is success.
  Status release(const Attachment& attachment);

  /// For an ADD that failed after allocate(): release(), unless the attachment's host link is there. Then
  /// another ADD of the same attachment, which a runtime must not run beside it, has won and has the
  /// addresses.
  Status undo(const Attachment& attachment, const std::string& host_link);

  /// Frees what is not in `valid`, goes on after an error and returns the first with a count. Bindings stay.
  /// Returns what was freed, so that the caller can remove its links and rules. A runtime must not run GC
  /// beside ADD (CNI specification); an ADD that wants to be safe against one that does asks holds()
  /// before it answers.
  Result<std::vector<InUse>> collect(const std::string& network, const std::vector<Attachment>& valid);

  /// Whether all of `addresses` are still the attachment's; one read an address. Under the lock: when an ADD
  /// asks that has made its host link, then no undo() of another ADD takes them away behind it.
  Result<bool> holds(const Attachment& attachment, const std::vector<IpAddress>& addresses);

  /// Addresses of one attachment (CHECK), and of all of a network. They change nothing.
  Result<std::vector<InUse>> addresses_of(const Attachment& attachment);
  Result<std::vector<InUse>> all_in_use(const std::string& network);

  /// Reads no address file.
  Result<PoolUsage> usage(const std::string& network);

  /// What was found damaged and mended, and which bindings ended, one sentence each, in order; for the
  /// caller's log.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

 private:
  Result<std::unique_ptr<NetworkSession>> make_session(const std::string& network);
  /// With the lock held, unless there is no such network.
  Result<std::unique_ptr<NetworkSession>> open_session(const std::string& network);

  Files& files_;
  Machine& machine_;
  Clock& clock_;
  IpamConfig config_;
  std::vector<std::string> notices_;
};

}  // namespace holdfast::flannel
