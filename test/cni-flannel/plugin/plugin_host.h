#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/fd.h"
#include "test/tools/cni_node.h"
#include "test/tools/plugin_process.h"

namespace holdfast::test {

/// What flanneld leaves on the node 10.244.3.0/24, fd00:3::/64, or both.
inline constexpr std::string_view kLeaseV4 =
    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
inline constexpr std::string_view kLeaseV6 =
    "FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:3::1/64\nFLANNEL_MTU=1450\n"
    "FLANNEL_IPMASQ=true\n";
inline constexpr std::string_view kLeaseDual =
    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_IPV6_NETWORK=fd00::/48\n"
    "FLANNEL_IPV6_SUBNET=fd00:0:0:3::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
/// A subnet with room for two pods, and with room for one.
inline constexpr std::string_view kLeaseOfOne =
    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/30\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

/// A node of its own for one case: network and mount namespaces in which the real plugin is called as a
/// runtime calls it. It starts with a lease for IPv4, and with no link but lo and no state. The process is
/// back in its own namespaces, and all that was made is gone, when the object is. Needs root and one thread.
/// A step that does not go as its function says ends the case.
class PluginHost {
 public:
  PluginHost();
  PluginHost(const PluginHost&) = delete;
  PluginHost& operator=(const PluginHost&) = delete;
  ~PluginHost();

  /// What the runtime gives on standard input; a case changes it as it needs. At first what flannel's
  /// manifest installs, as CNI 1.1.0.
  nlohmann::json conf;

  static void write_lease(std::string_view text);
  /// Everything in /run and every namespace is gone, the lease is there again.
  static void reboot();

  /// Makes the namespace /run/netns/<id>.
  static Sandbox start_sandbox(const std::string& id, const std::string& pod = "web",
                               const std::string& uid = "uid-1", const std::string& name_space = "default");
  static void drop_sandbox(const Sandbox& sandbox);

  /// Where the plugin looks for others; at first the folder that it is in itself.
  void set_cni_path(const std::string& path) { setup_.cni_path = path; }

  [[nodiscard]] PluginCall call(const std::string& verb, const Sandbox& sandbox) const;
  /// CHECK with what ADD answered.
  [[nodiscard]] PluginCall check_call(const Sandbox& sandbox, const nlohmann::json& previous) const;
  /// GC, STATUS: verbs of the network, not of an attachment.
  [[nodiscard]] PluginCall network_call(const std::string& verb) const;
  [[nodiscard]] PluginCall gc_call(const std::vector<Sandbox>& valid) const;

  /// Calls that succeed. ADD answers with a result; the others print nothing.
  static nlohmann::json add(const PluginCall& call);
  nlohmann::json add(const Sandbox& sandbox) { return add(call("ADD", sandbox)); }
  static void succeed(const PluginCall& call);
  /// A call that fails as the specification says; returns the error object.
  static nlohmann::json refused(const PluginCall& call);

  /// What there is for pods, links, addresses and saved configurations; and the rules.
  [[nodiscard]] Holdings holdings() const;
  static std::string rules();

 private:
  PluginSetup setup_;
  Fd outer_network_;
  Fd outer_mounts_;
};

inline std::ostream& operator<<(std::ostream& out, const Holdings& holdings) {
  return out << holdings.to_string();
}

/// Makes a program of sh(1) commands.
void write_script(const std::filesystem::path& path, const std::string& commands);

/// What ip(8) shows, `arguments` as "address show dev cni0", on the node or in a sandbox.
nlohmann::json ip(const std::string& arguments);
nlohmann::json ip_in(const Sandbox& sandbox, const std::string& arguments);

/// "10.244.3.2/24" of each address of a link, those that IPv6 gives every link left out; of its MAC.
std::vector<std::string> addresses_in(const Sandbox& sandbox, const std::string& link = "eth0");
std::vector<std::string> addresses_on_host(const std::string& link);
std::string mac_in(const Sandbox& sandbox, const std::string& link = "eth0");

/// Whether an echo request from the sandbox is answered within a second.
bool can_ping(const Sandbox& from, const std::string& address);

/// The addresses of a result, version 0.3.0 or later, in its order.
std::vector<std::string> addresses_of(const nlohmann::json& result);
/// The interface of the result that is inside the pod.
nlohmann::json pod_interface_of(const nlohmann::json& result);
/// The host's end of the veth pair.
std::string host_link_of(const nlohmann::json& result);

}  // namespace holdfast::test
