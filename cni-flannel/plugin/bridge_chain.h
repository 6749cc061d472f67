#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "cni-flannel/plugin/bridge.h"
#include "cni-flannel/plugin/bridge_call.h"
#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/cni_result.h"
#include "cni-flannel/plugin/delegation.h"
#include "cni-flannel/plugin/pod_interface.h"
#include "common/base/clock.h"
#include "common/base/exec.h"
#include "common/base/files.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// What bridge and host-local do together for flannel, in one process: bridge, veth pair, addresses, routes
/// and the pod's own rules. An ipam of another type is executed.
///
/// Everything made by ADD is undone when a later step fails. DEL goes on after an error and returns the first
/// with a count. Nothing here is remembered between calls but what StickyIpam and the kernel hold.
class BridgeChain {
 public:
  /// Holds references: all outlive the object.
  BridgeChain(Files& files, Clock& clock, Executor& executor, nl::Socket& host, cni::Delegates& delegates);

  cni::CniResult<cni::AddResult> add(const BridgeCall& call);
  cni::CniStatus del(const BridgeCall& call);
  /// `previous` is what ADD answered.
  cni::CniStatus check(const BridgeCall& call, const cni::AddResult& previous);
  /// Frees what is not in `valid`: addresses, links, rules.
  cni::CniStatus gc(const BridgeCall& network, const std::vector<Attachment>& valid);
  /// Whether another pod would get an address and the bridge is free for it.
  cni::CniStatus status(const BridgeCall& network);

  /// What was mended on the way, for stderr.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

 private:
  /// What `ask` answers of the address manager by the call's configuration, whose notices are kept.
  template <class Ask>
  std::invoke_result_t<Ask, StickyIpam&> with_ipam(const BridgeCall& call, Ask ask);
  cni::CniResult<cni::AddResult> assign_addresses(const BridgeCall& call);
  /// Of an IPAM plugin that is executed.
  cni::CniResult<cni::AddResult> ask_for_addresses(const BridgeCall& call);
  cni::CniStatus release_addresses(const BridgeCall& call);
  /// Of an ADD that failed, unless another ADD of the same attachment has connected it.
  cni::CniStatus give_addresses_back(const BridgeCall& call);
  /// Errors: kTryAgainLater: somebody freed the addresses after they were assigned.
  cni::CniStatus confirm_addresses(const BridgeCall& call, const cni::AddResult& result);
  /// Leaves no link when it fails, and touches none that was in the way.
  cni::CniStatus connect(const BridgeCall& call, cni::AddResult& result);
  cni::CniStatus bring_up(const BridgeCall& call, PodNamespace& pod, const PodLinkState& ends,
                          const cni::AddResult& result);
  /// Frees the addresses of all but `valid`, and removes their links.
  void collect_addresses(const BridgeCall& network, const std::vector<Attachment>& valid,
                         cni::FirstError& errors);
  cni::CniStatus check_addresses_held(const BridgeCall& call);
  cni::CniStatus check_bridge_is_free(const BridgeCall& network);
  Status put_rules(const BridgeCall& call, const cni::AddResult& result);
  Status drop_rules(const BridgeCall& call);
  /// A host end that a store tells of, if it is a veth whose alias is none or begins with `alias`: the
  /// runtime's cache is other people's file, and may name any link.
  Status delete_told_link(const std::string& name, const std::string& alias);
  Status delete_remembered_link(const BridgeCall& call);
  Status delete_links(const BridgeCall& call);

  Files& files_;
  Clock& clock_;
  Executor& executor_;
  nl::Socket& host_;
  cni::Delegates& delegates_;
  std::vector<std::string> notices_;
};

}  // namespace holdfast::flannel
