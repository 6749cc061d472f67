#include "test/cni-flannel/daemon/api_cluster.h"

#include <algorithm>

namespace holdfast::test {

ApiCluster::ApiCluster() {
  connect({.server = server.url()}, "flanneld");
  client = std::make_unique<kube::ObjectClient>(
      *loop, *http,
      kube::ObjectClientOptions{.field_manager = "flanneld",
                                .first_wait = std::chrono::milliseconds(1),
                                .longest_wait = std::chrono::milliseconds(5)},
      1);
}

void ApiCluster::start() {
  source = std::make_unique<flannel::ApiLeaseSource>(*loop, *http, *client, options);
  REQUIRE(source->start(diary));
}

std::size_t ApiCluster::count_requests(const std::string& begin) {
  return static_cast<std::size_t>(
      std::ranges::count_if(server.requests(), [&](const auto& each) { return each.starts_with(begin); }));
}

}  // namespace holdfast::test
