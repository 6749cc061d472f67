// Debian's plugins as delegates and as ipam plugins of ours.
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/cni-flannel/plugin/upstream_flannel.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

struct Pair {
  const char* name;
  json delegate;
  json ipam;
  const char* address;  ///< of the first pod
  const char* gateway;  ///< an address of the node that the pod reaches; nullptr where there is none
  bool of_range;        ///< the next pod gets another address
};

const json kStatic = {{"type", "static"},
                      {"addresses", {{{"address", "10.10.0.7/24"}, {"gateway", "10.10.0.1"}}}}};

const Pair kPairs[] = {
    {"ptp, host-local", {{"type", "ptp"}}, {{"type", "host-local"}}, "10.244.3.2/24", "10.244.3.1", true},
    {"macvlan, host-local",
     {{"type", "macvlan"}, {"master", "uplink0"}},
     {{"type", "host-local"}},
     "10.244.3.2/24",
     nullptr,
     true},
    {"macvlan, static",
     {{"type", "macvlan"}, {"master", "uplink0"}},
     kStatic,
     "10.10.0.7/24",
     nullptr,
     false},
    {"ptp, static", {{"type", "ptp"}}, kStatic, "10.10.0.7/24", "10.10.0.1", false},
    {"our bridge, static", {{"type", "bridge"}}, kStatic, "10.10.0.7/24", "10.10.0.1", false},
};

/// A node where our plugin finds Debian's. They are of CNI 1.0.0: a network that uses them has that version.
class DebianHost : public PluginHost {
 public:
  DebianHost() {
    set_cni_path("/usr/lib/cni");
    conf["cniVersion"] = "1.0.0";
    plug_in();
  }
  /// The node's way out: what macvlan sits on.
  static void plug_in() {
    output_of("ip link add uplink0 up type veth peer name uplink1 && ip link set uplink1 up");
  }
  void use(const Pair& pair) {
    conf["delegate"] = pair.delegate;
    conf["ipam"] = pair.ipam;
  }
};

TEST_CASE_METHOD(DebianHost, "Debian's plugins behind ours: addresses, CHECK, DEL, and nothing stays",
                 "[debian]") {
  for (const Pair& pair : kPairs) {
    DYNAMIC_SECTION(pair.name) {
      use(pair);
      const Holdings before = holdings();
      const Sandbox pod = start_sandbox("c1");
      const json result = add(pod);
      CHECK(addresses_of(result) == Texts{pair.address});
      CHECK(addresses_in(pod) == Texts{pair.address});
      CHECK(mac_in(pod) == pod_interface_of(result).at("mac"));
      CHECK(ip_in(pod, "route show 10.244.0.0/16").size() == 1);
      if (pair.gateway != nullptr) CHECK(can_ping(pod, pair.gateway));
      CHECK(holdings().confs == std::set<std::string>{"c1"});

      succeed(check_call(pod, with_gateways(result)));
      output_of(std::string("ip -n c1 address delete ") + pair.address + " dev eth0");
      const json error = refused(check_call(pod, with_gateways(result)));
      CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains("10.") && Catch::Contains("eth0"));

      succeed(call("DEL", pod));
      CHECK(holdings() == before);
      CHECK(rules().empty());
      succeed(call("DEL", pod));
    }
  }
}

TEST_CASE_METHOD(DebianHost, "each pod behind Debian's plugins has an address of its own", "[debian]") {
  for (const Pair& pair : kPairs) {
    if (!pair.of_range) continue;
    DYNAMIC_SECTION(pair.name) {
      use(pair);
      const Sandbox one = start_sandbox("c1", "one");
      const Sandbox two = start_sandbox("c2", "two");
      add(one);
      CHECK(addresses_of(add(two)) == Texts{"10.244.3.3/24"});
      CHECK(can_ping(one, "10.244.3.3"));
      CHECK(can_ping(two, "10.244.3.2"));
    }
  }
}

TEST_CASE_METHOD(DebianHost, "GC has Debian's plugins delete what is no longer valid, and leaves the rest",
                 "[debian]") {
  for (const Pair& pair : kPairs) {
    DYNAMIC_SECTION(pair.name) {
      use(pair);
      const Sandbox goes = start_sandbox("c1", "goes");
      add(goes);
      drop_sandbox(goes);
      const Sandbox stays = start_sandbox("c2", "stays");
      json result;
      if (pair.of_range) result = add(stays);
      conf["cniVersion"] = "1.1.0";  // GC's
      succeed(gc_call({stays}));
      conf["cniVersion"] = "1.0.0";
      if (!pair.of_range) result = add(stays);
      CHECK(holdings().confs == std::set<std::string>{"c2"});
      for (const auto& [address, container] : holdings().addresses) CHECK(container == "c2");
      succeed(check_call(stays, with_gateways(result)));
    }
  }
}

TEST_CASE_METHOD(DebianHost, "after a reboot Debian's plugins free what the old containers had", "[debian]") {
  for (const Pair& pair : kPairs) {
    DYNAMIC_SECTION(pair.name) {
      use(pair);
      const Sandbox pod = start_sandbox("c1");
      add(pod);
      reboot();
      plug_in();
      const Holdings links = holdings();
      PluginCall late = call("DEL", pod);
      SECTION("without the namespace") { late.netns.clear(); }
      SECTION("with a namespace that is gone") {}
      succeed(late);
      CHECK(holdings().addresses.empty());
      CHECK(holdings().confs.empty());
      CHECK(holdings().host_links == links.host_links);
    }
  }
}

TEST_CASE_METHOD(DebianHost, "a version that Debian's plugins do not speak is refused in their words",
                 "[debian]") {
  conf["cniVersion"] = "1.1.0";
  for (const Pair& pair : kPairs) {
    DYNAMIC_SECTION(pair.name) {
      use(pair);
      const Holdings before = holdings();
      const Sandbox pod = start_sandbox("c1");
      CHECK_THAT(refused(call("ADD", pod)).at("msg").get<std::string>(),
                 Catch::Contains("incompatible CNI versions"));
      CHECK(holdings() == before);
      succeed(call("DEL", pod));
    }
  }
}

}  // namespace
}  // namespace holdfast::test
