#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// An address that a pod has.
struct PodAddress {
  std::string network;  ///< name of the CNI network
  InUse use;
  std::string link = {};  ///< its host end, by the store or as its name is derived
  bool has_link = false;  ///< that link is there
};

/// A pod that is not there and has addresses reserved.
struct RememberedPod {
  std::string network;
  Binding binding;
};

struct PodReport {
  std::vector<PodAddress> in_use;         ///< by network, then address
  std::vector<RememberedPod> remembered;  ///< by network, in the order of the log
};

/// "namespace/name", or the container's id of an attachment that no pod is known of.
[[nodiscard]] std::string name_of(const InUse& use);

/// The addresses of all networks of this node. Changes nothing, but takes each network's lock while it reads.
/// Errors: folders or locks that cannot be read, the kernel's.
[[nodiscard]] Result<PodReport> inspect_pods(Files& files, Clock& clock, nl::Socket& socket,
                                             const IpamConfig& places);

}  // namespace holdfast::flannel
