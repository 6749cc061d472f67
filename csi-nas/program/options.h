#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/base/flags.h"
#include "common/base/result.h"
#include "common/cloud/options.h"
#include "common/csi/host_options.h"
#include "common/csi/profile.h"
#include "csi-nas/mounts/rpc_slots.h"

namespace holdfast::nas {

/// Which part of the driver runs.
enum class Mode : std::uint8_t {
  kAll,         ///< node and controller of one machine, without Kubernetes
  kNode,        ///< what kubelet calls
  kController,  ///< makes and deletes volumes, where there is no kubelet
};

/// What csi-nas is told on its command line.
struct Options {
  csi::HostOptions host;
  Mode mode = Mode::kAll;
  std::string driver_name = "nasplugin.csi.alibabacloud.com";
  std::filesystem::path socket;  ///< empty: where the driver's profile has it, below kubelet's folder
  std::filesystem::path nascmd;  ///< empty: beside the program itself
  std::filesystem::path nas_directories;  ///< likewise
  std::uint32_t rpc_slots = kRpcSlots;    ///< 0: the kernel's
  cloud::CloudOptions cloud;              ///< of a controller
  std::filesystem::path kubeconfig;       ///< empty: as a pod, where it is one
};

/// Arguments without the program's name; every flag may also be set in the environment: CSI_ENDPOINT.
/// `options` is filled as far as the arguments go. Errors: kInvalidArgument naming the flag.
Status parse_options(std::span<const std::string> arguments, const Flags::Lookup& environment,
                     Options& options);
[[nodiscard]] std::string options_help();

/// The flag --nascmd, which csi-node has too.
void add_nascmd_flag(Flags& flags, std::filesystem::path& target);
/// --rpc-slots; likewise.
void add_rpc_slots_flag(Flags& flags, std::uint32_t& target);
/// --nas-directories; likewise.
void add_nas_directories_flag(Flags& flags, std::filesystem::path& target);

/// Those of the file that --config names, under its key "profiles"; none of no file. Errors: those of reading
/// it, naming it; kInvalidArgument naming the key.
Result<std::vector<csi::Profile>> read_profiles(const std::filesystem::path& file);

/// The profile of a driver: of `configured`, else the one that is known, else one of NAS under that name.
/// Errors: kInvalidArgument for one of another kind.
Result<csi::Profile> nas_profile(const std::vector<csi::Profile>& configured, const std::string& driver_name);

/// Whether the profile has nodes tell their pool (kube::kNodePoolLabel), and volumes of sites theirs.
[[nodiscard]] bool tells_pool(const csi::Profile& profile);

}  // namespace holdfast::nas
