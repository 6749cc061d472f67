#include "cni-flannel/plugin/masquerade.h"

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

RuleOwner owner(const char* container, const char* ifname = "eth0", const char* network = "unit-test") {
  return {network, container, ifname};
}

TEST_CASE("The comment on a rule is upstream's", "[plugin]") {
  CHECK(masquerade_comment(owner("one")) ==
        "6fd94d501e58f0aa-287fc69eff0574a2, net: unit-test, if: eth0, id: one");
  CHECK(masquerade_comment(owner("three", "net1", "alternate")) ==
        "82783ef24bdc7036-acb19d111858e348, net: alternate, if: net1, id: three");
  const std::string longest = masquerade_comment(owner(std::string(200, 'c').c_str()));
  CHECK(longest.size() == 128);
  CHECK(longest.ends_with("cccc"));
  CHECK(masquerade_comment(owner("o\"ne")).ends_with("id: one"));
}

}  // namespace
}  // namespace holdfast::flannel
