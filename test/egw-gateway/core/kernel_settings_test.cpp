#include "egw-gateway/core/kernel_settings.h"

#include <map>

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

/// A kernel as a gateway wants it, but for what is changed.
std::map<std::string, std::string, std::less<>> good_kernel() {
  return {{"net/ipv4/ip_forward", "1"},         {"net/ipv6/conf/all/forwarding", "1"},
          {"net/ipv4/conf/all/rp_filter", "2"}, {"net/ipv4/conf/eth0/rp_filter", "1"},
          {"net/ipv4/conf/wg0/rp_filter", "0"}, {"net/netfilter/nf_conntrack_max", "65536"}};
}

Status check(const std::map<std::string, std::string, std::less<>>& kernel) {
  const auto read = [&](std::string_view key) -> Result<std::string> {
    const auto found = kernel.find(key);
    if (found == kernel.end()) return fail(Code::kNotFound, "no " + std::string(key));
    return found->second;
  };
  return check_kernel(read, {"eth0", "wg0"});
}

TEST_CASE("A kernel that would break the gateway is refused, with the cure", "[egw-core]") {
  CHECK(check(good_kernel()).has_value());
  struct Case {
    const char* key;
    const char* value;
    const char* message;
  };
  const Case cases[] = {
      {"net/ipv4/ip_forward", "0",
       "net/ipv4/ip_forward is 0: the gateway would forward nothing; let the init container set it, or run: "
       "sysctl -w net/ipv4/ip_forward=1"},
      {"net/ipv6/conf/all/forwarding", "0",
       "net/ipv6/conf/all/forwarding is 0: the gateway would forward no IPv6; let the init container set it, "
       "or run: sysctl -w net/ipv6/conf/all/forwarding=1"},
      {"net/ipv4/conf/all/rp_filter", "0",
       "net/ipv4/conf/eth0/rp_filter is 1: packets whose answers go by the other gateway would be dropped; "
       "let "
       "the init container set it, or run: sysctl -w net/ipv4/conf/all/rp_filter=2"},
      {"net/ipv4/conf/all/rp_filter", "1",
       "net/ipv4/conf/eth0/rp_filter is 1: packets whose answers go by the other gateway would be dropped; "
       "let "
       "the init container set it, or run: sysctl -w net/ipv4/conf/all/rp_filter=2"},
      {"net/netfilter/nf_conntrack_max", "4095",
       "net/netfilter/nf_conntrack_max is 4095: that is too few connections of edge nodes at a time; let the "
       "init container set it, or run: sysctl -w net/netfilter/nf_conntrack_max=4096"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.key << "=" << c.value) {
      auto kernel = good_kernel();
      kernel[c.key] = c.value;
      const Status checked = check(kernel);
      REQUIRE_FALSE(checked.has_value());
      CHECK(checked.error().code == Code::kFailedPrecondition);
      CHECK(checked.error().message == c.message);
    }
  }
}

TEST_CASE("A kernel without IPv6, without a limit of connections or without a filter will do", "[egw-core]") {
  auto kernel = good_kernel();
  kernel.erase("net/ipv6/conf/all/forwarding");
  kernel["net/netfilter/nf_conntrack_max"] = "0";
  kernel["net/ipv4/conf/all/rp_filter"] = "0";
  kernel["net/ipv4/conf/eth0/rp_filter"] = "0";
  CHECK(check(kernel).has_value());
}

TEST_CASE("A kernel that keeps no connections, or whose settings cannot be read, is told", "[egw-core]") {
  auto kernel = good_kernel();
  kernel.erase("net/netfilter/nf_conntrack_max");
  CHECK(check(kernel).error().message.find("nf_conntrack") != std::string::npos);
  CHECK(check(kernel).error().code == Code::kFailedPrecondition);
  kernel = good_kernel();
  kernel.erase("net/ipv4/conf/wg0/rp_filter");
  CHECK(check(kernel).error().code == Code::kNotFound);
  for (const char* nonsense : {"", "x", "1x", "-1", "99999999999999999999"}) {
    kernel = good_kernel();
    kernel["net/ipv4/ip_forward"] = nonsense;
    CHECK(check(kernel).error().code == Code::kInternal);
  }
}

}  // namespace
}  // namespace holdfast::gateway
