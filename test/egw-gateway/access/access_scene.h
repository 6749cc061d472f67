#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/exec.h"
#include "common/wireguard/user_space.h"
#include "egw-gateway/tunnel/tunnel_keeper.h"
#include "test/egw-gateway/helper/gateway_scene.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::test {

/// A gateway as the access point sees it: a tunnel of wireguard-go, liveness by tunnel_peer, and a pod behind
/// it, whose address is on its lo.
struct FakeGateway {
  FakeGateway(std::string name, int number, const TemporaryFolder& folder);
  FakeGateway(const FakeGateway&) = delete;
  FakeGateway& operator=(const FakeGateway&) = delete;
  ~FakeGateway();

  /// Its tunnel to the access point, with the key that it has.
  void connect(const wireguard::PublicKey& access);
  /// Its machine is switched off: its tunnel and its liveness are gone, and nobody is told.
  void switch_off();
  /// Begins a handshake with the access point as at that time. True: it is answered.
  [[nodiscard]] bool is_answered(const wireguard::PublicKey& access,
                                 std::chrono::system_clock::time_point when) const;
  void live();
  /// SIGKILL: it is missed. SIGTERM: it says so.
  void take_tunnel_away();
  void die(int signal) { static_cast<void>(liveness.stop(signal)); }
  /// What its liveness has seen of the access point: lines "up" and "down: WHAT IT TOLD".
  [[nodiscard]] std::string seen() const;
  [[nodiscard]] std::string public_key() const { return wireguard::public_key_of(key).value().to_string(); }

  std::string name;
  int number;  ///< of its tunnel: its address inside is 198.18.0.(10 + number)
  std::filesystem::path run;
  Machine machine;
  SystemClock clock;
  SystemExecutor executor;
  wireguard::UserSpaceWireGuard engine;
  gateway::TunnelKeeper keeper;
  wireguard::SecretKey key = wireguard::SecretKey::generate().value();
  Program liveness;
};

/// An access point between two gateways of pool "hz" (pods 10.244.0.0/16) and a VPC:
///
///     gateway a  192.0.2.11 --+                    +-- 172.16.0.2   egw-access   198.18.0.1 in tunnels
///     gateway b  192.0.2.12 --+-- 192.0.2.2  ------+
///     pod 10.244.3.9 on both                       vpc 172.16.0.1, which sends all to 172.16.0.2
class AccessScene {
 public:
  AccessScene();
  AccessScene(const AccessScene&) = delete;
  AccessScene& operator=(const AccessScene&) = delete;
  ~AccessScene();

  /// The pool's object; `more_keys`: further public keys of gateway a.
  void publish(const std::string& more_keys = "") const;
  /// Another file of the folder.
  void write(const std::string& file, const std::string& text) const;
  void start(const std::vector<std::string>& more = {});
  /// What a program does not share with another one of its machine.
  struct Own {
    std::string port;
    std::filesystem::path state;
    std::filesystem::path log;
  };
  void start(Program& one, const Own& own, const std::vector<std::string>& more = {}) const;
  [[nodiscard]] std::string log() const;
  [[nodiscard]] std::string page(const std::string& path) const;
  [[nodiscard]] double metric(const std::string& name) const;
  /// What the access point's kernel does with packets for the pod: "egw-hz-a", "unreachable", or others'
  /// links.
  [[nodiscard]] std::string way() const;
  [[nodiscard]] bool reaches() const { return vpc.can("ping -c 1 -W 0.5 -q 10.244.3.9"); }

  TemporaryFolder folder;
  std::filesystem::path home = folder.path();
  Machine access;
  Machine vpc;
  wireguard::SecretKey key = wireguard::SecretKey::generate().value();
  std::string other_points;  ///< of the pool, as entries of its accessPoints
  FakeGateway a{"a", 1, folder};
  FakeGateway b{"b", 2, folder};
  Program program;
};

}  // namespace holdfast::test
