#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/spec_version.h"
#include "common/base/cidr.h"
#include "common/netlink/mac_address.h"

namespace holdfast::cni {

/// The CNI_* variables as they came; unset and empty are the same, as for upstream.
struct Environment {
  std::string command;              ///< CNI_COMMAND
  std::string container_id;         ///< CNI_CONTAINERID
  std::string netns;                ///< CNI_NETNS, a path
  std::string ifname;               ///< CNI_IFNAME
  std::string args;                 ///< CNI_ARGS
  std::string path;                 ///< CNI_PATH, folders joined by ':'
  std::string netns_override;       ///< CNI_NETNS_OVERRIDE
  std::vector<std::string> others;  ///< every variable that is not one of these, "K=V": for delegates

  [[nodiscard]] static Environment from_process();
  /// `lookup` returns a variable's value, empty when unset; `others` stays empty.
  [[nodiscard]] static Environment from(const std::function<std::string(const char* name)>& lookup);

  /// CNI_NETNS_OVERRIDE is "1" or "true" in any case: CNI_NETNS may be the plugin's own namespace.
  [[nodiscard]] bool allows_own_netns() const;
};

/// The verb, when every variable it needs is there and well-formed.
/// Errors: kInvalidEnvironment "required env variables [A,B] missing", "unknown CNI_COMMAND: X", or the rule
/// that CNI_CONTAINERID or CNI_IFNAME breaks, with the value in `details`. Source: CNI spec 1.1.0 section 2
/// "Parameters"; containernetworking/cni pkg/skel and pkg/utils.
[[nodiscard]] CniResult<Verb> validate(const Environment& env);

/// CNI_CONTAINERID: a letter or digit, then letters, digits, '_', '.', '-'.
[[nodiscard]] CniStatus validate_container_id(std::string_view id);
/// CNI_IFNAME: any name that fault_of_link_name() finds no fault with.
[[nodiscard]] CniStatus validate_ifname(std::string_view name);
/// The network's name: the same characters as a container id. Errors: kInvalidConfig.
[[nodiscard]] CniStatus validate_network_name(std::string_view name);

/// CNI_ARGS, "K=V;K=V".
struct CniArgs {
  bool ignore_unknown = false;         ///< IgnoreUnknown
  std::string pod_namespace;           ///< K8S_POD_NAMESPACE
  std::string pod_name;                ///< K8S_POD_NAME
  std::string pod_uid;                 ///< K8S_POD_UID
  std::string pod_infra_container_id;  ///< K8S_POD_INFRA_CONTAINER_ID
  std::optional<IpAddress> ip;         ///< IP, a prefix length behind it is dropped
  std::optional<MacAddress> mac;       ///< MAC
};

/// "10.1.2.3", or "10.1.2.3/24" with the prefix dropped, as upstream takes requested addresses.
[[nodiscard]] Result<IpAddress> parse_address_of(std::string_view text);

/// Errors: kInvalidEnvironment, naming the pair that is no K=V or whose value is bad, or the keys that are
/// not known while IgnoreUnknown is not set. Source: containernetworking/cni pkg/types/args.go.
[[nodiscard]] CniResult<CniArgs> parse_cni_args(std::string_view text);

}  // namespace holdfast::cni
