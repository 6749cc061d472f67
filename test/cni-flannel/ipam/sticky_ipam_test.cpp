#include "cni-flannel/ipam/sticky_ipam.h"

#include <cerrno>

#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

using Texts = std::vector<std::string>;

// ------------------------------------------------------------------------------------- the same address
// again

TEST_CASE("a pod keeps its address over any number of sandboxes", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("web-0")) == "10.244.3.2");
  CHECK(node.add("c2", pod("web-1")) == "10.244.3.3");
  REQUIRE(node.del("c1"));
  const auto again = node.try_add(request_of("c3", pod("web-0")));
  REQUIRE(again);
  CHECK(texts(*again) == Texts{"10.244.3.2"});
  CHECK(again->kept);
  CHECK(again->addresses[0].address.to_string() == "10.244.3.2/24");
  CHECK(again->addresses[0].gateway.to_string() == "10.244.3.1");
  CHECK(node.in_use() == Texts{"10.244.3.2 c3/eth0", "10.244.3.3 c2/eth0"});
}

TEST_CASE("after a reboot pods come back with their addresses, in whatever order and without DEL", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("web-0")) == "10.244.3.2");
  CHECK(node.add("c2", pod("web-1")) == "10.244.3.3");
  node.reboot();
  CHECK(node.add("d2", pod("web-1")) == "10.244.3.3");
  CHECK(node.add("d9", pod("new")) == "10.244.3.4");
  CHECK(node.add("d1", pod("web-0")) == "10.244.3.2");
  CHECK(node.in_use() == Texts{"10.244.3.2 d1/eth0", "10.244.3.3 d2/eth0", "10.244.3.4 d9/eth0"});
}

TEST_CASE("reboot, GC with an empty list, ADD: the same address", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("web-0")) == "10.244.3.2");
  CHECK(node.add("c2", pod("web-1")) == "10.244.3.3");
  node.reboot();
  const auto freed = node.gc({});
  REQUIRE(freed);
  CHECK(freed->size() == 2);
  CHECK(node.in_use().empty());
  CHECK(node.add("d2", pod("web-1")) == "10.244.3.3");
  CHECK(node.add("d1", pod("web-0")) == "10.244.3.2");
}

TEST_CASE("pods of one name in two namespaces have an address each", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("web-0", "uid-1", "blue")) == "10.244.3.2");
  CHECK(node.add("c2", pod("web-0", "uid-2", "green")) == "10.244.3.3");
  node.reboot();
  CHECK(node.add("d2", pod("web-0", "uid-2", "green")) == "10.244.3.3");
  CHECK(node.add("d1", pod("web-0", "uid-1", "blue")) == "10.244.3.2");
}

TEST_CASE("a second interface of a pod has its own address and keeps it", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("web-0")) == "10.244.3.2");
  AllocationRequest second = request_of("c1", pod("web-0"));
  second.attachment.ifname = "net1";
  second.host_link = "vc1-net1";
  REQUIRE(node.try_add(second));
  REQUIRE(node.ipam().release(second.attachment));
  CHECK(node.in_use() == Texts{"10.244.3.2 c1/eth0"});
  node.reboot();
  second.attachment.container_id = "d1";
  const auto again = node.try_add(second);
  REQUIRE(again);
  CHECK(texts(*again) == Texts{"10.244.3.3"});
}

TEST_CASE("names with every kind of byte are kept apart", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("a b", "-", "x%,\n")) == "10.244.3.2");
  CHECK(node.add("c2", pod("-", "", "x%,\n\xff")) == "10.244.3.3");
  node.reboot();
  CHECK(node.add("d2", pod("-", "", "x%,\n\xff")) == "10.244.3.3");
  CHECK(node.add("d1", pod("a b", "-", "x%,\n")) == "10.244.3.2");
}

// ------------------------------------------------------------------------------------- who may take an
// address

