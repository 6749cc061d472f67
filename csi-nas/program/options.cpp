#include "csi-nas/program/options.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/files.h"
#include "common/base/json.h"
#include "common/base/linked_file.h"
#include "common/csi/names.h"
#include "common/kube/names.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kMostConfigBytes = std::size_t{1} << 20;
constexpr std::string_view kVariables = "CSI_";
constexpr const char* kControllerSocket = "/csi/csi.sock";  // of a pod's own folder, where sidecars look

Status set_mode(const std::string& value, Mode& mode) {
  constexpr std::pair<std::string_view, Mode> kModes[] = {
      {"all", Mode::kAll}, {"node", Mode::kNode}, {"controller", Mode::kController}};
  for (const auto& [name, each] : kModes) {
    if (value != name) continue;
    mode = each;
    return {};
  }
  return fail(Code::kInvalidArgument, "is none of all, node, controller");
}

void add_flags(Flags& flags, Options& out) {
  flags.heading("The driver");
  flags.value("mode", "all|node|controller",
              "all: node and controller of this machine; node: what kubelet calls; controller: makes and "
              "deletes volumes [all]",
              [&out](const std::string& value) { return set_mode(value, out.mode); });
  flags.value("driver-name", "NAME", "[nasplugin.csi.alibabacloud.com]",
              csi::to_driver_name(out.driver_name));
  flags.value("endpoint", "unix://PATH",
              "its socket [csi.sock in the driver's folder below kubelet's; of a controller /csi/csi.sock]",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.socket, csi::parse_endpoint(value));
                return {};
              });
  add_nascmd_flag(flags, out.nascmd);
  add_nas_directories_flag(flags, out.nas_directories);
  add_rpc_slots_flag(flags, out.rpc_slots);
  flags.heading(
      "Volumes that are file systems or access points of a cloud (Alibaba's NAS), made by the controller");
  cloud::add_cloud_flags(flags, out.cloud);
  flags.heading("The cluster");
  flags.value("kubeconfig", "FILE", "how the API server is reached [as a pod, where it is one]",
              Flags::to_path(out.kubeconfig));
  csi::add_host_flags(flags, out.host);
}

}  // namespace

void add_nascmd_flag(Flags& flags, std::filesystem::path& target) {
  flags.value("nascmd", "FILE", "what calls NFS in the kernel [nascmd beside this program]",
              Flags::to_path(target));
}

void add_rpc_slots_flag(Flags& flags, std::uint32_t& target) {
  flags.value("rpc-slots", "NUMBER",
              "calls that a connection to an NFS server has under way at least; never lowers the kernel's; 0 "
              "leaves that alone [128]",
              [&target](const std::string& value) -> Status {
                const char* end = value.data() + value.size();
                std::uint32_t number = 0;
                const bool read = !value.empty() && std::from_chars(value.data(), end, number).ptr == end;
                if (!read || number > kMostRpcSlots) {
                  return fail(Code::kInvalidArgument,
                              "is not a number up to " + std::to_string(kMostRpcSlots));
                }
                target = number;
                return {};
              });
}

void add_nas_directories_flag(Flags& flags, std::filesystem::path& target) {
  flags.value("nas-directories", "FILE",
              "what makes, copies and removes directories [nas-directories beside this program]",
              Flags::to_path(target));
}

Status parse_options(std::span<const std::string> arguments, const Flags::Lookup& environment,
                     Options& options) {
  Flags flags;
  add_flags(flags, options);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (options.host.only_tells()) return {};
  HOLDFAST_CHECK(flags.parse_environment(kVariables, environment));
  HOLDFAST_CHECK(csi::complete(options.host, environment));
  if (options.mode == Mode::kController && options.socket.empty()) options.socket = kControllerSocket;
  return {};
}

std::string options_help() {
  Options options;
  Flags flags;
  add_flags(flags, options);
  return "csi-nas: shares of NFS servers as volumes of pods; a server that is dead costs its own volumes "
         "only.\n"
         "Every flag may also be set in the environment, as CSI_ENDPOINT=unix:///run/csi-nas.sock.\n" +
         flags.help();
}

Result<std::vector<csi::Profile>> read_profiles(const std::filesystem::path& file) {
  if (file.empty()) return std::vector<csi::Profile>{};
  PosixFiles files;
  HOLDFAST_TRY(const std::string text, read_linked_file(files, file, kMostConfigBytes));
  const auto read = [&text]() -> Result<std::vector<csi::Profile>> {
    HOLDFAST_TRY(const nlohmann::json document, parse_json(text));
    return csi::parse_profiles(document);
  };
  auto profiles = read();
  if (!profiles) return tl::unexpected(std::move(profiles).error().within(file.native()));
  return profiles;
}

Result<csi::Profile> nas_profile(const std::vector<csi::Profile>& configured,
                                 const std::string& driver_name) {
  const auto told = std::ranges::find(configured, driver_name, &csi::Profile::driver_name);
  csi::Profile out{.driver_name = driver_name, .kind = csi::DriverKind::kNas};
  if (told != configured.end()) {
    out = *told;
  } else if (auto known = csi::known_profile(driver_name)) {
    out = *std::move(known);
  }
  if (out.kind == csi::DriverKind::kNas) return out;
  return fail(Code::kInvalidArgument, driver_name + " is not a driver of NFS volumes");
}

bool tells_pool(const csi::Profile& profile) {
  return std::ranges::find(profile.topology_keys, kube::kNodePoolLabel) != profile.topology_keys.end();
}

}  // namespace holdfast::nas
