#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/node_network.h"
#include "common/base/cidr.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// What subnet.env tells the CNI plugin; cni-flannel/plugin/subnet_env.h is the reader.
struct SubnetFile {
  struct Family {
    Cidr network;  ///< of the cluster
    Cidr subnet;   ///< of this node, host bits cleared
  };
  std::optional<Family> ipv4;
  std::optional<Family> ipv6;
  std::uint32_t mtu = 0;    ///< bytes, encapsulation taken off
  bool masquerade = false;  ///< flanneld masquerades (--ip-masq)
};

/// What our lease means for the plugin. Errors: kFailedPrecondition when a family that is enabled has no pod
/// CIDR yet, or one outside of the cluster's network.
[[nodiscard]] Result<SubnetFile> subnet_file_of(const NetConf& conf, const NodeNetwork& own,
                                                std::uint32_t mtu, bool masquerade);

/// Upstream's bytes: its keys in its order; FLANNEL_SUBNET is the subnet's first address with host part 1.
[[nodiscard]] std::string format_subnet_file(const SubnetFile& file);

/// Replaces the file (0644, folder 0755) unless it has that content. /run is memory, but a reader must never
/// see half a file. Errors: errno.
Status write_subnet_file(Files& files, const std::filesystem::path& path, const SubnetFile& file);

}  // namespace holdfast::flannel