TEST_CASE("what becomes of a pod's address when its earlier sandbox", "[ipam]") {
  struct Case {
    const char* name;
    const char* old_uid;
    const char* new_uid;
    bool link_is_up;
    bool boot_changed;
    bool long_ago;
    const char* address;
    bool reports_stale_link;
  };
  const Case cases[] = {
      {"lives and is of the same uid: kept, and the old link is to go", "u1", "u1", true, false, true,
       "10.244.3.2", true},
      {"lives and neither gives a uid (dockershim): kept", "", "", true, false, true, "10.244.3.2", true},
      {"lives and is of another uid (force-deleted pod): another address", "u1", "u2", true, false, true,
       "10.244.3.3", false},
      {"lives and gave no uid: another address", "", "u2", true, false, true, "10.244.3.3", false},
      {"lives and the new one gives no uid: another address", "u1", "", true, false, true, "10.244.3.3",
       false},
      {"has lost its link: taken over by the recreated pod", "u1", "u2", false, false, true, "10.244.3.2",
       false},
      {"has no link yet, as its ADD may be under way: another address", "u1", "u2", false, false, false,
       "10.244.3.3", false},
      {"has no link yet and is of the same uid: kept", "u1", "u1", false, false, false, "10.244.3.2", false},
      {"is of an earlier boot: taken over", "u1", "u2", false, true, false, "10.244.3.2", false},
      {"is of an earlier boot, and a link of that name is up: taken over", "u1", "u1", true, true, false,
       "10.244.3.2", true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Node node;
      CHECK(node.add("c1", pod("web-0", c.old_uid)) == "10.244.3.2");
      if (c.long_ago) {
        node.wait();
      }
      if (c.boot_changed) {
        node.reboot();
      }
      if (c.link_is_up) {
        node.machine.links.insert(link_of("c1"));
      } else {
        node.machine.links.erase(link_of("c1"));
      }
      const auto again = node.try_add(request_of("c2", pod("web-0", c.new_uid)));
      REQUIRE(again);
      CHECK(texts(*again) == Texts{c.address});
      CHECK(again->stale_host_links == (c.reports_stale_link ? Texts{"vc1"} : Texts{}));
    }
  }
}

TEST_CASE("a pod that was deleted and created again takes its old address back", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("web-0", "u1")) == "10.244.3.2");
  REQUIRE(node.del("c1"));
  CHECK(node.add("c2", pod("other", "u3")) == "10.244.3.3");
  const auto again = node.try_add(request_of("c3", pod("web-0", "u2")));
  REQUIRE(again);
  CHECK(texts(*again) == Texts{"10.244.3.2"});
  CHECK(again->kept);
}

TEST_CASE("a late DEL of the old sandbox frees nothing of the new one", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("web-0")) == "10.244.3.2");
  CHECK(node.add("c2", pod("web-0")) == "10.244.3.2");
  REQUIRE(node.del("c1"));
  REQUIRE(node.del("c1"));
  CHECK(node.in_use() == Texts{"10.244.3.2 c2/eth0"});
  CHECK(node.add("c3", pod("other")) == "10.244.3.3");
  REQUIRE(node.del("c2"));
  CHECK(node.in_use() == Texts{"10.244.3.3 c3/eth0"});
}

TEST_CASE("the old sandbox of a pod that got another address frees its own", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("web-0", "u1")) == "10.244.3.2");
  CHECK(node.add("c2", pod("web-0", "u2")) == "10.244.3.3");
  REQUIRE(node.del("c1"));
  CHECK(node.in_use() == Texts{"10.244.3.3 c2/eth0"});
}

TEST_CASE("a living sandbox keeps its address when the address files are wiped", "[ipam]") {
  Node node({"10.244.3.0/30"});
  CHECK(node.add("c1", pod("web-0")) == "10.244.3.2");
  std::filesystem::remove_all(node.network_folder());
  CHECK(node.add("c2", pod("other")) == "no IP addresses available in range set: 10.244.3.1-10.244.3.2");
  node.reboot();
  CHECK(node.add("c3", pod("other")) == "10.244.3.2");
}

// ------------------------------------------------------------------------------------- ADD twice

TEST_CASE("ADD twice for one sandbox", "[ipam]") {
  const auto who = GENERATE(as<std::optional<Pod>>{}, std::nullopt, pod("web-0"));
  Node node({"10.244.3.0/24", "fd00:3::/64"});
  CHECK(node.add("c1", who) == "10.244.3.2");
  SECTION("is refused while its link is up") {
    const auto again = node.try_add(request_of("c1", who));
    REQUIRE_FALSE(again);
    CHECK(again.error().code == Code::kAlreadyExists);
    CHECK(again.error().message ==
          "10.244.3.2 has been allocated to c1, duplicate allocation is not allowed");
  }
  SECTION("gives the same addresses when the link is gone") {
    node.machine.links.clear();
    const auto again = node.try_add(request_of("c1", who));
    REQUIRE(again);
    CHECK(texts(*again) == Texts{"10.244.3.2", "fd00:3::2"});
    CHECK(again->kept == who.has_value());
  }
  SECTION("completes what a killed ADD left") {
    node.machine.links.clear();
    REQUIRE(node.files.remove(node.network_folder() / "10.244.3.2"));
    const auto again = node.try_add(request_of("c1", who));
    REQUIRE(again);
    CHECK(texts(*again) == Texts{who ? "10.244.3.2" : "10.244.3.3", "fd00:3::2"});
  }
  CHECK(node.in_use().size() == 2);
  REQUIRE(node.del("c1"));
  CHECK(node.in_use().empty());
}

// ------------------------------------------------------------------------------------- order and pressure

