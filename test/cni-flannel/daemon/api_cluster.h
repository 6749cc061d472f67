#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "cni-flannel/daemon/api_lease_source.h"
#include "test/cni-flannel/daemon/cluster_objects.h"
#include "test/kube_server/http_scene.h"

namespace holdfast::test {

/// Writes down what a source tells.
struct LeaseDiary final : flannel::LeaseConsumer {
  std::map<std::string, flannel::NodeNetworkObject> nodes;
  std::vector<std::string> gone;  ///< by tombstones
  std::vector<flannel::NodeNames> lists;
  std::string cluster_id;
  std::string last_position;
  flannel::SourceHealth last_health;
  int healths = 0;                            ///< how often it was told
  std::vector<flannel::Condition> judgement;  ///< as it was told last
  bool saw_crd = false;
  flannel::SourceMemory stored;

  void cluster(const std::string& id) override { cluster_id = id; }
  void upsert(flannel::NodeNetworkObject node) override { nodes[node.identity.name] = std::move(node); }
  void removed(const std::string& name, const std::string& /*uid*/) override { gone.push_back(name); }
  void listed(const flannel::NodeNames& names) override { lists.push_back(names); }
  void position(const std::string& version) override { last_position = version; }
  void crd_seen() override { saw_crd = true; }
  void judged(const std::vector<flannel::Condition>& by_controller) override { judgement = by_controller; }
  [[nodiscard]] flannel::SourceMemory memory() const override { return stored; }
  void health(const flannel::SourceHealth& health) override {
    last_health = health;
    ++healths;
  }
};

/// An API server with nodes in it, and one source.
struct ApiCluster : HttpScene {
  ApiServer server{*loop};
  std::unique_ptr<kube::ObjectClient> client;
  LeaseDiary diary;
  flannel::ApiLeaseOptions options{.node = "a", .keys = flannel::AnnotationKeys::with_prefix().value()};
  std::unique_ptr<flannel::ApiLeaseSource> source;

  ApiCluster();
  void start();
  void put_node(const std::string& name, const std::string& pod_cidr,
                const nlohmann::json& annotations = {}) {
    test::put_node(server, name, pod_cidr, annotations);
  }
  [[nodiscard]] static nlohmann::json annotations(const std::string& mac, const std::string& public_ip) {
    return flannel_annotations(mac, public_ip);
  }
  void put_object(const std::string& name, const std::string& pod_cidr, const std::string& mac,
                  const std::string& public_ip) {
    test::put_object(server, network_of(name, pod_cidr, mac, public_ip));
  }
  void define_node_networks() { test::define_node_networks(server); }
  [[nodiscard]] nlohmann::json node(const std::string& name) { return node_object(server, name); }
  [[nodiscard]] nlohmann::json object(const std::string& name) { return network_object(server, name); }
  /// What our node publishes with this address.
  [[nodiscard]] static flannel::NodeNetwork own(const std::string& mac, const std::string& public_ip) {
    return network_of("a", "10.244.1.0/24", mac, public_ip);
  }
  [[nodiscard]] std::size_t count_requests(const std::string& begin);
};

}  // namespace holdfast::test
