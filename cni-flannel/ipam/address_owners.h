#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "cni-flannel/ipam/address_files.h"
#include "cni-flannel/ipam/allocator.h"
#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/results_cache.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/cidr.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// Tells the living from the dead. An owner is whom the address file names; whether it lives is told by its
/// binding (boot, host link), else by the runtime's cache. One that neither knows is dead when the log has
/// the address from an earlier boot: it is what a power cut brought back. Else it is kUnknown, and nobody
/// takes its address. A binding of a sandbox that lives holds its address also when the file is gone. Holds
/// references; answers from one moment under the network's lock, and reads each file once.
class AddressOwners final : public Owners {
 public:
  struct Scene {
    AddressFiles& files;
    const std::vector<IpAddress>& in_use;  // sorted
    const std::vector<Binding>& bindings;
    ResultsCache& results;
    Machine& machine;
    std::string network;
    std::string boot_id;
    std::chrono::seconds uptime;
  };
  explicit AddressOwners(Scene scene);

  /// Of a file that cannot be read, or was left alone: kUnknown.
  Result<Owner> owner_of(const IpAddress& address) override;
  /// The file can be neither trusted nor mended: nobody takes its address in this operation.
  void leave_alone(const IpAddress& address) { left_alone_.insert(address); }

  /// The owner that the file names; nullopt when the file is empty or torn, or not there.
  Result<std::optional<FileOwner>> named_owner(const IpAddress& address);
  /// The living attachment that has this address by the log or the runtime's cache, for a file that does not
  /// tell.
  Result<std::optional<FileOwner>> living_owner(const IpAddress& address);
  /// The binding whose last sandbox this is, or null.
  [[nodiscard]] const Binding* binding_of(const FileOwner& owner) const;

 private:
  Result<OwnerState> state_of(const FileOwner& owner, const IpAddress& address);
  Result<OwnerState> state_by_binding(const Binding& binding);
  Result<OwnerState> state_by_link(const std::string& link);
  Result<const Binding*> living_binding(const IpAddress& address);

  Scene scene_;
  std::map<IpAddress, std::optional<FileOwner>> named_;
  std::set<IpAddress> left_alone_;
};

}  // namespace holdfast::flannel
