#include "cni-flannel/controller/cidr_holders.h"

namespace holdfast::flannel {

bool CidrHolders::add(const Cidr& cidr, const std::string& node) {
  if (other(cidr, node) != nullptr) return false;
  // a node's own that overlap are one: the larger
  const auto [at, is_new] = held_.try_emplace(cidr.first(), Holder{cidr, node});
  if (!is_new && cidr.prefix() < at->second.cidr.prefix()) at->second.cidr = cidr;
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
