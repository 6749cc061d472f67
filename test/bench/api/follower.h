#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "cni-flannel/daemon/api_lease_source.h"
#include "common/base/files.h"
#include "common/base/metrics.h"
#include "common/kube/curl_http.h"

namespace holdfast::bench {

/// What flanneld is to the API server: a source of leases, and what it tells, held.
class Follower final : public flannel::LeaseConsumer {
 public:
  /// Of node "own".
  explicit Follower(const std::string& server_url);

  void start();
  /// Ends it as a program ends, and keeps what a program stores.
  void stop();
  void publish(const std::string& mac);
  /// Errors: kDeadlineExceeded when `done` does not come true.
  Status turn_until(const std::function<bool()>& done);

  std::map<std::string, flannel::NodeNetworkObject> nodes;
  std::size_t upserts = 0;
  bool whole = false;
  bool reachable = false;

  void cluster(const std::string& id) override { memory_.cluster_id = id; }
  void upsert(flannel::NodeNetworkObject node) override;
  void removed(const std::string& /*name*/, const std::string& /*uid*/) override {}
  void listed(const flannel::NodeNames& /*names*/) override { whole = true; }
  void position(const std::string& version) override { memory_.resource_version = version; }
  [[nodiscard]] flannel::SourceMemory memory() const override { return memory_; }
  void health(const flannel::SourceHealth& health) override { reachable = health.reachable; }

 private:
  SystemClock clock_;
  std::unique_ptr<EventLoop> loop_;
  PosixFiles files_;
  Metrics metrics_;
  std::unique_ptr<kube::CurlHttp> http_;
  std::unique_ptr<kube::ObjectClient> client_;
  flannel::ApiLeaseOptions options_;
  flannel::SourceMemory memory_;
  std::unique_ptr<flannel::ApiLeaseSource> source_;
};

/// What a node publishes.
[[nodiscard]] flannel::NodeNetwork network_of(const std::string& node, unsigned number,
                                              const std::string& mac);

}  // namespace holdfast::bench
