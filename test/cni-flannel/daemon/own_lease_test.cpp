#include "cni-flannel/daemon/own_lease.h"

#include "cni-flannel/daemon/vtep_mac.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using test::cidr;
using test::ip;
using test::mac;

NetConf conf() { return parse_net_conf(R"({"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}})").value(); }

NetConf dual() {
  return parse_net_conf(
             R"({"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","Backend":{"Type":"vxlan","VNI":7}})")
      .value();
}

NodeNetwork told() {
  NodeNetwork out;
  out.node = "edge-1";
  out.pod_cidrs = {cidr("10.244.1.0/24")};
  return out;
}

Underlay underlay() {
  Underlay out;
  out.public_ip = ip("192.168.0.1");
  out.public_ipv6 = ip("2001:db8::1");
  return out;
}

TEST_CASE("A new node takes its pod CIDR from the source, and derives its MAC", "[flanneld]") {
  const NodeNetwork source = told();
  const Underlay under = underlay();
  const NodeNetwork lease = own_lease(conf(), {"edge-1", nullptr, &source, {}, {}, &under});
  CHECK(lease.pod_cidrs == std::vector<Cidr>{cidr("10.244.1.0/24")});
  CHECK(lease.backend_data == BackendData{1, derived_vtep_mac("edge-1", IpFamily::kV4)});
  CHECK_FALSE(lease.backend_v6_data.has_value());
  CHECK(lease.public_ip == ip("192.168.0.1"));
  CHECK(lease.backend_type == "vxlan");
  CHECK(lease.managed);
  CHECK(lease.lease_epoch == 1);
  // and again: nothing is new
  CHECK(own_lease(conf(), {"edge-1", &lease, &source, {}, {}, &under}) == lease);
  // also with no source and no interface
  CHECK(own_lease(conf(), {"edge-1", &lease, nullptr, {}, {}, nullptr}) == lease);
}

TEST_CASE("Where the MAC comes from: stored, published, the device", "[flanneld]") {
  NodeNetwork source = told();
  source.backend_data = BackendData{1, mac("02:00:00:00:00:02")};
  NodeNetwork stored = told();
  stored.backend_data = BackendData{1, mac("02:00:00:00:00:01")};
  const auto device = mac("02:00:00:00:00:03");
  const auto mac_of = [&](const NodeNetwork* a, const NodeNetwork* b) {
    return own_lease(conf(), {"edge-1", a, b, device, {}, nullptr}).backend_data->vtep_mac;
  };
  CHECK(mac_of(&stored, &source) == mac("02:00:00:00:00:01"));
  CHECK(mac_of(nullptr, &source) == mac("02:00:00:00:00:02"));
  source.backend_data.reset();
  CHECK(mac_of(nullptr, &source) == device);
  // another node has it, whoever tells it
  CHECK(own_lease(conf(), {"edge-1", &stored, &source, device, {}, nullptr, true}).backend_data->vtep_mac ==
        derived_vtep_mac("edge-1", IpFamily::kV4));
}

TEST_CASE("Another pod CIDR is a new epoch, and none told takes none away", "[flanneld]") {
  NodeNetwork stored = told();
  stored.lease_epoch = 4;
  NodeNetwork source = told();
  source.pod_cidrs = {cidr("10.244.9.0/24")};
  NodeNetwork lease = own_lease(conf(), {"edge-1", &stored, &source, {}, {}, nullptr});
  CHECK(lease.pod_cidrs == source.pod_cidrs);
  CHECK(lease.lease_epoch == 5);
  source.pod_cidrs.clear();
  source.lease_epoch = 9;
  lease = own_lease(conf(), {"edge-1", &stored, &source, {}, {}, nullptr});
  CHECK(lease.pod_cidrs == stored.pod_cidrs);
  CHECK(lease.lease_epoch == 9);
}

