#include "cni-flannel/controller/cidr_holders.h"

#include <iterator>

namespace holdfast::flannel {

bool CidrHolders::add(const Cidr& cidr, const std::string& node) {
  if (other(cidr, node) != nullptr) return false;
  // a node's own that overlap are one: the larger
  const auto behind = held_.upper_bound(cidr.last());
  if (behind != held_.begin() && std::prev(behind)->second.cidr.contains(cidr)) return true;
  held_.erase(held_.lower_bound(cidr.first()), behind);
  held_.emplace(cidr.first(), Holder{cidr, node});
  return true;
}

const CidrHolders::Holder* CidrHolders::other(const Cidr& cidr, const std::string& node) const {
  auto at = held_.upper_bound(cidr.last());
  while (at != held_.begin()) {
    --at;
    if (!at->second.cidr.overlaps(cidr)) return nullptr;
    if (at->second.node != node) return &at->second;
  }
  return nullptr;
}

}  // namespace holdfast::flannel
