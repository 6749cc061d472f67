#include "common/netlink/address.h"

#include <cerrno>

#include "common/netlink/link.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl {
namespace {

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

struct AddressKernel : test::RouteKernel {
  AddressKernel() {
    VethSpec spec;
    spec.name = "veth0";
    spec.peer_name = "veth1";
    link = create_veth(socket, spec)->index;
    peer = find_link(socket, "veth1").value()->index;
  }
  std::vector<Address> addresses(IpFamily family) { return list_addresses(socket, link, family).value(); }
  int link = 0;
  int peer = 0;
};

TEST_CASE_METHOD(AddressKernel, "An address is put with its prefix, scope and broadcast", "[netlink]") {
  AddressOptions options;
  options.scope = Scope::kLink;
  options.broadcast = IpAddress::parse("10.244.3.255").value();
  REQUIRE(socket.run(put_address(link, cidr("10.244.3.7/24"), options)).has_value());
  const auto all = addresses(IpFamily::kV4);
  REQUIRE(all.size() == 1);
  CHECK(all[0].ifindex == link);
  CHECK(all[0].cidr == cidr("10.244.3.7/24"));
  CHECK(all[0].scope == Scope::kLink);
  CHECK(all[0].broadcast == options.broadcast);
  CHECK(all[0].permanent);
  CHECK(test::output_of("ip -4 -o addr show veth0").find("10.244.3.7/24 brd 10.244.3.255 scope link") !=
        std::string::npos);
}

TEST_CASE_METHOD(AddressKernel, "An IPv6 address without DAD is usable at once", "[netlink]") {
  LinkChange up;
  up.up = true;
  REQUIRE(socket.run(change_link(peer, up)).has_value());
  AddressOptions options;
  options.no_dad = true;
  REQUIRE(socket.run(put_address(link, cidr("fd00:3::7/64"), options)).has_value());
  REQUIRE(socket.run(put_address(link, cidr("fd00:3::8/64"))).has_value());
  int seen = 0;
  for (const Address& address : addresses(IpFamily::kV6)) {
    if (address.cidr == cidr("fd00:3::7/64")) {
      ++seen;
      CHECK(address.no_dad);
      CHECK_FALSE(address.tentative);
    }
    if (address.cidr == cidr("fd00:3::8/64")) {
      ++seen;
      CHECK_FALSE(address.no_dad);
      CHECK(address.tentative);
    }
  }
  CHECK(seen == 2);
}

TEST_CASE_METHOD(AddressKernel, "No prefix route is made when none is wanted", "[netlink]") {
  AddressOptions options;
  options.no_prefix_route = true;
  REQUIRE(socket.run(put_address(link, cidr("10.244.3.7/24"), options)).has_value());
  CHECK(test::output_of("ip -4 route show").empty());
  REQUIRE(socket.run(put_address(link, cidr("10.244.4.7/24"))).has_value());
  CHECK(test::output_of("ip -4 route show").find("10.244.4.0/24") != std::string::npos);
}

TEST_CASE_METHOD(AddressKernel, "Putting an address twice and dropping it twice succeed", "[netlink]") {
  for (const char* text : {"10.244.3.7/24", "fd00:3::7/64"}) {
    DYNAMIC_SECTION(text) {
      const Cidr address = cidr(text);
      CHECK(socket.run(put_address(link, address)).has_value());
      CHECK(socket.run(put_address(link, address)).has_value());
      const auto has = [&] {
        const auto all = addresses(address.family());
        return std::count_if(all.begin(), all.end(), [&](const Address& a) { return a.cidr == address; });
      };
      CHECK(has() == 1);
      CHECK(socket.run(drop_address(link, address)).has_value());
      CHECK(has() == 0);
      CHECK(socket.run(drop_address(link, address)).has_value());
      CHECK(socket.run(drop_address(4711, address)).has_value());
    }
  }
}

TEST_CASE_METHOD(AddressKernel, "Dropping takes the whole prefix into account", "[netlink]") {
  REQUIRE(socket.run(put_address(link, cidr("10.244.3.7/24"))).has_value());
  CHECK(socket.run(drop_address(link, cidr("10.244.3.7/16"))).has_value());
  CHECK(addresses(IpFamily::kV4).size() == 1);
}

TEST_CASE_METHOD(AddressKernel, "A list shows all links or one, both families or one", "[netlink]") {
  REQUIRE(socket.run(put_address(link, cidr("10.1.0.1/24"))).has_value());
  REQUIRE(socket.run(put_address(peer, cidr("10.2.0.1/24"))).has_value());
  REQUIRE(socket.run(put_address(peer, cidr("fd00:2::1/64"))).has_value());
  CHECK(list_addresses(socket, 0, IpFamily::kV4)->size() == 2);
  CHECK(list_addresses(socket, peer, IpFamily::kV4)->size() == 1);
  CHECK(list_addresses(socket, peer)->size() >= 2);
  CHECK(list_addresses(socket, 4711)->empty());
}

TEST_CASE_METHOD(AddressKernel, "An address for a link that is not there names both", "[netlink]") {
  const Status done = socket.run(put_address(4711, cidr("10.1.0.1/24")));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().sys_errno == ENODEV);
  CHECK(done.error().message.find("put address 10.1.0.1/24 on link 4711") == 0);
}

}  // namespace
}  // namespace holdfast::nl
