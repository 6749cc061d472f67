#include "cni-flannel/controller/cidr_holders.h"

#include <string>

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

TEST_CASE("what one node has is nobody else's, also where its ranges are within each other", "[cidr]") {
  CidrHolders holders;
  // in any order: the larger one counts
  for (const char* own : {"10.244.1.0/24", "10.244.0.0/16", "10.244.200.0/24"}) {
    CHECK(holders.add(cidr(own), "a"));
  }
  for (const char* part : {"10.244.0.0/24", "10.244.2.0/24", "10.244.255.0/24", "10.0.0.0/8"}) {
    INFO(part);
    CHECK_FALSE(holders.add(cidr(part), "b"));
    REQUIRE(holders.other(cidr(part), "b") != nullptr);
    CHECK(holders.other(cidr(part), "b")->node == "a");
    CHECK(holders.other(cidr(part), "a") == nullptr);
  }
  CHECK(holders.all().size() == 1);
  CHECK(holders.add(cidr("10.245.0.0/24"), "b"));
}

TEST_CASE("a range with parts of several nodes is each other one's", "[cidr]") {
  CidrHolders holders;
  CHECK(holders.add(cidr("10.244.1.0/24"), "a"));
  CHECK(holders.add(cidr("10.244.3.0/24"), "b"));
  CHECK_FALSE(holders.add(cidr("10.244.0.0/16"), "a"));
  CHECK(holders.other(cidr("10.244.0.0/16"), "b")->node == "a");
  CHECK(holders.other(cidr("10.244.2.0/24"), "c") == nullptr);
}

}  // namespace
}  // namespace holdfast::flannel
