#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/flags.h"
#include "common/base/result.h"
#include "common/cloud/options.h"
#include "common/csi/host_options.h"
#include "common/csi/profile.h"

namespace holdfast::disk {

/// Which part of the driver runs.
enum class Mode : std::uint8_t {
  kAll,         ///< node and controller of one machine, without Kubernetes
  kNode,        ///< what kubelet calls
  kController,  ///< makes, attaches and deletes disks
};

/// Who makes and attaches disks.
enum class Backend : std::uint8_t {
  kAlibaba,  ///< ECS, or who speaks its API
  kTencent,  ///< CBS, likewise
  kPlugin,   ///< a program of anybody's, on a UNIX socket (disk_backend.proto)
  kStatic,   ///< others do: volumes are disks that are attached already
};

/// Of one node; more is no limit of anybody's.
inline constexpr std::int64_t kMostAttachments = 10'000;

/// What a node is told of itself. What is not told comes from the cloud's metadata service, where the
/// profile's cloud has one; the limit from the cloud's API, where it is called, or from the profile.
struct NodeOptions {
  std::string instance_id = {};  ///< as the cloud calls it
  std::string zone = {};
  std::string region = {};
  std::optional<std::uint32_t> attach_limit = {};  ///< 0: nobody says
  std::filesystem::path by_id = "/dev/disk/by-id";
};

/// Which cluster's disks a controller makes, told apart from another's in the same account.
struct ClusterOptions {
  std::string id = {};                    ///< empty: the uid of its namespace kube-system
  std::filesystem::path kubeconfig = {};  ///< empty: as a pod, where it is one
};

/// What csi-disk is told on its command line.
struct Options {
  csi::HostOptions host;
  Mode mode = Mode::kAll;
  std::string profile = "alibaba";
  std::optional<Backend> backend;  ///< nullopt: the profile's
  std::filesystem::path socket;    ///< empty: where the driver's profile has it, below kubelet's folder
  NodeOptions node;
  cloud::CloudOptions cloud;     ///< of a controller
  ClusterOptions cluster;        ///< likewise
  std::filesystem::path plugin;  ///< its socket, of kPlugin
};

/// Arguments without the program's name; every flag may also be set in the environment: CSI_ENDPOINT.
/// `options` is filled as far as the arguments go. Errors: kInvalidArgument naming the flag.
Status parse_options(std::span<const std::string> arguments, const Flags::Lookup& environment,
                     Options& options);
[[nodiscard]] std::string options_help();

/// --instance-id, --zone, --region, --attach-limit and --by-id, which csi-node has too.
void add_node_flags(Flags& flags, NodeOptions& target);

/// The profile of the name "alibaba", "ens", "eck", "cbs" or "sim", or of a driver's name, or in the file of
/// that name (csi::parse_profile). Errors: kInvalidArgument, naming the key, or those names; those of reading
/// the file.
Result<csi::Profile> disk_profile(const std::string& name);

/// The word for it on the command line; empty for a profile of a file, or under another name.
[[nodiscard]] std::string cloud_name_of(const csi::Profile& profile);
/// Who makes disks of this profile, when nobody says.
[[nodiscard]] Backend usual_backend(const csi::Profile& profile);

}  // namespace holdfast::disk
