#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/exec.h"
#include "common/wireguard/user_space.h"
#include "egw-gateway/tunnel/tunnel_keeper.h"
#include "test/egw-gateway/core/gateway_world.h"
#include "test/egw-gateway/program.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::test {

/// The cloud end of one tunnel: WireGuard and BFD in a namespace.
class AccessEnd {
 public:
  /// `number`: 1 or 2.
  explicit AccessEnd(int number);
  AccessEnd(const AccessEnd&) = delete;
  AccessEnd& operator=(const AccessEnd&) = delete;
  ~AccessEnd();

  /// Takes a gateway with this key; of several everything goes by the last.
  void take(const std::vector<wireguard::PublicKey>& gateways);
  void speak();
  /// As a machine that lost its power: nothing comes and goes.
  void die();
  [[nodiscard]] bool has_heard(const wireguard::PublicKey& gateway);
  [[nodiscard]] std::string tunnel_address() const { return "198.18.0." + number_; }
  [[nodiscard]] std::string public_key() const { return public_key_of(key_).value().to_string(); }

  Place place;

 private:
  std::string number_;
  TemporaryFolder folder_;
  SystemClock clock_;
  SystemExecutor executor_;
  wireguard::UserSpaceWireGuard engine_;
  gateway::TunnelKeeper keeper_;
  wireguard::SecretKey key_ = wireguard::SecretKey::generate().value();
  std::vector<gateway::TunnelView> views_;
  Program speaker_;
};

/// egw-core as it is run, between an edge and two access points:
///
///     edge (pods, nodes)    eth0 10.244.1.1 --- eth0 10.244.1.7   core
///                           uplink 192.0.2.1  --- 192.0.2.11 access one --- cloud (VPC)
///                                          \--- 192.0.2.12 access two --/
///
///     edge    pod 10.244.2.20, fd00:244:0:2::20; a node's 192.168.77.2, 10.244.2.0; fd00:77::2
///     cloud   VPC 172.16.0.5, fd00:172::5
///     tunnels core 198.18.0.7, fd00:99::7; access points 198.18.0.1 and .2, fd00:99::1 and ::2
class CoreScene {
 public:
  CoreScene();
  ~CoreScene();
  CoreScene(const CoreScene&) = delete;
  CoreScene& operator=(const CoreScene&) = delete;

  void publish() const;
  void unpublish() const;
  void start(const std::vector<std::string>& more = {});
  /// With access points, a node that watches, and the first pings through.
  void start_all(const std::vector<std::string>& more = {});
  /// Where the cloud sends what is for the edge: 1 or 2.
  void return_by(int number) const;

  [[nodiscard]] std::string log() const;
  [[nodiscard]] std::string page(const std::string& path) const;
  [[nodiscard]] double metric(const std::string& name) const;
  [[nodiscard]] std::string node_log() const;
  [[nodiscard]] bool reaches(const std::string& how = "-I 10.244.2.20 172.16.0.5") const;
  [[nodiscard]] wireguard::PublicKey new_key();

  TemporaryFolder folder;
  Place edge;
  Place core;
  Place cloud;
  AccessEnd one{1};
  AccessEnd two{2};
  Program program;
  Program node;
  std::vector<std::string> public_keys;  ///< of the gateway, as the object tells them
  std::string before_start = "true";     ///< a command in egw-core's mount namespace, from its next start on

 private:
  Place wan_;
};

/// Fails the case when it does not hold within 30 s.
void until(const std::function<bool()>& holds);

}  // namespace holdfast::test
