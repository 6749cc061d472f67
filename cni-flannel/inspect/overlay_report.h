#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/former_underlay.h"
#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/node_network.h"
#include "cni-flannel/daemon/wanted_peers.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// Where flanneld's files are, and whose. An empty node name: that of the stored state, or else the host's.
struct OverlayPlaces {
  std::filesystem::path net_config = "/etc/kube-flannel/net-conf.json";
  std::filesystem::path state_dir = "/var/lib/cni/flannel-state";
  std::string node_name;
  std::string machine_id;  ///< empty: there is none
};

/// A peer as it is wanted, and what the kernel lacks of it.
struct PeerReport {
  WantedPeer peer;
  std::vector<std::string> lacks;  ///< what flanneld would do, a line each; empty: all is as wanted
};

struct FamilyReport {
  IpFamily family = IpFamily::kV4;
  std::string device;                 ///< its name
  std::string trouble = {};           ///< what is wrong with the device; empty: nothing
  std::string underlay = {};          ///< the external interface by the device; empty: there is none
  std::string underlay_trouble = {};  ///< what is wrong with it; empty: nothing, or no device tells it
  PeerEnd own;
  IpAddress local = {};       ///< the address that the device sends from
  std::uint32_t largest = 0;  ///< bytes of the largest packet that it sends; 0: there is no device
  std::vector<PeerReport> peers = {};
  std::vector<RejectedPeer> rejected = {};  ///< nodes that must not be programmed
  std::vector<SharedAddress> shared = {};   ///< public addresses that several peers have
  std::size_t strangers = 0;                ///< entries of the kernel's that no known peer wants
};

/// The overlay by what flanneld has stored, held against the kernel. Needs no running flanneld.
struct OverlayReport {
  NetConf conf;
  std::string node;                ///< whose report it is
  std::string cluster_id;          ///< empty: not known, or none
  std::optional<NodeNetwork> own;  ///< our lease; without it nothing more is told
  std::vector<NodeNetwork> nodes;  ///< those in the store as they were told, ourselves among them
  std::vector<std::string> notes;  ///< what of the store could not be used
  FormerUnderlay former;           ///< taken over from the flannel that was here
  std::vector<FamilyReport> families;
};

/// How many of the nodes are others than ourselves.
[[nodiscard]] std::size_t other_nodes(const OverlayReport& overlay);

/// Changes nothing. Errors: net-conf.json missing or bad, the store not readable, the kernel's.
[[nodiscard]] Result<OverlayReport> inspect_overlay(Files& files, nl::Socket& socket,
                                                    const OverlayPlaces& places);

}  // namespace holdfast::flannel
