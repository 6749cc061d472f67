#include "common/netlink/socket.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/netlink/address.h"
#include "common/netlink/link.h"
#include "common/netlink/neighbour.h"
#include "common/netlink/route.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl {
namespace {

using test::RouteKernel;

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

/// A link, its addresses and its routes, as the pod's side of an ADD asks for them.
std::vector<Request> pod_side(int eth0) {
  LinkChange up;
  up.up = true;
  Route route;
  route.dst = cidr("0.0.0.0/0");
  route.gateway = IpAddress::parse("10.244.3.1").value();
  std::vector<Request> requests;
  requests.push_back(put_address(eth0, cidr("10.244.3.7/24")));
  requests.push_back(put_address(eth0, cidr("fd00:3::7/64"), {.no_dad = true}));
  requests.push_back(change_link(eth0, up));
  requests.push_back(put_route(route));
  return requests;
}

int make_veth(Socket& socket) {
  VethSpec spec;
  spec.name = "veth0";
  spec.peer_name = "eth0";
  static_cast<void>(create_veth(socket, spec).value());
  return find_link(socket, "eth0").value()->index;
}

TEST_CASE_METHOD(RouteKernel, "Address, up and routes of a pod are one batch", "[netlink]") {
  const int eth0 = make_veth(socket);
  std::vector<Request> requests = pod_side(eth0);
  REQUIRE(socket.run_whole(requests).has_value());
  CHECK(find_link(socket, eth0).value()->up);
  CHECK(list_addresses(socket, eth0, IpFamily::kV4)->size() == 1);
  CHECK(list_routes(socket, {.family = IpFamily::kV4})->size() == 2);
}

TEST_CASE_METHOD(RouteKernel, "Each request of a batch has its own result, and none stops the others",
                 "[netlink]") {
  const int eth0 = make_veth(socket);
  std::vector<Request> requests = pod_side(eth0);
  Route lost;
  lost.dst = cidr("10.42.0.0/16");
  lost.gateway = IpAddress::parse("192.0.2.1").value();
  SECTION("refused by the kernel, in the middle") {
    requests.insert(requests.begin() + 1, put_route(lost));
    const auto results = socket.run_all(requests);
    REQUIRE(results.size() == 5);
    CHECK(results[1].error().sys_errno == ENETUNREACH);
    CHECK(results[1].error().message.find("put route 10.42.0.0/16 via 192.0.2.1 (") == 0);
    for (const std::size_t good : {0U, 2U, 3U, 4U}) CHECK(results[good].has_value());
  }
  SECTION("refused by the kernel, the last") {
    requests.push_back(put_route(lost));
    const auto results = socket.run_all(requests);
    REQUIRE(results.size() == 5);
    CHECK(results[4].error().sys_errno == ENETUNREACH);
    for (const std::size_t good : {0U, 1U, 2U, 3U}) CHECK(results[good].has_value());
  }
  SECTION("never sent, first and last") {
    requests.insert(requests.begin(), delete_link("not a name"));
    requests.push_back(delete_link("nor/this"));
    const auto results = socket.run_all(requests);
    REQUIRE(results.size() == 6);
    CHECK(results[0].error().message ==
          "delete link not a name: 'not a name' cannot be the name of a network interface");
    CHECK(results[5].error().code == Code::kInvalidArgument);
    for (const std::size_t good : {1U, 2U, 3U, 4U}) CHECK(results[good].has_value());
  }
  CHECK(list_routes(socket, {.family = IpFamily::kV4})->size() == 2);
}

TEST_CASE_METHOD(RouteKernel, "Nothing to do is done", "[netlink]") {
  std::vector<Request> none;
  CHECK(socket.run_all(none).empty());
  none.push_back(delete_link("a/b"));
  CHECK_FALSE(socket.run_whole(none).has_value());
}

TEST_CASE_METHOD(RouteKernel, "Thousands of neighbours go in, and all of them refused come back refused",
                 "[netlink]") {
  constexpr std::uint64_t kMany = 3000;
  const int eth0 = make_veth(socket);
  const auto requests_for = [&](int ifindex) {
    std::vector<Request> requests;
    for (std::uint64_t i = 0; i < kMany; ++i) {
      const MacAddress mac({0x66, 0, 0, 0, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)});
      requests.push_back(put_neighbour({ifindex, IpAddress::parse("10.244.0.0")->plus(i).value(), mac}));
    }
    return requests;
  };
  std::vector<Request> good = requests_for(eth0);
  const auto begin = std::chrono::steady_clock::now();
  const auto results = socket.run_all(good);
  const auto took = std::chrono::steady_clock::now() - begin;
  WARN("3,000 neighbours: " << std::chrono::duration_cast<std::chrono::microseconds>(took).count() << " us");
  for (const Status& result : results) REQUIRE(result.has_value());
  CHECK(list_neighbours(socket, eth0, IpFamily::kV4)->size() == kMany);

