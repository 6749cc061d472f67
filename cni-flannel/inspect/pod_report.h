#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "cni-flannel/plugin/subnet_env.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

enum class PodState : std::uint8_t {
  kConnected,
  kNoLink,    ///< its host end is not there
  kNoBridge,  ///< its host end is no port of a bridge, so that nothing reaches it
  kOutside,   ///< its address is of an earlier lease: in the pod network, and not in this node's part of it
};

/// An address that a pod has.
struct PodAddress {
  std::string network;  ///< name of the CNI network
  InUse use;
  std::string link = {};  ///< its host end, by the store or as its name is derived
  PodState state = PodState::kConnected;
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

/// This node's part of the pod network, of each family that the lease has.
[[nodiscard]] std::vector<Cidr> subnets_of(const SubnetEnv& lease);

/// subnet.env; nullopt when it is not there. Errors: errno of the read, kInvalidArgument.
[[nodiscard]] Result<std::optional<SubnetEnv>> read_lease(Files& files,
                                                          const std::filesystem::path& subnet_file);

/// The addresses of all networks of this node. Changes nothing, but takes each network's lock while it reads.
/// Without lease none is outside. Errors: folders or locks that cannot be read, the kernel's.
[[nodiscard]] Result<PodReport> inspect_pods(Files& files, Clock& clock, nl::Socket& socket,
                                             const IpamConfig& places, const std::optional<SubnetEnv>& lease);

}  // namespace holdfast::flannel
