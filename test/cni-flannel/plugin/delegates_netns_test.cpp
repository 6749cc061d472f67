// Work that the plugin does not do itself: other delegates and other ipam plugins are executed, with every
// verb.
#include <filesystem>
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/recording_host.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;
namespace fs = std::filesystem;

constexpr const char* kFail = R"(echo '{"cniVersion":"1.1.0","code":150,"msg":"told to fail"}'; exit 1)";

TEST_CASE_METHOD(RecordingHost, "another delegate is executed with every verb, and what flannel renders",
                 "[delegates]") {
  conf["delegate"] = {{"type", "recorder"}, {"colour", "green"}};
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  CHECK(result.at("ips").at(0).at("address") == "192.0.2.7/24");
  CHECK(calls() == Texts{"ADD c1"});
  CHECK(input("ADD") == json::parse(R"({"cniVersion":"1.1.0","name":"cbr0","type":"recorder","colour":"green",
          "ipMasq":false,"mtu":1450,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.3.0/24"}]],
          "routes":[{"dst":"10.244.0.0/16"}]}})"));
  succeed(check_call(pod, result));
  CHECK(calls() == Texts{"CHECK c1"});
  CHECK(input("CHECK").at("prevResult") == result);
  succeed(network_call("STATUS"));
  CHECK(calls() == Texts{"STATUS "});
  succeed(gc_call({pod}));
  CHECK(calls() == Texts{"GC "});
  CHECK(input("GC").at("cni.dev/valid-attachments").size() == 1);
  fs::remove("/run/flannel/subnet.env");
  succeed(call("DEL", pod));
  CHECK(calls() == Texts{"DEL c1"});
  CHECK(input("DEL").at("colour") == "green");
  succeed(call("DEL", pod));
  CHECK(calls().empty());
  CHECK(holdings().empty());
}

TEST_CASE_METHOD(RecordingHost, "another ipam is executed with every verb, and our bridge uses what it says",
                 "[delegates]") {
  conf["ipam"] = {{"type", "recorder"}};
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  CHECK(calls() == Texts{"ADD c1"});
  CHECK(addresses_in(pod) == Texts{"192.0.2.7/24"});
  CHECK(addresses_on_host("cni0") == Texts{"192.0.2.1/24"});
  succeed(check_call(pod, result));
  CHECK(calls() == Texts{"CHECK c1"});
  succeed(network_call("STATUS"));
  CHECK(calls() == Texts{"STATUS "});
  succeed(gc_call({pod}));
  CHECK(calls() == Texts{"GC "});
  succeed(call("DEL", pod));
  CHECK(calls() == Texts{"DEL c1"});
  CHECK(holdings().empty());
}

TEST_CASE_METHOD(RecordingHost, "a delegate whose DEL fails is asked again by the next DEL", "[delegates]") {
  SECTION("a delegate") { conf["delegate"] = {{"type", "recorder"}}; }
  SECTION("an ipam") { conf["ipam"] = {{"type", "recorder"}}; }
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  instead_of("DEL", kFail);
  const json error = refused(call("DEL", pod));
  CHECK(error.at("code") == 150);
  CHECK(error.at("msg") == "told to fail");
  as_usual("DEL");
  calls();
  succeed(call("DEL", pod));
  CHECK(calls() == Texts{"DEL c1"});
  CHECK(holdings().empty());
}

TEST_CASE_METHOD(RecordingHost, "a delegated ADD that fails is followed by DEL, and leaves nothing",
                 "[delegates]") {
  SECTION("a delegate") { conf["delegate"] = {{"type", "recorder"}}; }
  SECTION("an ipam") { conf["ipam"] = {{"type", "recorder"}}; }
  instead_of("ADD", kFail);
  const json error = refused(call("ADD", start_sandbox("c1")));
  CHECK(error.at("code") == 150);
  CHECK(calls() == Texts{"ADD c1", "DEL c1"});
  CHECK(holdings().empty());
}

TEST_CASE_METHOD(RecordingHost, "an ipam gets its address back when the bridge cannot be used",
                 "[delegates]") {
  conf["ipam"] = {{"type", "recorder"}};
  output_of("ip link add cni0 type veth peer name cni1");
  refused(call("ADD", start_sandbox("c1")));
  CHECK(calls() == Texts{"ADD c1", "DEL c1"});
}

TEST_CASE_METHOD(RecordingHost, "GC deletes what a delegate still has for attachments that are gone",
                 "[delegates]") {
  conf["delegate"] = {{"type", "recorder"}};
  const Sandbox stays = start_sandbox("c1", "stays");
  add(stays);
  add(start_sandbox("c2", "goes"));
  calls();
  succeed(gc_call({stays}));
  CHECK(calls() == Texts{"DEL c2", "GC "});
  CHECK(holdings().confs == std::set<std::string>{"c1"});
}

TEST_CASE_METHOD(RecordingHost, "what a delegate says in STATUS and CHECK is what we say", "[delegates]") {
  SECTION("a delegate") { conf["delegate"] = {{"type", "recorder"}}; }
  SECTION("an ipam") { conf["ipam"] = {{"type", "recorder"}}; }
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  instead_of("CHECK", kFail);
  CHECK(refused(check_call(pod, result)).at("code") == 150);
  output_of("ip link add flannel.1 type vxlan id 1 dstport 8472 && ip link set flannel.1 up");
  instead_of("STATUS", kFail);
  const json error = refused(network_call("STATUS"));
  CHECK(error.at("code") == 50);
  CHECK(error.at("msg") == "told to fail");
}

TEST_CASE_METHOD(RecordingHost, "a delegate that is not installed is named, with where it was looked for",
                 "[delegates]") {
  conf["delegate"] = {{"type", "absent"}};
  const json error = refused(call("ADD", start_sandbox("c1")));
  CHECK(error.at("code") == 4);
  CHECK(error.at("msg") == "failed to find plugin 'absent' in CNI_PATH '/run/cni-bin'");
  CHECK(holdings().empty());
}

}  // namespace
}  // namespace holdfast::test
