#include "cni-flannel/ipam/address_files.h"

#include "test/catch.h"
#include "test/cni-flannel/ipam/ipam_node.h"

namespace holdfast::flannel::test {
namespace {

TEST_CASE("what an address file says", "[ipam]") {
  struct Case {
    const char* name;
    std::string content;
    std::optional<FileOwner> owner;
  };
  const Case cases[] = {
      {"host-local's", "0a1b\r\neth0", FileOwner{"0a1b", "eth0"}},
      {"with white space around it", " 0a1b\r\neth0\n", FileOwner{"0a1b", "eth0"}},
      {"legacy: the id alone", "0a1b\n", FileOwner{"0a1b", ""}},
      {"ids with other characters", "ns_a.b-c\r\nnet1", FileOwner{"ns_a.b-c", "net1"}},
      {"empty", "", std::nullopt},
      {"white space", "\r\n", std::nullopt},
      {"NUL bytes", std::string(20, '\0'), std::nullopt},
      {"NUL bytes at the end", std::string("0a1b\r\neth0\0\0", 12), std::nullopt},
      {"an interface name that is none", "0a1b\r\na/b", std::nullopt},
      {"an interface name that is too long", "0a1b\r\n0123456789abcdef", std::nullopt},
      {"more than an id", "0a1b 0a1c", std::nullopt},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      CHECK(parse_owner(c.content) == c.owner);
      if (c.owner) {
        CHECK(parse_owner(format_owner(*c.owner)) == c.owner);
      }
    }
  }
}

TEST_CASE("a legacy owner is of any interface, another only of its own", "[ipam]") {
  CHECK(FileOwner{"a", ""}.is("a", "eth0"));
  CHECK(FileOwner{"a", "eth0"}.is("a", "eth0"));
  CHECK_FALSE(FileOwner{"a", "eth0"}.is("a", "net1"));
  CHECK_FALSE(FileOwner{"a", ""}.is("b", "eth0"));
}

TEST_CASE("only names in an address's shortest form are leases", "[ipam]") {
  Node node;
  for (const char* name : {"10.0.0.10", "10.0.0.9", "fd00::1", "FD00::2", "10.0.0.011", "lock",
                           "last_reserved_ip.0", ".claim-1-2", "10.0.0.3_ns_pod", "notes"}) {
    node.write_address(name, "x");
  }
  AddressFiles files(node.files, node.network_folder());
  const auto listing = files.list();
  REQUIRE(listing);
  CHECK(listing->in_use == std::vector{ip("10.0.0.9"), ip("10.0.0.10"), ip("fd00::1")});
  CHECK(listing->claims == std::vector<std::string>{".claim-1-2"});
  CHECK(listing->other.size() == 4);
}

TEST_CASE("a claim takes an address that is free, once", "[ipam]") {
  Node node;
  AddressFiles files(node.files, node.network_folder());
  const FileOwner owner{"c1", "eth0"};
  const auto claim = files.make_claim(owner, "boot");
  REQUIRE(claim);
  CHECK(AddressFiles::is_claim_of(*claim, "boot"));
  CHECK_FALSE(AddressFiles::is_claim_of(*claim, "other boot"));
  CHECK(files.claim_owner(*claim).value() == owner);
  SECTION("also when something removed the claim meanwhile") { REQUIRE(files.drop_claim(*claim)); }
  REQUIRE(files.take(ip("10.0.0.2"), *claim, owner));
  CHECK(files.content(ip("10.0.0.2")).value() == "c1\r\neth0");
  const Status again = files.take(ip("10.0.0.2"), files.make_claim({"c2", "eth0"}, "boot").value(), owner);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Code::kAlreadyExists);
}

TEST_CASE("a last reserved address that cannot be read is none", "[ipam]") {
  Node node;
  AddressFiles files(node.files, node.network_folder());
  CHECK_FALSE(files.last_reserved(0));
  node.write_address("last_reserved_ip.0", "");
  CHECK_FALSE(files.last_reserved(0));
  node.write_address("last_reserved_ip.0", std::string(5000, '1'));
  CHECK_FALSE(files.last_reserved(0));
  REQUIRE(files.set_last_reserved(0, ip("10.0.0.2")));
  CHECK(files.last_reserved(0) == ip("10.0.0.2"));
}

}  // namespace
}  // namespace holdfast::flannel::test