TEST_CASE("A pod CIDR that cannot be used takes the stored lease from nobody", "[flanneld]") {
  NodeNetwork stored = told();
  stored.backend_data = BackendData{1, mac("02:00:00:00:00:01")};
  stored.public_ip = ip("203.0.113.5");
  NodeNetwork source = told();
  source.public_ip_overwrite = ip("203.0.113.5");
  const Underlay under = underlay();
  const LeaseParts parts{"edge-1", &stored, &source, {}, {}, &under};
  CHECK(usable_lease(conf(), parts).fault.empty());
  source.pod_cidrs = {cidr("10.9.2.0/24")};  // a slip of somebody's finger in the cloud
  const UsableLease kept = usable_lease(conf(), parts);
  REQUIRE(kept.lease.has_value());
  CHECK(kept.lease->pod_cidrs == stored.pod_cidrs);
  CHECK(kept.lease->lease_epoch == stored.lease_epoch);
  CHECK(kept.lease->public_ip == ip("203.0.113.5"));
  CHECK_THAT(kept.fault,
             Catch::StartsWith("the pod CIDR 10.9.2.0/24 of node edge-1 is not in the cluster's") &&
                 Catch::EndsWith("; the lease that is stored stays in use"));
  SECTION("nobody has one when nothing is stored") {
    const UsableLease none = usable_lease(conf(), {"edge-1", nullptr, &source, {}, {}, &under});
    CHECK_FALSE(none.lease.has_value());
    CHECK_FALSE(none.fault.empty());
  }
  SECTION("nor when what is stored is of another network") {
    stored.pod_cidrs = {cidr("10.8.2.0/24")};
    CHECK_FALSE(usable_lease(conf(), parts).lease.has_value());
  }
}

TEST_CASE("A family that is told no pod CIDR any more keeps the stored one", "[flanneld]") {
  NodeNetwork stored = told();
  stored.pod_cidrs.push_back(cidr("fd00:0:0:1::/64"));
  const NodeNetwork source = told();
  const Underlay under = underlay();
  const UsableLease kept = usable_lease(dual(), {"edge-1", &stored, &source, {}, {}, &under});
  REQUIRE(kept.lease.has_value());
  CHECK(kept.lease->pod_cidrs == stored.pod_cidrs);
  CHECK_FALSE(kept.fault.empty());
}

TEST_CASE("The operator's overwrite is published before the interface's address", "[flanneld]") {
  NodeNetwork source = told();
  source.pod_cidrs.push_back(cidr("fd00:0:0:1::/64"));
  source.public_ip_overwrite = ip("203.0.113.5");
  const Underlay under = underlay();
  const NodeNetwork lease = own_lease(dual(), {"edge-1", nullptr, &source, {}, {}, &under});
  CHECK(lease.public_ip == ip("203.0.113.5"));
  CHECK(lease.public_ipv6 == ip("2001:db8::1"));
  CHECK(lease.backend_data->vni == 7);
  CHECK(lease.backend_v6_data->vtep_mac == derived_vtep_mac("edge-1", IpFamily::kV6));
}

TEST_CASE("Where peers are told to send is held against where the node receives", "[flanneld]") {
  NodeNetwork own = told();
  own.public_ip = ip("192.168.0.1");
  own.public_ipv6 = ip("2001:db8::1");  // of a family without pod CIDR: it does not count
  NodeNetwork source = own;
  source.public_ipv6.reset();
  CHECK(address_fault(source, own).empty());
  source.public_ip = ip("192.168.0.99");
  CHECK(address_fault(source, own) ==
        "peers send to 192.168.0.99, and this node receives at 192.168.0.1: correct what is told of node "
        "edge-1 "
        "(its document), or tell --public-ip where another address leads here");
  source.public_ip.reset();
  CHECK_THAT(address_fault(source, own),
             Catch::StartsWith("peers are told no address, and this node receives"));
  own.public_ip.reset();  // not known yet
  CHECK(address_fault(source, own).empty());
}

}  // namespace
}  // namespace holdfast::flannel
