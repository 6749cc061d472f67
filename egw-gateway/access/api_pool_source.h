#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/base/event_loop.h"
#include "common/kube/cluster_link.h"
#include "common/kube/watcher.h"
#include "egw-gateway/access/pool_source.h"

namespace holdfast::gateway {

/// All pools' objects by the API server: one watch of all EdgeGateways. Gone is what an authoritative list
/// does not hold (watcher.h) or what was deleted under the UID that was seen.
class ApiPoolSource final : public PoolSource, private kube::WatchConsumer {
 public:
  /// Both outlive it.
  ApiPoolSource(EventLoop& loop, kube::ClusterLink& link);

  Status start(PoolConsumer& consumer) override;
  void look_again() override {}

 private:
  void list_begun() override { seen_.clear(); }
  void put(const kube::ObjectId& id, const nlohmann::json& object) override;
  void removed(const kube::ObjectId& id) override;
  void list_read() override { tell_health(); }
  void list_authoritative() override;
  void version(const std::string& /*resource_version*/) override { tell_health(); }
  void connected() override { tell_health(); }
  void trouble(const Error& error) override { consumer_->health("the API server: " + error.message); }
  void tell_health();

  std::map<std::string, std::string> uids_;      // of the objects last seen, by pool
  std::map<std::string, std::string> troubles_;  // objects that cannot be used
  std::set<std::string> seen_;                   // since the last list began
  PoolConsumer* consumer_ = nullptr;
  kube::Watcher watcher_;
};

}  // namespace holdfast::gateway
