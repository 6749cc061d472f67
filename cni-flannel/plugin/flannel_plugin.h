#pragma once

#include <string>
#include <vector>

#include "cni-flannel/plugin/bridge_chain.h"
#include "cni-flannel/plugin/delegate.h"
#include "cni-flannel/plugin/delegate_store.h"
#include "cni-flannel/plugin/flannel_conf.h"
#include "cni-flannel/plugin/plugin.h"
#include "cni-flannel/plugin/subnet_env.h"
#include "common/base/clock.h"
#include "common/base/exec.h"
#include "common/base/files.h"

namespace holdfast::flannel {

/// The CNI plugin `flannel`: reads the lease that flanneld left (subnet.env), renders the delegate's
/// configuration from it, saves that for DEL, and does the delegate's work: in this process when it is bridge
/// with host-local or no ipam (bridge_chain.h), else by executing it.
class FlannelPlugin final : public cni::Plugin {
 public:
  /// Holds references: all outlive the object.
  FlannelPlugin(Files& files, Clock& clock, Executor& executor);

  [[nodiscard]] std::string about() const override;
  cni::CniResult<cni::AddResult> add(const cni::Request& request) override;
  cni::CniStatus del(const cni::Request& request) override;
  cni::CniStatus check(const cni::Request& request) override;
  cni::CniStatus gc(const cni::Request& request) override;
  cni::CniStatus status(const cni::Request& request) override;

 private:
  cni::CniResult<SubnetEnv> read_lease(const FlannelConf& conf);
  cni::CniResult<cni::JsonPart> render(const cni::Request& request, const FlannelConf& conf);
  cni::CniStatus del_saved(const cni::Request& request, const FlannelConf& conf, const SavedDelegate& saved);
  cni::CniStatus del_without_saved(const cni::Request& request, const FlannelConf& conf);
  void collect_saved(const cni::Request& request, const FlannelConf& conf,
                     const std::vector<DelegateStore::Stale>& stale, cni::FirstError& errors);
  cni::CniStatus collect_bridge(const cni::Request& request, const FlannelConf& conf, DelegateKind kind);

  Files& files_;
  Clock& clock_;
  Executor& executor_;
};

}  // namespace holdfast::flannel
