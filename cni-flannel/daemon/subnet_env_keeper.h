#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/daemon/followed_folder.h"
#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/subnet_file.h"
#include "cni-flannel/daemon/underlay.h"
#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// Keeps subnet.env, without which no pod starts: written when it is to say something else, and again when
/// somebody touched it. Tells condition SubnetFileWritten.
class SubnetEnvKeeper {
 public:
  /// What it works with; all outlives it.
  struct Tools {
    EventLoop& loop;
    Files& files;
    Conditions& conditions;
  };
  SubnetEnvKeeper(const Tools& tools, NetConf conf, std::filesystem::path file, bool ip_masq);

  /// Begins to look after the file. Errors: of the folder's watch.
  Status start();
  /// Makes the file tell `lease`, and the MTU that the tunnels have by `underlay`, or as it was last when
  /// there is none (nullptr). Returns whether it does.
  bool put(const NodeNetwork& lease, const Underlay* underlay);
  /// There is no lease that it could tell: what is there stays, and is nobody's business.
  void leave() { wanted_.reset(); }
  /// What is there is of another cluster: it goes, so that no pod starts by it before there is a lease here.
  void withdraw();

  /// Of the pods, as it was last; 0: not known.
  [[nodiscard]] std::uint32_t mtu() const { return mtu_; }
  void recall_mtu(std::uint32_t mtu) { mtu_ = mtu; }

 private:
  Status look_at_mtu(const Underlay* underlay);
  Status write(const NodeNetwork& lease);
  void touched();

  Tools tools_;
  NetConf conf_;
  std::filesystem::path file_;
  bool ip_masq_;
  std::uint32_t mtu_ = 0;
  std::optional<SubnetFile> wanted_;
  std::unique_ptr<FollowedFolder> folder_;
  EventLoop::Timer again_;
};

}  // namespace holdfast::flannel
