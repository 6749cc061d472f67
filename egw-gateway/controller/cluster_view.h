#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/kube/http.h"
#include "common/kube/object_cache.h"
#include "common/kube/object_client.h"
#include "common/kube/watch_group.h"
#include "egw-gateway/controller/pool_plan.h"

namespace holdfast::gateway {

/// A ConfigMap with connections.
struct ConnectionsText {
  kube::ObjectId id{};
  std::string text{};
  std::string services{};
};

/// The cluster's objects that plans are made of, as watches tell them. NodePools are read in the newest
/// version that the server has of v1beta1 and v1alpha1. Belongs to the event loop.
class ClusterView {
 public:
  struct Context {
    EventLoop& loop;
    kube::Http& http;  ///< for watches alone
    kube::ObjectClient& client;
    Logger& log;
  };
  struct Options {
    std::string name_space{};
    std::uint64_t seed = 0;
    std::chrono::milliseconds ask_again{30'000};  ///< for NodePools, where there are none
  };

  /// `changed`: called from within a watch's call.
  ClusterView(const Context& context, Options options, std::function<void()> changed);
  ClusterView(const ClusterView&) = delete;
  ClusterView& operator=(const ClusterView&) = delete;
  ~ClusterView();

  void start();
  /// All of it has been seen: what is not here does not exist.
  [[nodiscard]] bool is_known() const;
  /// `given` outlives it.
  [[nodiscard]] ClusterSight sight(const std::map<std::string, PoolTunnels>& given);

  [[nodiscard]] kube::Resource resource(Kind kind) const;
  /// What of an answer told() looks at.
  [[nodiscard]] static kube::KeptFields fields(Kind kind);
  /// An object as an answer to a call of ours has it.
  void told(Kind kind, const nlohmann::json& object);
  void removed(Kind kind, const kube::ObjectId& id);

 private:
  template <class Object>
  kube::ObjectCache<Object> cache(const char* what, Result<Object> (*decode)(const JsonObject&));
  template <class Function>
  void with_cache(Kind kind, Function function);
  void add_watches();
  void read_connections();

  Context context_;
  Options options_;
  std::function<void()> changed_;
  kube::ObjectCache<NodePool> pools_;
  kube::ObjectCache<PoolNode> nodes_;
  kube::ObjectCache<SeenGateway> gateways_;
  kube::ObjectCache<SeenDeployment> deployments_;
  kube::ObjectCache<OwnedObject> helpers_;
  kube::ObjectCache<OwnedObject> budgets_;
  kube::ObjectCache<SeenSecret> secrets_;
  kube::ObjectCache<CorePod> pods_;
  kube::ObjectCache<ConnectionsText> config_;
  std::string config_version_;
  Result<std::vector<Connection>> connections_ = std::vector<Connection>{};
  kube::WatchGroup watches_;
};

}  // namespace holdfast::gateway
