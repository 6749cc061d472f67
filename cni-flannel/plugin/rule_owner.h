#pragma once

#include <string>

namespace holdfast::flannel {

/// One interface of one container on one network: what firewall rules are made for and found again by.
struct RuleOwner {
  std::string network;
  std::string container_id;
  std::string ifname;
};

}  // namespace holdfast::flannel
