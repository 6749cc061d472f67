#include "test/csi-nas/mounts/fake_calls.h"

#include "test/catch.h"
#include "test/csi-nas/mounts/calls_contract.h"

// What the tests of mounts go by keeps to what the kernel's NFS does
// (test/csi-nas/mounts/real_calls_test.cpp).
namespace holdfast::nas {
namespace {

TEST_CASE("calls that remember keep to the contract of calls", "[nas]") {
  test::NasScene scene;
  const ServerAddress server{"10.0.0.5"};
  test::CallsContract({.calls = scene.calls,
                       .server = server,
                       .share = "10.0.0.5:/exports",
                       .options = {},
                       .root = "/kubelet",
                       .mounts = [&] { return scene.calls.mounts; },
                       .use =
                           [&](const std::string& target, bool in_use) {
                             if (in_use) scene.calls.busy.insert(target);
                             if (!in_use) scene.calls.busy.erase(target);
                           },
                       .remove_at_server =
                           [&](const std::string& source, const std::string& target) {
                             scene.calls.folders.erase(source);
                             scene.calls.stale.insert(target);
                           },
                       .set_dead =
                           [&](bool dead) {
                             if (dead) scene.calls.silent.insert(server.address);
                             if (!dead) scene.calls.silent.erase(server.address);
                           }})
      .keep();
}

TEST_CASE("states that are told keep to the contract of states", "[nas]") {
  test::FakeServers servers;
  const ServerAddress server{"10.0.0.5"};
  test::keep_states_contract(servers, server, [&](bool dead) {
    servers.states[server.address] = dead ? ServerState::kDead : ServerState::kAlive;
  });
}

}  // namespace
}  // namespace holdfast::nas
