#include "test/bench/api/hour.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "test/bench/api/follower.h"
#include "test/cni-flannel/daemon/cluster_objects.h"

namespace holdfast::bench {
namespace {

using nlohmann::json;

constexpr unsigned kBookmarks = 60;
constexpr unsigned kImages = 50;  // kubelet tells as many

json own_node() {
  json images = json::array();
  for (unsigned i = 0; i < kImages; ++i) {
    images.push_back({{"names", json::array({"registry.example/library/program-" + std::to_string(i) +
                                             "@sha256:" + std::string(64, 'f')})},
                      {"sizeBytes", 52428800 + i}});
  }
  return {{"apiVersion", "v1"},
          {"kind", "Node"},
          {"spec", {{"podCIDR", "10.64.1.0/24"}, {"podCIDRs", json::array({"10.64.1.0/24"})}}},
          {"status", {{"images", images}}}};
}

// As the node itself applies it.
void apply(test::ApiServer& server, unsigned number, unsigned change) {
  const std::string name = "edge-node-" + std::to_string(number);
  flannel::NodeNetworkObject object;
  object.identity.name = name;
  object.network = network_of(name, number, published_mac(number, change));
  test::ServerRequest request = test::parse_request_head("PATCH " + (test::kNetworkPath + name) +
                                                         "?fieldManager=flanneld&force=true HTTP/1.1");
  request.headers = {{"content-type", "application/apply-patch+yaml"}};
  request.body = flannel::encode_node_network(object).dump();
  server.reply_to(request);
}

}  // namespace

std::string published_mac(unsigned number, unsigned change) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out = "66:0" + std::to_string(change) + ":00";
  for (const unsigned byte : {number >> 16U & 0xffU, number >> 8U & 0xffU, number & 0xffU}) {
    out += ":";
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xfU];
  }
  return out;
}

void fill(test::ApiServer& server, unsigned count, bool with_columns) {
  test::define_node_networks(server, with_columns);
  server.put("/api/v1/nodes/own", own_node());
  for (unsigned i = 2; i <= count; ++i) {
    apply(server, i, 0);
  }
}

Result<Hour> measure_hour(unsigned count, bool with_columns) {
  test::ApiServerThread thread;
  thread.with([&](test::ApiServer& server) { fill(server, count, with_columns); });
  Follower follower(thread.url());
  const auto own_has = [&](const std::string& mac) {
    return [&follower, mac] {
      const auto found = follower.nodes.find("own");
      return follower.reachable && found != follower.nodes.end() && found->second.network.backend_data &&
             found->second.network.backend_data->vtep_mac.to_string() == mac;
    };
  };
  follower.start();
  follower.publish(published_mac(1, 0));
  HOLDFAST_CHECK(
      follower.turn_until([&] { return own_has(published_mac(1, 0))() && follower.nodes.size() == count; }));
  follower.stop();

  const auto counters = [&] {
    return thread.with([](test::ApiServer& server) {
      return std::pair(server.http().bytes_sent, server.http().bytes_received);
    });
  };
  const auto before = counters();
  follower.start();  // this node's own start
  follower.publish(published_mac(1, 0));
  HOLDFAST_CHECK(follower.turn_until(own_has(published_mac(1, 0))));
  follower.publish(published_mac(1, 1));
  HOLDFAST_CHECK(follower.turn_until(own_has(published_mac(1, 1))));
  const auto events_before = counters();
  const std::size_t told = follower.upserts;
  thread.with([&](test::ApiServer& server) {
    for (unsigned i = 2; i <= count; ++i) {
      apply(server, i, 1);
    }
  });
  HOLDFAST_CHECK(follower.turn_until([&] { return follower.upserts >= told + count - 1; }));
  const auto events_after = counters();
  for (unsigned i = 0; i < kBookmarks; ++i) {
    thread.with([](test::ApiServer& server) { server.watches().send_bookmarks(); });
  }
  thread.with([](test::ApiServer& server) {
    server.forget_requests();
    server.watches().end_all(/*connections=*/false);
  });
  HOLDFAST_CHECK(follower.turn_until(
      [&] { return thread.with([](test::ApiServer& server) { return server.watches().count(); }) == 1; }));
  thread.with([&](test::ApiServer& server) { apply(server, 2, 2); });
  const std::size_t last = follower.upserts;
  HOLDFAST_CHECK(follower.turn_until([&] { return follower.upserts > last; }));
  const auto after = counters();
  return Hour{.received = after.first - before.first,
              .sent = after.second - before.second,
              .events = events_after.first - events_before.first};
}

}  // namespace holdfast::bench