  std::vector<Request> bad = requests_for(4711);
  const auto refusals = socket.run_all(bad);
  REQUIRE(refusals.size() == kMany);
  for (const Status& refusal : refusals) REQUIRE(refusal.error().sys_errno == ENODEV);
  CHECK(refusals.back().error().message.find("put neighbour 10.244.11.183 on link 4711") == 0);
  CHECK(list_links(socket)->size() == 3);  // no answer of the batch is taken for one of these
}

TEST_CASE("A socket answers for the namespace it was opened in, from any other", "[netlink]") {
  const test::FreshNetns here;
  const Fd pod = test::new_netns();
  Socket in_pod = Socket::open_in(pod.get()).value();
  Socket in_host = Socket::open().value();
  BridgeSpec bridge;
  bridge.name = "cni0";
  REQUIRE(create_bridge(in_pod, bridge).has_value());
  CHECK(find_link(in_pod, "cni0").value().has_value());
  CHECK_FALSE(find_link(in_host, "cni0").value().has_value());
  CHECK_FALSE(Socket::open_in(-1).has_value());
}

TEST_CASE_METHOD(RouteKernel, "A request too long for a message is refused with its name", "[netlink]") {
  LinkChange change;
  change.alias = std::string(5000, 'a');
  const Status done = socket.run(change_link(1, change));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().message == "change link 1: too long for a netlink message");
}

TEST_CASE_METHOD(RouteKernel, "A table that changes while it is read comes whole or not at all",
                 "[netlink]") {
  constexpr unsigned kCount = 1000;  // a dump of several messages
  const int link = make_veth(socket);
  std::vector<Cidr> all;
  for (unsigned i = 0; i < kCount; ++i) {
    all.push_back(
        Cidr::make(IpAddress::v4({10, 9, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}),
                   32)
            .value());
    REQUIRE(socket.run(put_address(link, all.back())));
  }
  // takes the first away and puts it behind the last: who goes on reading where he was misses one
  Socket other = Socket::open_in(netns.fd()).value();
  std::atomic<bool> stopping{false};
  std::thread rival([&] {
    for (unsigned i = 0; !stopping; i = (i + 1) % kCount) {
      static_cast<void>(other.run(drop_address(link, all[i])));
      static_cast<void>(other.run(put_address(link, all[i])));
    }
  });
  for (int i = 0; i < 50; ++i) {
    // of all links: of one link alone the kernel does not tell that it changed
    const auto there = list_addresses(socket, 0, IpFamily::kV4);
    if (!there) {
      CHECK(there.error().code == Code::kAborted);
      continue;
    }
    std::set<IpAddress> seen;
    for (const Address& address : *there) seen.insert(address.cidr.address());
    CHECK(seen.size() >= kCount - 1);
  }
  stopping = true;
  rival.join();
  CHECK(list_addresses(socket, link, IpFamily::kV4)->size() == kCount);
}

}  // namespace
}  // namespace holdfast::nl
