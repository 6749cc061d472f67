#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "test/tools/plugin_process.h"

namespace holdfast::test {

/// A plugin under test: how it is called and where it leaves files, inside a private host (private_host.h).
struct PluginSetup {
  std::string name;
  std::filesystem::path binary;
  std::string cni_path;
  std::string config;                 ///< what the runtime gives on standard input
  std::filesystem::path address_dir;  ///< host-local's files of the network
  std::filesystem::path conf_dir;     ///< configurations that the plugin saved; empty when it saves none
};

/// Our plugin with the configuration that flannel's manifest installs (contract of flannel's CNI plugin:
/// hairpinMode and isDefaultGateway given, the rest by default), everything at its default place.
PluginSetup flannel_setup(const std::filesystem::path& binary, bool ip_masq = false);
/// Upstream's bridge and host-local with the configuration that flannel's CNI plugin renders for them: two
/// processes. Keeps its files in /var/lib/cni/<folder>/networks.
PluginSetup bridge_setup(const std::filesystem::path& cni_bin, const std::string& folder);

/// Pod network 10.244.0.0/16, this node 10.244.3.1/24, MTU 1450. Written to /run/flannel/subnet.env.
Status write_subnet_env();

/// A sandbox of a pod, as a kubelet and its runtime name them.
struct Sandbox {
  std::string container_id;
  std::string pod;
  std::string pod_uid;
  std::filesystem::path netns;
  std::string pod_namespace = "default";
};

PluginCall make_call(const PluginSetup& setup, const std::string& verb, const Sandbox& sandbox);

struct AddResult {
  std::vector<std::string> addresses;  ///< without prefix length
  std::string host_link;               ///< the host end of the veth
  std::string mac;                     ///< of the container's end
};
/// Errors: kInvalidArgument when `text` is no CNI result of version 0.3 or later with a host end and an
/// address.
Result<AddResult> parse_add_result(const std::string& text);

/// What is there for pods, besides lo and the bridge.
struct Holdings {
  std::set<std::string> host_links;              ///< of the calling thread's namespace
  std::map<std::string, std::string> addresses;  ///< address in use -> container id
  std::set<std::string> confs;                   ///< container ids of saved configurations
  bool operator==(const Holdings&) const = default;
  [[nodiscard]] bool empty() const { return host_links.empty() && addresses.empty() && confs.empty(); }
  [[nodiscard]] std::string to_string() const;
};
Result<Holdings> holdings_of(const PluginSetup& setup);

}  // namespace holdfast::test