TEST_CASE("new pods get addresses that no pod had, round and round, before those of absent pods", "[ipam]") {
  Node node({"10.244.3.0/29"});  // .2 to .6
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  CHECK(node.add("c2", pod("p2")) == "10.244.3.3");
  REQUIRE(node.del("c2"));
  REQUIRE(node.del("c1"));
  CHECK(node.add("c3", pod("p3")) == "10.244.3.4");
  CHECK(node.add("c4", pod("p4")) == "10.244.3.5");
  CHECK(node.add("c5", pod("p5")) == "10.244.3.6");
  SECTION("then the longest-absent pod's, by the order of the DELs and not of the clock") {
    node.clock.wall_time -= std::chrono::years(20);
    CHECK(node.add("c6", pod("p6")) == "10.244.3.3");
    CHECK(node.notices == Texts{"binding of default/p2 (eth0) 10.244.3.3 ends"});
    CHECK(node.add("c7", pod("p7")) == "10.244.3.2");
    const auto none = node.try_add(request_of("c8", pod("p8")));
    REQUIRE_FALSE(none);
    CHECK(none.error().code == Code::kResourceExhausted);
    CHECK(none.error().message == "no IP addresses available in range set: 10.244.3.1-10.244.3.6");
  }
  SECTION("the absent pod that comes back in time has its own") {
    CHECK(node.add("c6", pod("p2")) == "10.244.3.3");
  }
  SECTION("also for attachments without pod") { CHECK(node.add("c6") == "10.244.3.3"); }
}

TEST_CASE("pods that a reboot made absent come after those that were deleted before", "[ipam]") {
  Node node({"10.244.3.0/29"});
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  CHECK(node.add("c2", pod("p2")) == "10.244.3.3");
  CHECK(node.add("c3", pod("p3")) == "10.244.3.4");
  CHECK(node.add("c4", pod("p4")) == "10.244.3.5");
  CHECK(node.add("c5", pod("p5")) == "10.244.3.6");
  REQUIRE(node.del("c3"));
  node.reboot();
  CHECK(node.add("d6", pod("p6")) == "10.244.3.4");
  CHECK(node.add("d7", pod("p7")) == "10.244.3.2");
  CHECK(node.add("d2", pod("p2")) == "10.244.3.3");
}

TEST_CASE("without pod names addresses go round as host-local's do", "[ipam]") {
  Node node({"10.244.3.0/29"});
  CHECK(node.add("c1") == "10.244.3.2");
  REQUIRE(node.del("c1"));
  CHECK(node.add("c2") == "10.244.3.3");
  CHECK(node.add("c3") == "10.244.3.4");
  CHECK(node.add("c4") == "10.244.3.5");
  CHECK(node.add("c5") == "10.244.3.6");
  CHECK(node.add("c6") == "10.244.3.2");
  CHECK(node.add("c7") == "no IP addresses available in range set: 10.244.3.1-10.244.3.6");
  CHECK(node.read(node.network_folder() / "last_reserved_ip.0") == "10.244.3.2");
}

TEST_CASE("an address of a dead sandbox without pod is given away when nothing else is left", "[ipam]") {
  Node node({"10.244.3.0/30"});
  CHECK(node.add("c1") == "10.244.3.2");
  node.write(node.folder / "results/cbr0-c1-eth0",
             R"({"kind":"cniCacheV1","containerId":"c1","ifName":"eth0","networkName":"cbr0","result":{
                 "interfaces":[{"name":"cni0"},{"name":"vc1"},{"name":"eth0","sandbox":"/n"}]}})");
  CHECK(node.add("c2", pod("p")) == "no IP addresses available in range set: 10.244.3.1-10.244.3.2");
  node.reboot();
  CHECK(node.add("c2", pod("p")) == "10.244.3.2");
}

TEST_CASE("dual-stack addresses are kept together, and what can be kept is kept", "[ipam]") {
  Node node({"10.244.3.0/24", "fd00:3::/64"});
  const auto first = node.try_add(request_of("c1", pod("p1")));
  REQUIRE(first);
  CHECK(texts(*first) == Texts{"10.244.3.2", "fd00:3::2"});
  CHECK(first->addresses[1].address.to_string() == "fd00:3::2/64");
  CHECK_FALSE(first->kept);
  REQUIRE(node.del("c1"));
  SECTION("both") {
    node.write_address("10.244.3.3", "x\r\neth0");
    const auto again = node.try_add(request_of("c2", pod("p1")));
    REQUIRE(again);
    CHECK(texts(*again) == Texts{"10.244.3.2", "fd00:3::2"});
    CHECK(again->kept);
  }
  SECTION("one, when the other has been taken by another plugin") {
    node.write_address("10.244.3.2", "x\r\neth0");
    const auto again = node.try_add(request_of("c2", pod("p1")));
    REQUIRE(again);
    CHECK(texts(*again) == Texts{"10.244.3.3", "fd00:3::2"});
    CHECK_FALSE(again->kept);
  }
  SECTION("one, when the other's subnet has changed") {
    node.use_subnets({"10.244.7.0/24", "fd00:3::/64"});
    const auto again = node.try_add(request_of("c2", pod("p1")));
    REQUIRE(again);
    CHECK(texts(*again) == Texts{"10.244.7.2", "fd00:3::2"});
  }
  SECTION("none is taken when one family has no address left") {
    node.use_subnets({"10.244.3.0/24", "fd00:9::/126"});
    node.write_address("fd00:9::2", "x\r\neth0");
    node.write_address("fd00:9::3", "y\r\neth0");
    CHECK(node.add("c2", pod("p1")) == "no IP addresses available in range set: fd00:9::1-fd00:9::3");
    CHECK(node.in_use() == Texts{"fd00:9::2 x/eth0", "fd00:9::3 y/eth0"});
  }
}

