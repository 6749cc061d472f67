#include "test/cni-flannel/daemon/cloud_cluster.h"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <stdexcept>

#include "common/netlink/netns.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"

namespace holdfast::test {
namespace {

constexpr const char* kAddress = "192.168.77.200";
constexpr std::uint16_t kPort = 6443;
constexpr std::chrono::milliseconds kBookmarks{50};

}  // namespace

CloudCluster::CloudCluster() {
  lan.add_address(std::string(kAddress) + "/24");
  replace_server();
  put_nodes();
  std::ofstream(home.path() / "kubeconfig")
      << nlohmann::json{{"apiVersion", "v1"},
                        {"kind", "Config"},
                        {"current-context", "lan"},
                        {"contexts", {{{"name", "lan"}, {"context", {{"cluster", "lan"}}}}}},
                        {"clusters", {{{"name", "lan"}, {"cluster", {{"server", api->url()}}}}}}};
}

void CloudCluster::replace_server() {
  api.reset();
  const Status made = nl::run_in_netns(lan.netns(), [&] {
    api = std::make_unique<ApiServerThread>(ListenAt{.address = kAddress, .port = kPort});
  });
  if (!made) throw std::runtime_error(made.error().message);
  with_api([](ApiServer& server) { server.watches().bookmark_period = kBookmarks; });
}

void CloudCluster::start_and_stop_beside_another_cluster() {
  define_kind();
  start_all("crd");
  for (FlanneldNode* node : nodes) node->stop(SIGTERM);
  replace_server();
  define_kind();
  with_api([](ApiServer& server) {
    server.remove("/api/v1/namespaces/kube-system");
    server.put("/api/v1/namespaces/kube-system", {{"apiVersion", "v1"}, {"kind", "Namespace"}});
  });
}

void CloudCluster::put_nodes() {
  with_api([](ApiServer& server) {
    for (const char* n : {"1", "2", "3"}) {
      put_node(server, std::string("node") + n, std::string("10.244.") + n + ".0/24");
    }
  });
}

void CloudCluster::define_kind() {
  with_api([](ApiServer& server) { define_node_networks(server); });
}

void CloudCluster::start(FlanneldNode& node, const std::string& source,
                         const std::vector<std::string>& more) const {
  std::vector<std::string> all{"--source=" + source,
                               "--kubeconfig-file=" + (home.path() / "kubeconfig").native()};
  all.insert(all.end(), more.begin(), more.end());
  node.start(all);
}

void CloudCluster::start_all(const std::string& source, const std::vector<std::string>& more) {
  for (FlanneldNode* node : nodes) start(*node, source, more);
  for (const FlanneldNode* node : nodes) until([&] { return Cluster::has_peers(*node, 2) && node->ready(); });
}

std::size_t CloudCluster::count_requests(const std::string& begin) const {
  return api->with([&](ApiServer& server) {
    return static_cast<std::size_t>(
        std::ranges::count_if(server.requests(), [&](const auto& each) { return each.starts_with(begin); }));
  });
}

void CloudCluster::break_watches() const {
  api->with([](ApiServer& server) {
    server.store().skip_versions(10);
    server.compact();
    server.watches().end_all(/*connections=*/true);
  });
}

}  // namespace holdfast::test
