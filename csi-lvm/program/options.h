#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/flags.h"
#include "common/base/result.h"
#include "common/csi/host_options.h"
#include "common/csi/profile.h"

namespace holdfast::lvm {

/// Which part of the driver runs.
enum class Mode : std::uint8_t {
  kAll,         ///< node and controller of one machine, without Kubernetes
  kNode,        ///< what kubelet calls
  kController,  ///< of a whole cluster
};

/// How a node takes part in a cluster.
struct ClusterOptions {
  std::filesystem::path kubeconfig;  ///< empty: as a pod, where it is one
  std::chrono::milliseconds heartbeat{30'000};
};

/// What a cluster's controller is told, beside how the API server is reached.
struct ControllerOptions {
  std::string name_space;  ///< of its Lease and of capacities; empty: the pod's or kubeconfig's
  std::chrono::milliseconds node_stale_after{90'000};
  std::chrono::milliseconds node_gone_grace{300'000};
};

/// What csi-lvm is told on its command line.
struct Options {
  csi::HostOptions host;
  Mode mode = Mode::kAll;
  std::string driver_name = "localplugin.csi.alibabacloud.com";
  std::filesystem::path socket;  ///< empty: where the driver's profile has it, below kubelet's folder
  std::filesystem::path lvmcmd;  ///< empty: beside the program itself
  ClusterOptions cluster;
  ControllerOptions controller;
};

/// Arguments without the program's name; every flag may also be set in the environment: CSI_ENDPOINT.
/// `options` is filled as far as the arguments go. Errors: kInvalidArgument naming the flag.
Status parse_options(std::span<const std::string> arguments, const Flags::Lookup& environment,
                     Options& options);
[[nodiscard]] std::string options_help();

/// The flag --lvmcmd, which csi-node has too.
void add_lvmcmd_flag(Flags& flags, std::filesystem::path& target);
/// --kubeconfig and --heartbeat; likewise.
void add_cluster_flags(Flags& flags, ClusterOptions& target);

/// What --config holds, all of it optional:
///
///     {"profiles": [...],                            common/csi/profile.h
///      "lvm": {"devicesFile": "holdfast.devices",    of /etc/lvm/devices
///              "udev": false,                        LvmSettings::udev
///              "spare": {"vg1": "10Gi"}}}            what new volumes leave free of a group
struct Configuration {
  std::vector<csi::Profile> profiles;
  std::string devices_file = "holdfast.devices";
  bool udev = false;
  std::map<std::string, std::uint64_t> spare_bytes;  ///< by group
};

/// Errors: kInvalidArgument, naming the key; also for one that is not known.
Result<Configuration> parse_configuration(const nlohmann::json& document);
/// Of the file; of none the defaults. Errors: those of reading it, naming it.
Result<Configuration> read_configuration(const std::filesystem::path& file);

/// The profile of a driver: of the configuration, else the one that is known, else one of csi-lvm's kind
/// under that name. Errors: kInvalidArgument for one of another kind.
Result<csi::Profile> local_profile(const Configuration& configuration, const std::string& driver_name);

}  // namespace holdfast::lvm