TEST_CASE("bindings outside the node's subnet end", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  CHECK(node.add("c2", pod("p2")) == "10.244.3.3");
  node.reboot();
  node.use_subnets({"10.244.9.0/24"});
  CHECK(node.add("d1", pod("p1")) == "10.244.9.2");
  CHECK(node.notices == Texts{"binding of default/p1 (eth0) 10.244.3.2 ends",
                              "binding of default/p2 (eth0) 10.244.3.3 ends"});
  node.use_subnets({"10.244.3.0/24"});
  node.reboot();
  CHECK(node.add("e9", pod("p9")) == "10.244.3.4");
}

TEST_CASE("neither gateway nor reserved addresses are handed out, also when a binding names them", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  CHECK(node.add("c2", pod("p2")) == "10.244.3.3");
  node.reboot();
  node.config.range_sets[0][0].gateway = ip("10.244.3.2");
  node.config.reserved = {Cidr::parse("10.244.3.3/32").value(), Cidr::parse("10.244.3.4/30").value()};
  CHECK(node.add("d1", pod("p1")) == "10.244.3.8");
  CHECK(node.add("d2", pod("p2")) == "10.244.3.9");
}

TEST_CASE("a binding ends with its time to live, which begins with its absence", "[ipam]") {
  Node node({"10.244.3.0/29"});
  node.config.binding_ttl = std::chrono::hours(1);
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  node.clock.advance(std::chrono::hours(48));
  SECTION("after DEL") { REQUIRE(node.del("c1")); }
  SECTION("after a GC in the next boot") {
    node.reboot();
    REQUIRE(node.gc({}));
  }
  SECTION("after another pod's ADD in the next boot") {
    node.reboot();
    CHECK(node.add("d2", pod("p2")) == "10.244.3.3");
    REQUIRE(node.del("d2"));
  }
  node.clock.advance(std::chrono::minutes(59));
  CHECK(node.add("d1", pod("p1")) == "10.244.3.2");
  REQUIRE(node.del("d1"));
  node.clock.advance(std::chrono::minutes(61));
  CHECK(node.add("e1", pod("p1")) != "10.244.3.2");
}

TEST_CASE("a clock that goes back ends no binding", "[ipam]") {
  Node node;
  node.config.binding_ttl = std::chrono::hours(1);
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  REQUIRE(node.del("c1"));
  node.clock.wall_time -= std::chrono::years(30);
  CHECK(node.add("d1", pod("p1")) == "10.244.3.2");
}

TEST_CASE("a clock that is set while a pod is away ends no binding", "[ipam]") {
  Node node;
  node.config.binding_ttl = std::chrono::hours(24 * 30);
  node.clock.wall_time = std::chrono::sys_seconds(std::chrono::hours(1));  // no battery
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  REQUIRE(node.del("c1"));
  SECTION("in the same boot") {}
  SECTION("over a reboot") { node.reboot(); }
  node.clock.wall_time = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);
  CHECK(node.add("c2", pod("p2")) == "10.244.3.3");
  CHECK(node.add("d1", pod("p1")) == "10.244.3.2");
}

TEST_CASE("a container id that is given to another pod frees that pod's address", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  REQUIRE(node.del("c1"));
  CHECK(node.add("c1", pod("p2")) == "10.244.3.3");
  REQUIRE(node.del("c1"));
  CHECK(node.in_use().empty());
}

TEST_CASE("an ADD that failed gives its addresses back, unless another of the same attachment has won",
          "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  REQUIRE(node.ipam().undo(attachment_of("c1"), link_of("c1")));
  CHECK(node.in_use() == std::vector<std::string>{"10.244.3.2 c1/eth0"});
  node.machine.links.clear();
  REQUIRE(node.ipam().undo(attachment_of("c1"), link_of("c1")));
  CHECK(node.in_use().empty());
}

// ------------------------------------------------------------------------------------- requested addresses

