#include "csi-disk/program/options.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "common/base/files.h"
#include "common/base/json.h"
#include "common/base/linked_file.h"
#include "csi-disk/volumes/disk_names.h"

namespace holdfast::disk {
namespace {

constexpr std::size_t kMostProfileBytes = std::size_t{1} << 20;
constexpr std::string_view kVariables = "CSI_";
constexpr const char* kControllerSocket = "/csi/csi.sock";  // of a pod's own folder, where sidecars look

struct Cloud {
  std::string_view name;
  std::string_view driver;
  Backend backend;
};
constexpr std::array kClouds{Cloud{"alibaba", "diskplugin.csi.alibabacloud.com", Backend::kAlibaba},
                             Cloud{"ens", "ensplugin.csi.alibabacloud.com", Backend::kStatic},
                             Cloud{"eck", "eck.csi.k8s.io", Backend::kStatic},
                             Cloud{"cbs", "com.tencent.cloud.csi.cbs", Backend::kTencent},
                             Cloud{"sim", "sim.disk.csi.holdfast.dev", Backend::kAlibaba}};

template <class Value, std::size_t kCount>
Status set_word(const std::string& word, const std::array<std::pair<std::string_view, Value>, kCount>& words,
                auto& target) {
  std::string known;
  for (const auto& [name, value] : words) {
    if (word == name) {
      target = value;
      return {};
    }
    known.append(known.empty() ? "" : ", ").append(name);
  }
  return fail(Code::kInvalidArgument, "is none of " + known);
}

constexpr std::array<std::pair<std::string_view, Mode>, 3> kModes{
    {{"all", Mode::kAll}, {"node", Mode::kNode}, {"controller", Mode::kController}}};
constexpr std::array<std::pair<std::string_view, Backend>, 4> kBackends{{{"alibaba", Backend::kAlibaba},
                                                                         {"tencent", Backend::kTencent},
                                                                         {"plugin", Backend::kPlugin},
                                                                         {"static", Backend::kStatic}}};

// It becomes a tag, and part of names.
Status set_cluster(const std::string& id, std::string& into) {
  constexpr std::size_t kLongest = 64;
  if (id.size() > kLongest || !is_id(id, ""))
    return fail(Code::kInvalidArgument, "is not of 1 to 64 letters, digits, '.', '_' and '-'");
  into = id;
  return {};
}

void add_flags(Flags& flags, Options& out) {
  flags.heading("The driver");
  flags.value(
      "mode", "all|node|controller",
      "all: node and controller of this machine; node: what kubelet calls; controller: makes, attaches and "
      "deletes disks [all]",
      [&out](const std::string& value) { return set_word(value, kModes, out.mode); });
  flags.text("profile", "NAME|FILE", "alibaba, ens, eck, cbs, sim, or a profile in a file [alibaba]",
             out.profile);
  flags.value(
      "backend", "alibaba|tencent|plugin|static",
      "whose API disks are made by; plugin: a program's; static: none, they are attached by others [the "
      "profile's]",
      [&out](const std::string& value) { return set_word(value, kBackends, out.backend); });
  flags.value("endpoint", "unix://PATH",
              "its socket [csi.sock in the driver's folder below kubelet's; of a controller /csi/csi.sock]",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.socket, csi::parse_endpoint(value));
                return {};
              });
  add_node_flags(flags, out.node);
  flags.heading("The cloud, of a controller");
  cloud::add_cloud_flags(flags, out.cloud);
  flags.value("plugin", "SOCKET", "where the program of --backend=plugin listens",
              Flags::to_path(out.plugin));
  flags.value(
      "cluster-id", "ID",
      "what its disks bear, so that another cluster in the same account leaves them alone [the uid of "
      "the namespace kube-system; without Kubernetes none]",
      [&out](const std::string& value) { return set_cluster(value, out.cluster.id); });
  flags.value("kubeconfig", "FILE", "how the API server is reached that tells that uid [as a pod]",
              Flags::to_path(out.cluster.kubeconfig));
  csi::add_host_flags(flags, out.host);
}

Result<csi::Profile> read_profile(const std::string& file) {
  PosixFiles files;
  HOLDFAST_TRY(const std::string text, read_linked_file(files, file, kMostProfileBytes));
  const auto parse = [&text]() -> Result<csi::Profile> {
    HOLDFAST_TRY(const nlohmann::json document, parse_json(text));
    return csi::parse_profile(document);
  };
  auto profile = parse();
  if (!profile) return tl::unexpected(std::move(profile).error().within(file));
  return profile;
}

Result<csi::Profile> profile_named(const std::string& name) {
  const auto* const cloud = std::ranges::find(kClouds, name, &Cloud::name);
  auto known = csi::known_profile(cloud == kClouds.end() ? std::string_view(name) : cloud->driver);
  if (known) return *std::move(known);
  if (name.find('/') != std::string::npos) return read_profile(name);
  std::string names;
  for (const Cloud& each : kClouds) names.append(each.name).append(", ");
  return fail(Code::kInvalidArgument, "the profile '" + name + "' is none of " + names +
                                          "nor a known driver's; the path of a file has a slash");
}

}  // namespace

void add_node_flags(Flags& flags, NodeOptions& target) {
  flags.heading("The node, of cloud disks");
  flags.text("instance-id", "ID", "what the cloud calls this node [of its metadata service; --node-id]",
             target.instance_id);
  flags.text("zone", "NAME", "where it is [of the metadata service]", target.zone);
  flags.text("region", "NAME", "likewise", target.region);
  flags.integer(
      "attach-limit", "NUMBER",
      "disks that may be attached to it beside the one that it boots from; 0: nobody says [the profile's]", 0,
      kMostAttachments,
      [&target](std::int64_t number) { target.attach_limit = static_cast<std::uint32_t>(number); });
  flags.value("by-id", "DIR", "links to disks by serial number [/dev/disk/by-id]",
              Flags::to_path(target.by_id));
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
  return "csi-disk: disks of clouds as volumes of pods; formats nothing that it cannot prove blank.\n"
         "Every flag may also be set in the environment, as CSI_ENDPOINT=unix:///run/csi-disk.sock.\n" +
         flags.help();
}

Result<csi::Profile> disk_profile(const std::string& name) {
  HOLDFAST_TRY(csi::Profile profile, profile_named(name));
  if (profile.kind == csi::DriverKind::kDisk) return profile;
  return fail(Code::kInvalidArgument, profile.driver_name + " is not a driver of cloud disks");
}

std::string cloud_name_of(const csi::Profile& profile) {
  const auto* const cloud = std::ranges::find(kClouds, profile.driver_name, &Cloud::driver);
  return cloud == kClouds.end() ? "" : std::string(cloud->name);
}

Backend usual_backend(const csi::Profile& profile) {
  const auto* const cloud = std::ranges::find(kClouds, profile.driver_name, &Cloud::driver);
  return cloud == kClouds.end() ? Backend::kStatic : cloud->backend;
}

}  // namespace holdfast::disk
