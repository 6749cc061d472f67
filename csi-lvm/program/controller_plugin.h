#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/csi/driver_host.h"
#include "common/csi/profile.h"
#include "common/kube/config.h"
#include "csi-lvm/program/options.h"

namespace holdfast::lvm {

struct ControllerPluginOptions {
  csi::Profile profile;
  std::filesystem::path socket;
  kube::Config cluster;
  ControllerOptions controller;
};

/// The controller of a cluster, for a program that hosts it. Needs no LVM, no kubelet and no folder but its
/// socket's.
///
/// It is ready when the cluster's objects have been read. All of several answer calls; the one that leads
/// publishes capacities. At the end calls that wait for nodes are answered UNAVAILABLE, and the lease is
/// freed.
///
/// Metrics, each with driver_name: holdfast_lvm_leads (0 or 1), holdfast_lvm_nodes (state: fresh or stale),
/// holdfast_lvm_volumes (state: pending, ready, refused or deleting; snapshots too).
///
/// Errors of making it: those of kube::CurlHttp::create.
Result<std::unique_ptr<csi::HostedDriver>> make_controller_plugin(const csi::HostContext& context,
                                                                  const ControllerPluginOptions& options);

}  // namespace holdfast::lvm
