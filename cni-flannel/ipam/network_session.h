#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/ipam/address_claims.h"
#include "cni-flannel/ipam/address_files.h"
#include "cni-flannel/ipam/address_owners.h"
#include "cni-flannel/ipam/allocator.h"
#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/binding_log.h"
#include "cni-flannel/ipam/binding_records.h"
#include "cni-flannel/ipam/results_cache.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/clock.h"
#include "common/base/fd.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// One operation of StickyIpam on one network: the lock, what the files said when it was taken, and the
/// changes. Made for one call: open, then prepare() before any change, then the operation. Not movable, as
/// its parts refer to each other.
class NetworkSession {
 public:
  /// All outlive the session.
  struct Tools {
    Files& files;
    Machine& machine;
    Clock& clock;
    const IpamConfig& config;
    std::vector<std::string>& notices;
  };
  NetworkSession(const Tools& tools, std::string network, std::string boot_id);

  /// Takes the lock and reads; `make` says whether a network that is not there is made.
  enum class IfAbsent : bool { kLeave, kMake };
  Status open(IfAbsent if_absent);
  /// Whether open() found or made the network. Without it nothing is in use.
  [[nodiscard]] bool is_there() const { return lock_.has_value(); }
  void unlock() { lock_.reset(); }
  /// What every change begins with: the log is there, and claims of an earlier boot are not.
  Status prepare();

  /// Of the ADD that this session is made for (address_claims.h); both without the lock.
  Status make_claims(const Attachment& attachment);
  void drop_unused_claims() { claims_.drop_rest(); }

  /// The operations of StickyIpam; allocate() leaves its record in the log for sync_log(), which needs no
  /// lock.
  Result<Allocation> allocate(const AllocationRequest& request);
  Status sync_log() { return log_.sync(); }
  Status release(const Attachment& attachment);
  Status undo(const Attachment& attachment, const std::string& host_link);
  Result<std::vector<InUse>> collect(const std::vector<Attachment>& valid);
  std::vector<InUse> in_use_by(const Attachment& attachment);
  std::vector<InUse> all_in_use();
  [[nodiscard]] PoolUsage usage() const;

 private:
  void note(std::string text) { tools_.notices.push_back(std::move(text)); }
  void note_failure(const Status& status);

  [[nodiscard]] const Binding* binding_of(const Attachment& attachment) const;
  [[nodiscard]] std::vector<IpAddress> candidate_files_of(const Attachment& attachment) const;
  [[nodiscard]] InUse describe_use(const IpAddress& address, const FileOwner& owner) const;

  [[nodiscard]] std::vector<IpAddress> files_of_no_other_pod(const std::optional<PodKey>& own) const;
  std::vector<IpAddress> find_and_mend_files_of(const Attachment& attachment,
                                                const std::optional<PodKey>& own);
  Status mend_file(const IpAddress& address);
  void leave_alone(const IpAddress& address, const Error& error);
  Status refuse_second_add(const AllocationRequest& request, const std::vector<IpAddress>& mine);
  Result<Decision> decide(const AllocationRequest& request, const std::vector<IpAddress>& mine);
  Result<std::vector<std::string>> stale_links(const Binding* before, const AllocationRequest& request,
                                               const Decision& decision);
  Status clear_way(const Decision& decision, const std::vector<IpAddress>& mine);
  Status take_addresses(const AllocationRequest& request, const Decision& decision,
                        const std::vector<std::string>& stale);
  void remember_last(const Decision& decision);

  using OwnerTest = std::function<bool(const FileOwner&)>;
  Result<std::vector<InUse>> free_files_of(const OwnerTest& is_valid);
  using ClaimTest = std::function<bool(const std::optional<FileOwner>&)>;
  Status drop_claims_if(const ClaimTest& is_due);

  Tools tools_;
  std::string network_;
  Moment moment_;
  AddressFiles addresses_;
  ResultsCache results_;
  BindingLog log_;
  AddressClaims claims_;
  std::optional<Fd> lock_;
  AddressFiles::Listing listing_;
  bool has_log_ = false;
  std::unique_ptr<AddressOwners> owners_;  // made when the files have been read
};

}  // namespace holdfast::flannel
