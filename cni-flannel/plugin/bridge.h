#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/plugin/bridge_conf.h"
#include "common/base/cidr.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/netlink/link.h"
#include "common/netlink/mac_address.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// The bridge of a network on this node, and the links that hold its gateway addresses.
///
///     pod netns                     host netns
///     eth0 10.244.3.7/24  ==veth==  vethxxxxxxxxxxx --- cni0 10.244.3.1/24
///
/// Every function puts right what differs and leaves alone what is right, so ADDs may run side by side.
struct BridgeLinks {
  nl::Link bridge;
  nl::Link gateway;  ///< the bridge itself, or "<bridge>.<vlan>" when the network has a VLAN
};

/// Name of BridgeLinks::gateway.
[[nodiscard]] std::string gateway_link_name(const BridgeConf& conf);

/// Makes the bridge when it is missing, with its MAC pinned (an unpinned bridge takes the lowest MAC of its
/// ports and so changes it as pods come and go), brings it up, and gives it `gateways` (one a family; none
/// when it is no gateway). Turns on forwarding for the families of `gateways`. Errors: kFailedPrecondition a
/// link of that name is no bridge; kAlreadyExists the bridge has an address of another subnet and
/// `forceAddress` is off ("\"cni0\" already has an IP address different from 10.244.3.1/24: ...").
Result<BridgeLinks> ensure_bridge(nl::Socket& host, const BridgeConf& conf,
                                  const std::vector<Cidr>& gateways);

/// One pod's connection to the bridge.
struct PodLink {
  std::string host_link;          ///< name of the host end
  std::string alias;              ///< for people
  std::string ifname;             ///< name inside the pod
  int netns_fd = -1;              ///< the pod's namespace; borrowed
  std::optional<MacAddress> mac;  ///< unset: the kernel chooses
};

/// Both ends as they are now.
struct PodLinkState {
  nl::Link host;
  nl::Link pod;
};

/// Makes the veth pair: its pod end straight inside the pod's namespace and down, its host end up and a port
/// of `bridge` with the port flags and VLANs that `conf` asks for. Leaves nothing behind when it fails.
/// Errors: kAlreadyExists the pod has an interface of that name, or the host end's name is taken.
Result<PodLinkState> connect_pod(nl::Socket& host, nl::Socket& pod, const nl::Link& bridge,
                                 const BridgeConf& conf, const PodLink& link);

/// A port forwards nothing before the kernel has noticed, some time after the pod's end came up, that there
/// is a carrier. Errors: kDeadlineExceeded.
Status wait_until_forwarding(nl::Socket& host, int host_link, Clock& clock,
                             std::chrono::milliseconds patience);

}  // namespace holdfast::flannel
