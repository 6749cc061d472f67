#include "common/netlink/neighbour.h"

#include <algorithm>
#include <cerrno>

#include "common/netlink/link.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl {
namespace {

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
const MacAddress kOne({0x66, 0, 0, 0, 0, 1});
const MacAddress kTwo({0x66, 0, 0, 0, 0, 2});

struct OverlayKernel : test::RouteKernel {
  OverlayKernel() {
    VxlanSpec spec;
    spec.name = "flannel.1";
    spec.up = true;
    spec.info.vni = 1;
    spec.info.port = 8472;
    spec.info.learning = false;
    spec.info.local = ip("10.9.0.1");
    overlay = create_vxlan(socket, spec)->index;
  }
  std::vector<FdbEntry> fdb() {
    std::vector<FdbEntry> entries = list_fdb(socket, overlay).value();
    std::erase_if(entries, [](const FdbEntry& e) { return !e.dst; });
    std::sort(entries.begin(), entries.end());
    return entries;
  }
  FdbEntry entry(const MacAddress& mac, const char* dst) { return {overlay, mac, ip(dst)}; }
  int overlay = 0;
};

TEST_CASE_METHOD(OverlayKernel, "A neighbour is put, replaced and dropped, and the drop repeats",
                 "[netlink]") {
  for (const char* text : {"10.244.1.0", "fd00:1::"}) {
    DYNAMIC_SECTION(text) {
      const IpAddress address = ip(text);
      const Neighbour one{overlay, address, kOne};
      REQUIRE(socket.run(put_neighbour(one)).has_value());
      CHECK(list_neighbours(socket, overlay, address.family()).value() == std::vector{one});
      const Neighbour two{overlay, address, kTwo};
      REQUIRE(socket.run(put_neighbour(two)).has_value());
      CHECK(list_neighbours(socket, overlay).value() == std::vector{two});
      CHECK(socket.run(drop_neighbour(one)).has_value());
      CHECK(list_neighbours(socket, overlay)->empty());
      CHECK(socket.run(drop_neighbour(one)).has_value());
    }
  }
}

TEST_CASE_METHOD(OverlayKernel, "A VXLAN's MAC has one remote end, which a put moves", "[netlink]") {
  REQUIRE(socket.run(put_fdb(entry(kOne, "10.9.0.2"))).has_value());
  CHECK(fdb() == std::vector{entry(kOne, "10.9.0.2")});
  CHECK(test::output_of("bridge fdb show dev flannel.1")
            .find("66:00:00:00:00:01 dst 10.9.0.2 self permanent") != std::string::npos);
  REQUIRE(socket.run(put_fdb(entry(kOne, "10.9.0.3"))).has_value());
  CHECK(fdb() == std::vector{entry(kOne, "10.9.0.3")});
  CHECK(socket.run(drop_fdb(entry(kOne, "10.9.0.3"))).has_value());
  CHECK(fdb().empty());
  CHECK(socket.run(drop_fdb(entry(kOne, "10.9.0.3"))).has_value());
}

TEST_CASE_METHOD(OverlayKernel, "The all-zero MAC has as many remote ends as are put", "[netlink]") {
  const FdbEntry two = entry(MacAddress(), "10.9.0.2");
  const FdbEntry three = entry(MacAddress(), "10.9.0.3");
  for (const FdbEntry& e : {two, three, three}) CHECK(socket.run(put_fdb(e)).has_value());
  CHECK(fdb() == std::vector{two, three});
  CHECK(socket.run(drop_fdb(two)).has_value());
  CHECK(fdb() == std::vector{three});
}

TEST_CASE_METHOD(OverlayKernel, "A bridge keeps entries for its ports", "[netlink]") {
  BridgeSpec bridge;
  bridge.name = "cni0";
  VethSpec veth;
  veth.name = "veth0";
  veth.peer_name = "veth1";
  veth.master = create_bridge(socket, bridge)->index;
  const int port = create_veth(socket, veth)->index;
  FdbEntry wanted{port, kOne, std::nullopt, true};
  REQUIRE(socket.run(put_fdb(wanted)).has_value());
  const auto all = list_fdb(socket, port).value();
  CHECK(std::count(all.begin(), all.end(), wanted) == 1);
  CHECK(std::all_of(all.begin(), all.end(), [&](const FdbEntry& e) { return e.ifindex == port; }));
  CHECK(socket.run(drop_fdb(wanted)).has_value());
  const auto left = list_fdb(socket, port).value();
  CHECK(std::count(left.begin(), left.end(), wanted) == 0);
}

TEST_CASE_METHOD(OverlayKernel, "A refused entry carries its name and the kernel's sentence", "[netlink]") {
  FdbEntry wrong = entry(kOne, "fd00::2");  // the tunnel is IPv4
  const Status done = socket.run(put_fdb(wrong));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().message.find("put fdb 66:00:00:00:00:01 -> fd00::2 on link ") == 0);
  CHECK(done.error().sys_errno != 0);
  CHECK(list_neighbours(socket, 4711)->empty());
  CHECK(list_fdb(socket, 4711)->empty());
}

}  // namespace
}  // namespace holdfast::nl