TEST_CASE("an address that is asked for", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  CHECK(node.add("c2", pod("p2")) == "10.244.3.3");
  REQUIRE(node.del("c2"));
  node.config.reserved = {Cidr::parse("10.244.3.64/28").value()};
  AllocationRequest request = request_of("c3", pod("p3"));
  struct Case {
    const char* name;
    const char* address;
    Code code;
    const char* error;  // empty: it is given
  };
  const Case cases[] = {
      {"and is free is given", "10.244.3.99", {}, nullptr},
      {"and is reserved for an absent pod is given, and that binding ends", "10.244.3.3", {}, nullptr},
      {"and is in use is refused", "10.244.3.2", Code::kFailedPrecondition,
       "requested IP address 10.244.3.2 is not available in range set 10.244.3.1-10.244.3.254"},
      {"and is the gateway is refused", "10.244.3.1", Code::kInvalidArgument,
       "requested ip 10.244.3.1 is subnet's gateway"},
      {"and is reserved by configuration is refused", "10.244.3.65", Code::kFailedPrecondition,
       "requested IP address 10.244.3.65 is not available in range set 10.244.3.1-10.244.3.254"},
      {"and is in no range is refused", "10.9.9.9", Code::kInvalidArgument,
       "failed to allocate all requested IPs: 10.9.9.9"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      request.requested = {ip(c.address)};
      const auto given = node.try_add(request);
      if (c.error == nullptr) {
        REQUIRE(given);
        CHECK(texts(*given) == Texts{c.address});
        REQUIRE(node.del("c3"));
        CHECK(node.add("c4", pod("p3")) == c.address);
        CHECK(node.add("c5", pod("p2")) == (ip(c.address) == ip("10.244.3.3") ? "10.244.3.4" : "10.244.3.3"));
      } else {
        REQUIRE_FALSE(given);
        CHECK(given.error().code == c.code);
        CHECK(given.error().message == c.error);
        CHECK(node.in_use() == Texts{"10.244.3.2 c1/eth0"});
        CHECK(node.add("c4", pod("p2")) == "10.244.3.3");
      }
    }
  }
}

TEST_CASE("a pod that asks for another address than its own moves there", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  REQUIRE(node.del("c1"));
  AllocationRequest request = request_of("c2", pod("p1"));
  request.requested = {ip("10.244.3.50")};
  REQUIRE(node.try_add(request));
  REQUIRE(node.del("c2"));
  CHECK(node.add("c3", pod("p1")) == "10.244.3.50");
}

TEST_CASE("the pod's own address may be asked for", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  AllocationRequest request = request_of("c2", pod("p1"));
  request.requested = {ip("10.244.3.2")};
  const auto given = node.try_add(request);
  REQUIRE(given);
  CHECK(given->kept);
  CHECK(given->stale_host_links == Texts{"vc1"});
}

// ------------------------------------------------------------------------------------- pools of every size

TEST_CASE("pools of every size are handed out to the last address", "[ipam]") {
  struct Case {
    const char* name;
    IpRange range;
    Texts addresses;
  };
  const auto range = [](const char* subnet, const char* first, const char* last, const char* gateway) {
    return IpRange{Cidr::parse(subnet).value(), ip(first), ip(last), ip(gateway)};
  };
  const Case cases[] = {
      {"/30", whole("10.0.0.0/30"), {"10.0.0.2"}},
      {"/31 without gateway inside",
       range("10.0.0.0/31", "10.0.0.0", "10.0.0.1", "10.9.9.9"),
       {"10.0.0.0", "10.0.0.1"}},
      {"/32", range("10.0.0.7/32", "10.0.0.7", "10.0.0.7", "10.9.9.9"), {"10.0.0.7"}},
      {"/127", range("fd00::/127", "fd00::", "fd00::1", "fd00::1"), {"fd00::"}},
      {"the end of the address space",
       range("255.255.255.252/30", "255.255.255.254", "255.255.255.255", "1.1.1.1"),
       {"255.255.255.254", "255.255.255.255"}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Node node;
      node.config.range_sets = {{c.range}};
      CHECK(node.ipam().usage(kNetwork)->size == c.addresses.size());
      for (std::size_t i = 1; i <= c.addresses.size(); ++i) {
        CHECK(node.add("c" + std::to_string(i), pod("p" + std::to_string(i))) == c.addresses[i - 1]);
      }
      CHECK(node.ipam().usage(kNetwork)->used == c.addresses.size());
      CHECK(node.add("cx", pod("px")).starts_with("no IP addresses available in range set: "));
      node.reboot();
      CHECK(node.add("d1", pod("p1")) == c.addresses.front());
    }
  }
}

TEST_CASE("an IPv6 pool with a huge reserved block is not enumerated", "[ipam]") {
  Node node({"fd00:3::/64"});
  node.config.reserved = {Cidr::parse("fd00:3::/65").value()};
  CHECK(node.add("c1", pod("p1")) == "fd00:3:0:0:8000::");
  CHECK(node.add("c2", pod("p2")) == "fd00:3::8000:0:0:1");
}

