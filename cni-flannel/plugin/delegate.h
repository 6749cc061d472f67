#pragma once

#include <string>

#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/flannel_conf.h"
#include "cni-flannel/plugin/json_part.h"
#include "cni-flannel/plugin/net_conf.h"
#include "cni-flannel/plugin/subnet_env.h"

namespace holdfast::flannel {

/// The configuration of the plugin that does flannel's work, made of ours and the lease:
///   name, cniVersion (when given), runtimeConfig and args (when given) from ours; everything of `delegate`;
///   type "bridge", ipMasq (flanneld does not), mtu and, for a bridge, isGateway true where `delegate` has
///   none; ipam of ours, its type "host-local" if it has none, its ranges replaced by the lease's subnets,
///   and one route to each network behind its own.
/// Upstream does not pass `args` on; we do, so that args.cni.mac and args.cni.ips reach the delegate.
/// Errors: kInvalidConfig: ipam.routes is no list of routes.
[[nodiscard]] cni::CniResult<cni::JsonPart> render_delegate(const cni::NetConf& conf,
                                                            const FlannelConf& flannel,
                                                            const SubnetEnv& lease);

/// Who does the work of a rendered delegate.
struct DelegateKind {
  std::string type;       ///< never empty
  std::string ipam_type;  ///< empty: no IPAM, layer 2 only (ipam absent or {})

  [[nodiscard]] bool is_bridge() const { return type == "bridge"; }
  [[nodiscard]] bool is_host_local() const { return ipam_type == "host-local"; }
  [[nodiscard]] bool has_ipam() const { return !ipam_type.empty(); }
  /// We do it all ourselves, without a child.
  [[nodiscard]] bool in_process() const { return is_bridge() && (is_host_local() || !has_ipam()); }
};
/// Errors: kInvalidConfig: type missing or no string, ipam no object.
[[nodiscard]] cni::CniResult<DelegateKind> kind_of(const cni::JsonPart& delegate);

}  // namespace holdfast::flannel
