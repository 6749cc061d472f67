#pragma once

#include <map>
#include <string>

#include "common/base/cidr.h"

namespace holdfast::flannel {

/// Which node has which pod CIDR. No two in it overlap, so that a look is one at neighbours.
class CidrHolders {
 public:
  struct Holder {
    Cidr cidr;
    std::string node;
  };

  /// False, and nothing changes, when another node has part of it.
  bool add(const Cidr& cidr, const std::string& node);
  /// One that has part of `cidr` and is not `node`; nullptr: none.
  [[nodiscard]] const Holder* other(const Cidr& cidr, const std::string& node) const;
  /// By first address.
  [[nodiscard]] const std::map<IpAddress, Holder>& all() const { return held_; }

 private:
  std::map<IpAddress, Holder> held_;
};

}  // namespace holdfast::flannel
