// Which pod gets which address and MAC, through the real program.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/tools/private_host.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

/// As when a node's kubelet kills a sandbox and nobody calls DEL: the namespace goes, and the veth with it.
void lose_sandbox(const Sandbox& sandbox, const std::string& host_link) {
  PluginHost::drop_sandbox(sandbox);
  for (int attempt = 0; attempt < 500; ++attempt) {  // the kernel takes namespaces down in its own time
    const auto links = link_names();
    REQUIRE(links.has_value());
    if (std::find(links->begin(), links->end(), host_link) == links->end()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL(host_link << " is still there");
}

/// A program that runs `program` where the machine has been up for a minute longer. Source:
/// time_namespaces(7).
std::filesystem::path a_minute_later(const std::filesystem::path& program) {
  const std::filesystem::path script = "/run/later";
  write_script(script, "exec unshare --time --boottime 61 -- " + program.string() + "\n");
  return script;
}

TEST_CASE_METHOD(PluginHost, "two pods of one name in different namespaces have addresses of their own",
                 "[identity]") {
  const Texts blue = addresses_of(add(start_sandbox("c1", "web", "uid-1", "blue")));
  const Texts green = addresses_of(add(start_sandbox("c2", "web", "uid-2", "green")));
  CHECK(blue != green);
  reboot();
  CHECK(addresses_of(add(start_sandbox("c4", "web", "uid-2", "green"))) == green);
  CHECK(addresses_of(add(start_sandbox("c3", "web", "uid-1", "blue"))) == blue);
}

TEST_CASE_METHOD(PluginHost, "a pod's new sandbox has the address and the MAC of its old one", "[identity]") {
  const Sandbox before = start_sandbox("c1");
  const json first = add(before);
  const Sandbox after = start_sandbox("c2");
  SECTION("that was deleted, and another pod came meanwhile") {
    succeed(call("DEL", before));
    add(start_sandbox("c3", "other"));
  }
  SECTION("that is still there") {}
  SECTION("that nobody deleted, whose namespace is gone") { lose_sandbox(before, host_link_of(first)); }
  const json second = add(after);
  CHECK(addresses_of(second) == addresses_of(first));
  CHECK(pod_interface_of(second).at("mac") == pod_interface_of(first).at("mac"));
  CHECK_FALSE(holdings().host_links.contains(host_link_of(first)));
  succeed(check_call(after, second));
}

TEST_CASE_METHOD(PluginHost, "a pod made anew while the old one is alive gets another address",
                 "[identity]") {
  const Sandbox before = start_sandbox("c1", "web", "uid-1");
  const json first = add(before);
  const json second = add(start_sandbox("c2", "web", "uid-2"));
  CHECK(addresses_of(second) != addresses_of(first));
  succeed(check_call(before, first));
}

TEST_CASE_METHOD(PluginHost, "a pod made anew after DEL takes the old one's address back", "[identity]") {
  const Sandbox before = start_sandbox("c1", "web", "uid-1");
  const json first = add(before);
  succeed(call("DEL", before));
  add(start_sandbox("c3", "other", "uid-3"));
  CHECK(addresses_of(add(start_sandbox("c2", "web", "uid-2"))) == addresses_of(first));
}

TEST_CASE_METHOD(PluginHost,
                 "a pod made anew takes the address of a lost one when no ADD can be under way any more",
                 "[identity]") {
  const Sandbox before = start_sandbox("c1", "web", "uid-1");
  const json first = add(before);
  lose_sandbox(before, host_link_of(first));
  PluginCall again = call("ADD", start_sandbox("c2", "web", "uid-2"));
  SECTION("not in the first minute, when the link may yet have to come") {
    CHECK(addresses_of(add(again)) != addresses_of(first));
  }
  SECTION("but then") {
    again.binary = a_minute_later(again.binary);
    CHECK(addresses_of(add(again)) == addresses_of(first));
  }
}

TEST_CASE_METHOD(PluginHost, "a runtime that gives no UID means the same pod", "[identity]") {
  const json first = add(start_sandbox("c1", "web", ""));
  CHECK(addresses_of(add(start_sandbox("c2", "web", ""))) == addresses_of(first));
}

TEST_CASE_METHOD(PluginHost, "without pod names addresses go round as host-local's do", "[identity]") {
  const auto add_plain = [&](const std::string& id) {
    PluginCall plain = call("ADD", start_sandbox(id));
    plain.args.clear();
    return addresses_of(add(plain));
  };
  CHECK(add_plain("c1") == Texts{"10.244.3.2/24"});
  CHECK(add_plain("c2") == Texts{"10.244.3.3/24"});
  PluginCall del = call("DEL", {.container_id = "c1", .pod = {}, .pod_uid = {}, .netns = "/run/netns/c1"});
  del.args.clear();
  succeed(del);
  CHECK(add_plain("c3") == Texts{"10.244.3.4/24"});
}

TEST_CASE_METHOD(PluginHost, "an ADD that is repeated for a living sandbox is refused and harms nothing",
                 "[identity]") {
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  const Holdings held = holdings();
  const json error = refused(call("ADD", pod));
  CHECK(error.at("code") == 106);
  CHECK_THAT(error.at("msg").get<std::string>(),
             Catch::Contains("10.244.3.2 has been allocated to c1, duplicate allocation is not allowed"));
  CHECK(holdings() == held);
  succeed(check_call(pod, result));
}

TEST_CASE_METHOD(PluginHost, "when the pool is full the longest-absent pod's address goes to a new pod",
                 "[identity]") {
  write_lease(kLeaseOfOne);
  const Sandbox before = start_sandbox("c1", "old");
  const Texts address = addresses_of(add(before));
  const json error = refused(call("ADD", start_sandbox("c2", "new")));
  CHECK(error.at("code") == 108);
  CHECK_THAT(error.at("msg").get<std::string>(),
             Catch::Contains("no IP addresses available in range set: 10.244.3.1-10.244.3.2"));
  succeed(call("DEL", before));
  CHECK(addresses_of(add(start_sandbox("c3", "new"))) == address);
}

TEST_CASE_METHOD(PluginHost, "a node that has another subnet after a reboot gives addresses of that one",
                 "[identity]") {
  add(start_sandbox("c1"));
  write_lease(
      "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.9.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n");
  SECTION("at once, and says why not while the bridge has the old one") {
    const json error = refused(call("ADD", start_sandbox("c2")));
    CHECK_THAT(
        error.at("msg").get<std::string>(),
        Catch::Contains("\"cni0\" already has an IP address different from 10.244.9.1/24: 10.244.3.1/24"));
  }
  SECTION("after the reboot") {
    reboot();
    CHECK(addresses_of(add(start_sandbox("c2"))) == Texts{"10.244.9.2/24"});
    CHECK(addresses_on_host("cni0") == Texts{"10.244.9.1/24"});
  }
}

}  // namespace
}  // namespace holdfast::test
