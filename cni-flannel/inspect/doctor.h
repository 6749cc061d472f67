#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "cni-flannel/inspect/daemon_run.h"
#include "cni-flannel/inspect/overlay_report.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/inspect/finding.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

struct DoctorPlaces {
  OverlayPlaces overlay;
  std::filesystem::path subnet_file = "/run/flannel/subnet.env";
  std::vector<Cidr> service_cidrs = {};  ///< the cluster's, where told
  IpamConfig ipam = {};                  ///< where the plugin keeps its pods
  bool probe = true;                     ///< ask peers (reach_findings.h)
  std::optional<DaemonRun> daemon = std::nullopt;
};

/// Looks at what makes pods of this node reach those of others: flanneld, its files, the pods and their
/// addresses, devices and peers, MTU, forwarding and reverse-path filters, address conflicts, the clock, and
/// what peers answer. Changes nothing. What cannot be looked at is a finding too.
[[nodiscard]] std::vector<Finding> examine(Files& files, Clock& clock, nl::Socket& socket,
                                           const DoctorPlaces& places);

}  // namespace holdfast::flannel