TEST_CASE("a range set goes through its ranges in order, from the last address given", "[ipam]") {
  Node node;
  node.config.range_sets = {{whole("10.0.0.0/30"), whole("10.0.1.0/30"), whole("10.0.2.0/30")}};
  CHECK(node.add("c1") == "10.0.0.2");
  CHECK(node.add("c2") == "10.0.1.2");
  REQUIRE(node.del("c1"));
  CHECK(node.add("c3") == "10.0.2.2");
  CHECK(node.add("c4") == "10.0.0.2");
  CHECK(node.add("c5") ==
        "no IP addresses available in range set: 10.0.0.1-10.0.0.2,10.0.1.1-10.0.1.2,"
        "10.0.2.1-10.0.2.2");
}

// ------------------------------------------------------------------------------------- release and collect

TEST_CASE("DEL frees an address that the log does not know of an id that it knows", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  REQUIRE(node.del("c1"));
  CHECK(node.add("c1") == "10.244.3.3");
  CHECK(node.in_use() == Texts{"10.244.3.3 c1/eth0"});
  CHECK(node.ipam().addresses_of(attachment_of("c1"))->size() == 1);
  REQUIRE(node.files.make_folders(node.network_folder() / "10.244.3.9", 0755));  // nobody's, and unreadable
  REQUIRE(node.del("c1"));
  CHECK(node.in_use().empty());
  REQUIRE(node.del("c1"));
}

TEST_CASE("DEL of what is not there succeeds", "[ipam]") {
  Node node;
  CHECK(node.del("c1"));
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  CHECK(node.del("c2"));
  CHECK(node.del("c1"));
  CHECK(node.del("c1"));
  CHECK(node.in_use().empty());
}

TEST_CASE("GC frees what is not listed and keeps every binding", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  CHECK(node.add("c2", pod("p2")) == "10.244.3.3");
  CHECK(node.add("c3") == "10.244.3.4");
  node.write_address("10.244.3.9", "upstream\r\neth0");
  node.write_address("10.244.3.10", "legacy");
  node.write_address("10.244.3.11", "");
  const auto freed = node.gc({"c1", "legacy"});
  REQUIRE(freed);
  Texts out;
  for (const InUse& use : *freed) {
    out.push_back(use.address.to_string() + " " + use.container_id + " " + (use.pod ? use.pod->name : "-") +
                  " " + use.host_link);
  }
  CHECK(out == Texts{"10.244.3.3 c2 p2 vc2", "10.244.3.4 c3 - ", "10.244.3.9 upstream - "});
  CHECK(node.in_use() == Texts{"10.244.3.2 c1/eth0", "10.244.3.10 legacy/"});
  CHECK(node.read(node.network_folder() / "10.244.3.11") == "(none)");
  CHECK(node.add("d2", pod("p2", "another")) == "10.244.3.3");
}

/// A disk that loses the binding log.
class FailingDisk final : public ForgetfulFiles {
 public:
  explicit FailingDisk(Files& files) : ForgetfulFiles(files, Forgets::kBoth) {}
  Status sync_file(const std::filesystem::path& path) override {
    return path.extension() == ".bindings" ? fail_errno(EIO, "sync " + path.string()) : Status{};
  }
};

TEST_CASE("an address whose binding cannot be made durable is given back", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  FailingDisk failing(node.files);
  node.port = &failing;
  CHECK_THAT(node.add("c2", pod("p2")), Catch::Contains("cbr0.bindings"));
  CHECK(node.in_use() == std::vector<std::string>{"10.244.3.2 c1/eth0"});
  node.port = &node.unsynced;
  CHECK(node.add("c3", pod("p2")) == "10.244.3.3");
}

TEST_CASE("GC goes on after an error and tells the first", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  std::filesystem::create_directory(node.network_folder() / "10.244.3.1");
  std::filesystem::create_directory(node.network_folder() / "10.244.3.1/x");
  const auto freed = node.gc({});
  REQUIRE_FALSE(freed);
  CHECK(freed.error().message.find("10.244.3.1") != std::string::npos);
  CHECK(node.read(node.network_folder() / "10.244.3.2") == "(none)");
}

TEST_CASE("what one attachment and what all have in use", "[ipam]") {
  Node node({"10.244.3.0/24", "fd00:3::/64"});
  CHECK(node.ipam().addresses_of(attachment_of("c1"))->empty());
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  CHECK(node.add("c2") == "10.244.3.3");
  const auto one = node.ipam().addresses_of(attachment_of("c1"));
  REQUIRE(one);
  REQUIRE(one->size() == 2);
  CHECK(one->at(0).address == ip("10.244.3.2"));
  CHECK(one->at(1).address == ip("fd00:3::2"));
  CHECK(one->at(1).pod == pod("p1"));
  CHECK(one->at(1).host_link == "vc1");
  CHECK(node.ipam().addresses_of(attachment_of("c2"))->size() == 2);
  CHECK(node.ipam().all_in_use(kNetwork)->size() == 4);
}

