#pragma once

#include <string>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "cni-flannel/plugin/bridge_conf.h"
#include "cni-flannel/plugin/delegate.h"
#include "cni-flannel/plugin/environment.h"
#include "cni-flannel/plugin/json_part.h"
#include "cni-flannel/plugin/rule_owner.h"

namespace holdfast::flannel {

/// One attachment to a bridge network, decoded: what the verbs of a bridge plugin work on.
struct BridgeCall {
  Attachment attachment;
  std::string netns = {};  ///< path; empty in a DEL whose namespace is gone
  bool may_be_own_netns = false;
  cni::CniArgs args = {};
  DelegateKind kind;
  cni::JsonPart delegate = {};  ///< the whole rendered configuration
  BridgeConf bridge = {};
  HostLocalConf host_local = {};  ///< when kind.is_host_local()
};

/// Whose the attachment's firewall rules are.
[[nodiscard]] inline RuleOwner owner_of(const Attachment& attachment) {
  return {attachment.network, attachment.container_id, attachment.ifname};
}

}  // namespace holdfast::flannel
