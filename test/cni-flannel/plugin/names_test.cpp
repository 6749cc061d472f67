#include "cni-flannel/plugin/names.h"

#include <set>

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

TEST_CASE("a host link is named by its attachment, the same in every life of the program", "[names]") {
  // printf 'cbr0/c1/eth0' | sha512sum
  CHECK(host_link_name({"cbr0", "c1", "eth0"}) == "veth29668e6ee85");
  CHECK(host_link_name({"cbr0", std::string(64, 'f'), "fifteen-bytes-x"}).size() == 15);
}

TEST_CASE("network, container and interface each make another host link", "[names]") {
  const Attachment attachments[] = {{"cbr0", "c1", "eth0"}, {"cbr1", "c1", "eth0"}, {"cbr0", "c2", "eth0"},
                                    {"cbr0", "c1", "eth1"}, {"cbr0c1", "", "eth0"}, {"cbr0", "c1eth0", ""}};
  std::set<std::string> names;
  for (const Attachment& attachment : attachments) names.insert(host_link_name(attachment));
  CHECK(names.size() == std::size(attachments));
}

TEST_CASE("the alias tells a reader whose link it is, in no more than the kernel takes", "[names]") {
  CHECK(host_link_alias({"cbr0", "c1", "eth0"}) == "cbr0/c1/eth0");
  const std::string cut = host_link_alias({"cbr0", std::string(300, 'f'), "eth0"});
  CHECK(cut == "cbr0/" + std::string(250, 'f'));
}

TEST_CASE("a MAC follows from the address, is unicast and locally administered", "[names]") {
  struct Case {
    const char* address;
    const char* mac;
  };
  const Case cases[] = {{"10.244.3.2", "0a:58:0a:f4:03:02"},
                        {"255.255.255.254", "0a:58:ff:ff:ff:fe"},
                        {"fd00:0:0:3::2", "0a:5a:00:00:00:02"},
                        {"2001:db8::a:b0c1:d2e3", "0a:5a:b0:c1:d2:e3"}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.address) {
      const MacAddress mac = mac_for(IpAddress::parse(c.address).value());
      CHECK(mac.to_string() == c.mac);
      CHECK_FALSE(mac.is_group());
      CHECK((mac.bytes()[0] & 2) == 2);
    }
  }
}

TEST_CASE("an IPv4 and an IPv6 address with the same last bytes have different MACs", "[names]") {
  CHECK(mac_for(IpAddress::parse("10.244.3.2").value()) !=
        mac_for(IpAddress::parse("fd00::af4:302").value()));
}

}  // namespace
}  // namespace holdfast::flannel
