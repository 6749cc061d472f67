#include "cni-flannel/daemon/pod_addresses.h"

#include "cni-flannel/ipam/range_set.h"
#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel {
namespace {

using Usage = std::vector<std::uint64_t>;

/// A node with one pool of each family, whose pods come and go by the plugin's own address manager.
struct Pods : test::Node {
  Pods() : Node({"10.244.3.0/24", "fd00:0:0:3::/64"}) {
    machine.boot = "0b1ce5a2-63f5-4a5e-9a3c-0d5d0c3f7b11";
    write(folder / "boot_id", machine.boot + "\n");
  }
  PodAddresses addresses{
      files, {.data_dir = config.data_dir, .state_dir = config.state_dir, .boot_id = folder / "boot_id"}};
  PodLease lease{.networks = {Cidr::parse("10.244.0.0/16").value(), Cidr::parse("fd00::/48").value()},
                 .pod_cidrs = {Cidr::parse("10.244.3.0/24").value(), Cidr::parse("fd00:0:0:3::/64").value()}};
  Metrics metrics;
  DaemonMetrics shown{metrics};

  [[nodiscard]] std::string page() {
    show_pod_addresses(
        addresses, lease, [this](const std::string& name) { return machine.links.contains(name); }, shown);
    return metrics.render();
  }
  /// "used free bound" of IPv4.
  [[nodiscard]] Usage v4() {
    const auto kept = addresses.read();
    REQUIRE(kept.has_value());
    const PoolUsage pool = kept->usage(lease.pod_cidrs).front();
    return {pool.used, pool.size - pool.used - pool.bound, pool.bound};
  }
};

TEST_CASE_METHOD(Pods, "addresses are in use, bound to a pod that is away, or free", "[flanneld]") {
  CHECK(v4() == Usage{0, 253, 0});
  add("one", test::pod("a"));
  add("two", test::pod("b"));
  add("plain");
  CHECK(v4() == Usage{3, 250, 0});
  REQUIRE(del("one").has_value());
  CHECK(v4() == Usage{2, 250, 1});
  CHECK_THAT(page(), Catch::Contains("flanneld_pod_addresses_used{family=\"ipv4\"} 2\n") &&
                         Catch::Contains("flanneld_pod_addresses_bound{family=\"ipv4\"} 1\n") &&
                         Catch::Contains("flanneld_pod_addresses_free{family=\"ipv4\"} 250\n") &&
                         Catch::Contains("flanneld_pod_addresses_used{family=\"ipv6\"} 2\n"));
  SECTION("as the address manager itself says") {
    const PoolUsage told = ipam().usage(test::kNetwork).value();
    CHECK(v4() == Usage{told.used, told.size - told.used - told.bound, told.bound});
  }
  SECTION("after a reboot nobody has what is bound") {
    write(folder / "boot_id", "11111111-63f5-4a5e-9a3c-0d5d0c3f7b11\n");
    CHECK(v4() == Usage{1, 250, 2});  // of the plain one nothing tells its boot
  }
  SECTION("while an ADD holds the lock") {
    const auto held = files.lock(network_folder() / "lock", {});
    REQUIRE(held.has_value());
    CHECK(v4() == Usage{2, 250, 1});
  }
  SECTION("other networks count as far as their addresses are of this node's range") {
    write(config.data_dir / "other" / "10.244.3.77", "x\r\neth0");
    write(config.data_dir / "other" / "172.16.0.2", "y\r\neth0");
    write(config.data_dir / "a file", "");
    CHECK(v4() == Usage{3, 249, 1});
  }
}

TEST_CASE_METHOD(Pods, "what cannot be known is not told as a number of addresses", "[flanneld]") {
  add("one", test::pod("a"));
  const auto used_is_unknown = [&] {
    return page().find("flanneld_pod_addresses_used{family=\"ipv4\"} -1\n") != std::string::npos;
  };
  CHECK_FALSE(used_is_unknown());
  SECTION("without a lease") { lease.pod_cidrs.clear(); }
  SECTION("when there is more to read than is reasonable") {
    write(log_path(), std::string(PodAddresses::kMaxLogBytes + 1, 'x'));
  }
  SECTION("when there are more networks than is reasonable") {
    for (std::size_t i = 0; i < PodAddresses::kMaxNetworks; ++i) {
      write(config.data_dir / ("net" + std::to_string(i)) / "lock", "");
    }
  }
  SECTION("when the boot is not known") { write(folder / "boot_id", "none"); }
  CHECK(used_is_unknown());
  CHECK_THAT(page(), Catch::Contains("flanneld_pod_addresses_free{family=\"ipv4\"} -1\n") &&
                         Catch::Contains("flanneld_pods_outside_lease -1\n"));
}

TEST_CASE_METHOD(Pods, "pods that are here with addresses of an earlier pod CIDR are counted", "[flanneld]") {
  const auto outside = [&](int count) {
    return Catch::Contains("flanneld_pods_outside_lease " + std::to_string(count) + "\n");
  };
  add("one", test::pod("a"));
  add("two", test::pod("b"));
  add("three", test::pod("c"));
  CHECK_THAT(page(), outside(0));
  lease.pod_cidrs = {Cidr::parse("10.244.4.0/24").value(), Cidr::parse("fd00:0:0:3::/64").value()};
  use_subnets({"10.244.4.0/24", "fd00:0:0:3::/64"});
  add("four", test::pod("d"));
  CHECK_THAT(page(), outside(3));
  REQUIRE(del("one").has_value());
  machine.links.erase(test::link_of("two"));  // its sandbox is gone, and nobody has called DEL
  CHECK_THAT(page(), outside(1));
  SECTION("networks of others are not the pod network") {
    lease.networks = {Cidr::parse("10.200.0.0/16").value()};
    CHECK_THAT(page(), outside(0));
  }
  SECTION("a pod of which only one address is of the lease is one") {
    lease.pod_cidrs = {Cidr::parse("10.244.3.0/24").value(), Cidr::parse("fd00:0:0:9::/64").value()};
    CHECK_THAT(page(), outside(2));
  }
}

TEST_CASE("a subnet is handed out but for its base, gateway and broadcast address", "[ipam]") {
  struct Case {
    const char* subnet;
    const char* first;  // nullptr: too small
    const char* last;
  };
  const Case cases[] = {{"10.244.3.0/24", "10.244.3.1", "10.244.3.254"},
                        {"10.244.3.9/24", "10.244.3.1", "10.244.3.254"},
                        {"10.244.3.4/30", "10.244.3.5", "10.244.3.6"},
                        {"10.244.3.4/31", nullptr, nullptr},
                        {"10.244.3.4/32", nullptr, nullptr},
                        {"fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff"},
                        {"fd00::/126", "fd00::1", "fd00::3"},
                        {"fd00::/127", nullptr, nullptr}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.subnet) {
      const auto range = whole_range(Cidr::parse(c.subnet).value());
      REQUIRE(range.has_value() == (c.first != nullptr));
      if (!range) continue;
      CHECK(range->first.to_string() == c.first);
      CHECK(range->gateway == range->first);
      CHECK(range->last.to_string() == c.last);
    }
  }
}

}  // namespace
}  // namespace holdfast::flannel
