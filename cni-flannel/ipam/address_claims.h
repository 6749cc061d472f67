#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/ipam/address_files.h"
#include "cni-flannel/ipam/allocator.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// The claims of one ADD (address_files.h): made before the lock is taken, as they are flushed to disk; given
/// their addresses under it; what is left over goes after it. Holds the reference.
class AddressClaims {
 public:
  explicit AddressClaims(AddressFiles& files) : files_(files) {}

  /// As many as the attachment may need: one a range set.
  Status make(const FileOwner& owner, std::string_view boot_id, std::size_t count);
  /// Gives each choice that has no file yet its address: all, or none.
  Status take(const std::vector<Choice>& choices, const FileOwner& owner);
  /// Removes what take() had no use for. One that stays is removed in a later boot.
  void drop_rest();

 private:
  AddressFiles& files_;
  std::vector<std::string> names_;
};

}  // namespace holdfast::flannel
