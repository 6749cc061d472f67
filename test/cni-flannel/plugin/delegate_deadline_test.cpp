#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cni-flannel/plugin/flannel_plugin.h"
#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;

/// Every program hangs.
class HangingExecutor final : public Executor {
 public:
  Result<CommandResult> run(const Command& command) override {
    deadlines.push_back(command.deadline);
    return fail(Code::kDeadlineExceeded, "too late");
  }
  std::vector<std::chrono::milliseconds> deadlines;
};

struct Node {
  Node() {
    std::ofstream(folder / "subnet.env") << "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\n"
                                            "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
    std::ofstream(folder / "ptp") << "";
  }
  test::Answer call(const char* verb) {
    cni::Environment env = test::environment(verb);
    env.path = folder.path().string();
    json conf = {{"cniVersion", "1.1.0"},
                 {"name", "cbr0"},
                 {"type", "flannel"},
                 {"subnetFile", (folder / "subnet.env").string()},
                 {"dataDir", (folder / "data").string()},
                 {"delegate", {{"type", "ptp"}}},
                 {"prevResult", json::object()}};
    return test::call(plugin, env, conf.dump());
  }

  test::TemporaryFolder folder;
  PosixFiles files;
  test::FakeClock clock;
  HangingExecutor executor;
  FlannelPlugin plugin{files, clock, executor};
};

TEST_CASE_METHOD(Node, "a delegate that hangs is given up before the kubelet gives the runtime up",
                 "[flannel]") {
  constexpr std::chrono::minutes kStartOfSandbox(4);
  constexpr std::chrono::minutes kOtherCall(2);
  const test::Answer added = call("ADD");
  INFO(added.out);
  REQUIRE(added.status == 1);
  // The ADD and the DEL that undoes it.
  REQUIRE(executor.deadlines == std::vector<std::chrono::milliseconds>(2, std::chrono::seconds(100)));
  CHECK(executor.deadlines[0] + executor.deadlines[1] < kStartOfSandbox);
  for (const char* verb : {"CHECK", "DEL"}) {
    executor.deadlines.clear();
    CHECK(call(verb).status == 1);
    REQUIRE(executor.deadlines.size() == 1);
    CHECK(executor.deadlines[0] == std::chrono::seconds(100));
    CHECK(executor.deadlines[0] < kOtherCall);
  }
}

}  // namespace
}  // namespace holdfast::flannel