TEST_CASE("usage tells the set with the fewest addresses left", "[ipam]") {
  Node node({"fd00:3::/64", "10.244.3.0/24"});
  CHECK(node.ipam().usage(kNetwork)->size == 253);
  CHECK(node.add("c1", pod("p1")) == "fd00:3::2");
  CHECK(node.add("c2", pod("p2")) == "fd00:3::3");
  REQUIRE(node.del("c2"));
  auto usage = node.ipam().usage(kNetwork);
  CHECK(usage->used == 1);
  CHECK(usage->bound == 1);
  node.reboot();
  usage = node.ipam().usage(kNetwork);
  CHECK(usage->used == 0);
  CHECK(usage->bound == 2);
  node.use_subnets({"fd00:3::/48"});
  CHECK(node.ipam().usage(kNetwork)->size >= std::numeric_limits<std::uint64_t>::max() - 1);
  node.use_subnets({"fd00:3::/64"});
  CHECK(node.ipam().usage(kNetwork)->size == std::numeric_limits<std::uint64_t>::max() - 1);
}

// ------------------------------------------------------------------------------------- damage

TEST_CASE("an empty or torn address file", "[ipam]") {
  const std::string torn = GENERATE(as<std::string>{}, "", "\r\n", std::string(70, '\0'), "c1\r\n\r\n/");
  Node node({"10.244.3.0/30"});
  SECTION("that nobody has is freed") {
    node.write_address("10.244.3.2", torn);
    CHECK(node.add("c2", pod("p2")) == "10.244.3.2");
    CHECK(node.notices ==
          Texts{"address file 10.244.3.2 was empty or torn and nobody has the address: removed"});
  }
  SECTION("of a living sandbox by the log is not given to another, and GC gives it back") {
    CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
    node.write_address("10.244.3.2", torn);
    CHECK(node.add("c2", pod("p2")).starts_with("no IP addresses"));
    REQUIRE(node.gc({"c1"}));
    CHECK(node.read(node.network_folder() / "10.244.3.2") == "c1\r\neth0");
  }
  SECTION("of a dead sandbox by the log is given to its pod") {
    CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
    node.write_address("10.244.3.2", torn);
    node.reboot();
    CHECK(node.add("d1", pod("p1")) == "10.244.3.2");
    CHECK(node.in_use() == Texts{"10.244.3.2 d1/eth0"});
  }
  SECTION("of a living sandbox by the runtime's cache is given back to it") {
    node.write_address("10.244.3.2", torn);
    node.machine.links = {"veth7"};
    CHECK(node.gc({}));  // the log begins here, so nothing is imported below
    node.write_address("10.244.3.2", torn);
    node.write(node.folder / "results/cbr0-u1-eth0",
               R"({"kind":"cniCacheV1","containerId":"u1","ifName":"eth0","networkName":"cbr0","result":{
                   "ips":[{"address":"10.244.3.2/30"}],
                   "interfaces":[{"name":"cni0"},{"name":"veth7"},{"name":"eth0","sandbox":"/n"}]}})");
    CHECK(node.add("c2", pod("p2")).starts_with("no IP addresses"));
    CHECK(node.in_use() == Texts{"10.244.3.2 u1/eth0"});
  }
}

TEST_CASE("an address file that can be neither read nor removed costs its own address alone", "[ipam]") {
  Node node({"10.244.3.0/29"});
  // What a worn disk leaves: read(2) and unlink(2) of it fail.
  std::filesystem::create_directories(node.network_folder() / "10.244.3.2/x");
  CHECK(node.add("c1", pod("p1")) == "10.244.3.3");
  REQUIRE(node.notices.size() == 1);
  CHECK_THAT(node.notices.front(),
             Catch::Contains("address 10.244.3.2 is not given away: ") && Catch::Contains("cbr0/10.244.3.2"));
  for (const char* more : {"4", "5", "6"}) {
    CHECK(node.add(std::string("c") + more, pod(std::string("p") + more)) == std::string("10.244.3.") + more);
  }
  CHECK(node.add("c7", pod("p7")).starts_with("no IP addresses"));
  CHECK(node.ipam().all_in_use(kNetwork)->size() == 4);
  CHECK(node.ipam().addresses_of(attachment_of("c1"))->size() == 1);
  REQUIRE(node.del("c1"));
  CHECK(node.add("c8", pod("p1")) == "10.244.3.3");
}

