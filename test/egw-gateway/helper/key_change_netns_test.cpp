// Keys of liveness are exchanged under a running egw-helper and egw-core, while a pod pings the VPC.

#include <csignal>
#include <filesystem>
#include <fstream>

#include "test/catch.h"
#include "test/egw-gateway/core/gateway_node.h"

namespace holdfast::gateway {
namespace {

using test::GatewayNode;
using test::Program;
using test::until;

struct KeyChange : GatewayNode {
  KeyChange() {
    until([&] { return helper_metric("egw_helper_gateway_up{gateway=\"a\"}") == 1; });
    until([&] { return reaches(); });
  }

  void write(const char* name, const std::string& keys) const {
    std::ofstream(folder / "keys" / "next") << keys;
    std::filesystem::rename(folder / "keys" / "next", folder / "keys" / name);
  }
  void give_helper(const std::string& keys, int sends, int accepts) const {
    write("bfd-of-helper", keys);
    until([&] {
      return helper_metric("egw_helper_bfd_key") == sends && helper_metric("egw_helper_bfd_keys") == accepts;
    });
  }
  void give_core(const std::string& keys, int sends, int accepts) const {
    write("bfd", keys);
    until([&] {
      return core_metric("egw_core_bfd_key") == sends && core_metric("egw_core_bfd_keys") == accepts;
    });
  }
  [[nodiscard]] double core_metric(const std::string& name) const {
    const std::string all = core.run(
        "timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/11264 && printf \"GET /metrics HTTP/1.0\\r\\n\\r\\n\" "
        ">&3 && "
        "cat <&3'");
    const std::size_t at = all.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(all.substr(at + name.size() + 2));
  }
  void start_ping() {
    ping.start(edge.netns(), {"/bin/ping", "-i", "0.01", "-q", "-I", "10.244.2.20", "172.16.0.5"},
               folder / "ping.log");
  }
  /// How many of how many did not come back.
  std::pair<int, int> lost() {
    ping.send(SIGINT);
    ping.wait();
    const std::string text = edge.run("cat " + (folder / "ping.log").native());
    const std::size_t at = text.find(" packets transmitted, ");
    REQUIRE(at != std::string::npos);
    const int sent = std::stoi(text.substr(text.rfind('\n', at) + 1));
    return {sent - std::stoi(text.substr(text.find(", ", at) + 2)), sent};
  }

  Program ping;
};

TEST_CASE_METHOD(KeyChange, "Keys of liveness that overlap change without a lost packet or session",
                 "[gateway]") {
  const std::string first = "1 between nodes and us\n";
  const std::string second = "2 another secret\n";
  start_ping();
  give_core(first + second, 1, 2);
  give_helper(first + second, 1, 2);
  give_helper(second + first, 2, 2);  // each end on its own, in any order
  give_core(second + first, 2, 2);
  give_core(second, 2, 1);
  give_helper(second, 2, 1);
  until([&] { return helper_metric("egw_helper_gateway_up{gateway=\"a\"}") == 1; });
  const auto [missing, sent] = lost();
  CAPTURE(sent);
  CHECK(sent > 100);
  CHECK(missing == 0);
  CHECK(helper_metric("egw_helper_outages_total") == 0);
  CHECK(core_metric("egw_core_nodes_up") == 1);

  // what a change without overlap costs, by which the figures above mean something
  write("bfd-of-helper", "3 unknown to the core\n");
  until([&] { return helper_metric("egw_helper_gateway_up{gateway=\"a\"}") == 0; });
  CHECK(helper_metric("egw_helper_outages_total") == 1);
}

TEST_CASE_METHOD(KeyChange, "A file of keys that cannot be read changes nothing", "[gateway]") {
  write("bfd-of-helper", "no key at all\n");
  until([&] {
    return edge.run("cat " + (folder / "helper.log").native()).find("keys cannot be read anew") !=
           std::string::npos;
  });
  CHECK(helper_metric("egw_helper_gateway_up{gateway=\"a\"}") == 1);
  CHECK(helper_metric("egw_helper_outages_total") == 0);
  CHECK(reaches());
}

}  // namespace
}  // namespace holdfast::gateway
