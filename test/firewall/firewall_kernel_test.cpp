// On a kernel without nf_tables, and with an `iptables` that needs it.

#include <string>
#include <vector>

#include "common/firewall/back_end.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::firewall {
namespace {

using test::output_of;

TEST_CASE("Where the kernel takes no nf_tables, rules go by iptables-legacy", "[firewall]") {
  const test::FreshNetns netns;
  SystemExecutor executor;
  RuleSet set;
  set.nft_table = "try";
  set.chains = {
      {Hook::kForward, true, {{.target = Target::kAccept}}, "TRY-FWD", "try forward", "forward", ""}};
  for (const BackEnd back_end : {BackEnd::kAuto, BackEnd::kIptables}) {
    const auto chosen = choose_firewall(back_end, executor, {set});
    INFO((chosen ? std::string() : chosen.error().message));
    REQUIRE(chosen.has_value());
    const Status put = chosen->firewall->put(set);
    INFO((put ? std::string() : put.error().message));
    REQUIRE(put.has_value());
    CHECK(chosen->firewall->is_whole(set).value());
    CHECK(output_of("iptables-legacy-save").find("-A FORWARD") != std::string::npos);
    REQUIRE(chosen->firewall->clean(set).has_value());
    CHECK(output_of("iptables-legacy-save").find("TRY-FWD") == std::string::npos);
  }
}

}  // namespace
}  // namespace holdfast::firewall