TEST_CASE("a pod whose own address file cannot be read starts with another address", "[ipam]") {
  Node node({"10.244.3.0/29"});
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  std::filesystem::remove(node.network_folder() / "10.244.3.2");
  std::filesystem::create_directories(node.network_folder() / "10.244.3.2/x");
  node.reboot();
  CHECK(node.add("d1", pod("p1")) == "10.244.3.3");
}

TEST_CASE("a binding log that is damaged gives what it still has", "[ipam]") {
  Node node;
  CHECK(node.add("c1", pod("p1")) == "10.244.3.2");
  CHECK(node.add("c2", pod("p2")) == "10.244.3.3");
  const std::string good = node.read(node.log_path());
  std::string bad = good;
  SECTION("a torn end is cut off") {
    bad += "12345678 3 present def";
    node.write(node.log_path(), bad);
    CHECK(node.add("c3", pod("p3")) == "10.244.3.4");
    CHECK(node.notices == Texts{node.log_path().native() + " had a torn end of 22 bytes: cut off"});
    CHECK(node.read(node.log_path()).starts_with(good));
  }
  SECTION("NUL bytes at the end are cut off") {
    bad += std::string(300, '\0');
    node.write(node.log_path(), bad);
    REQUIRE(node.del("c1"));
    CHECK(node.read(node.log_path()).starts_with(good));
  }
  SECTION("a damaged line is passed over, and a copy kept") {
    bad[bad.find("p1")] = 'q';
    node.write(node.log_path(), bad);
    CHECK(node.add("c3", pod("p3")) == "10.244.3.4");
    CHECK(node.read(node.log_path().native() + ".damaged") == bad);
    CHECK(node.notices.size() == 1);
    CHECK(node.read(node.log_path()).find("q1") == std::string::npos);
    node.reboot();
    CHECK(node.add("d2", pod("p2")) == "10.244.3.3");
  }
  SECTION("a damaged header costs nothing") {
    bad[0] = bad[0] == '0' ? '1' : '0';
    node.write(node.log_path(), bad);
    node.reboot();
    CHECK(node.add("d2", pod("p2")) == "10.244.3.3");
    CHECK(node.read(node.log_path().native() + ".damaged") == bad);
  }
  SECTION("a file of another kind is set aside") {
    node.write(node.log_path(), "{\"v\":7}\n");
    CHECK(node.add("c3", pod("p3")) == "10.244.3.4");
    CHECK(node.read(node.log_path().native() + ".damaged") == "{\"v\":7}\n");
    CHECK(node.notices.size() == 1);
  }
  SECTION("where no copy can be made, pods go on") {
    REQUIRE(node.files.make_folders(node.log_path().native() + ".damaged/folder", 0700));
    SECTION("of a damaged line") { bad[bad.find("p1")] = 'q'; }
    SECTION("of a file of another kind") { bad = "{\"v\":7}\n"; }
    node.write(node.log_path(), bad);
    REQUIRE(node.del("c1"));
    Texts told = node.notices;
    CHECK(node.add("c3", pod("p3")) == "10.244.3.4");
    told.insert(told.end(), node.notices.begin(), node.notices.end());
    REQUIRE(told.size() == 1);  // by whichever writes first
    CHECK_THAT(told.front(), Catch::Contains("kept ("));
  }
  SECTION("questions change nothing") {
    bad += "torn";
    node.write(node.log_path(), bad);
    CHECK(node.ipam().usage(kNetwork)->used == 2);
    CHECK(node.in_use().size() == 2);
    CHECK(node.read(node.log_path()) == bad);
  }
}

TEST_CASE("the log stays short however often pods come and go", "[ipam]") {
  Node node;
  for (int i = 0; i < 300; ++i) {
    REQUIRE(node.add("c" + std::to_string(i), pod("p")) == "10.244.3.2");
    if (i % 2 == 0) {
      REQUIRE(node.del("c" + std::to_string(i)));
    }
  }
  const std::string log = node.read(node.log_path());
  CHECK(std::ranges::count(log, '\n') < 80);
  node.reboot();
  CHECK(node.add("d", pod("p")) == "10.244.3.2");
}

TEST_CASE("claims of an earlier boot are removed, claims of this boot by DEL and GC", "[ipam]") {
  Node node;
  CHECK(node.add("c1") == "10.244.3.2");
  node.write_address(".claim-0-1", "gone\r\neth0");
  CHECK(node.add("c2") == "10.244.3.3");
  CHECK(node.read(node.network_folder() / ".claim-0-1") == "(none)");
}

TEST_CASE("no pool, no address", "[ipam]") {
  Node node(std::vector<std::string>{});
  const auto none = node.try_add(request_of("c1", pod("p1")));
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::kInvalidArgument);
  CHECK_FALSE(std::filesystem::exists(node.network_folder()));
}

}  // namespace
}  // namespace holdfast::flannel::test
