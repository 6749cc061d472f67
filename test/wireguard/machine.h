#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/netlink/netns.h"
#include "common/wireguard/tunnel.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::wireguard::test {

inline Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

inline bool succeeds(int netns, const std::string& command) {
  return holdfast::test::output_in(netns, "(" + command + ") >/dev/null 2>&1 && echo yes || true") == "yes\n";
}

/// The engine that the program is about; each test program brings its own. `run`: a folder for /run.
std::unique_ptr<WireGuard> engine_for(const std::filesystem::path& run);

/// A machine: a network namespace, and a folder that its processes have for /run.
struct Machine {
  explicit Machine(std::string tunnel) : tunnel_address(std::move(tunnel)) {}
  ~Machine() {
    static_cast<void>(nl::in_netns(netns.get(), [&] { return wireguard->remove("wg0"); }));
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  template <class F>
  auto in(F body) {
    return nl::in_netns(netns.get(), body);
  }
  void make(const TunnelSpec& spec) {
    const Status done = in([&] { return apply(*wireguard, "wg0", spec); });
    INFO((done ? std::string() : done.error().message));
    REQUIRE(done.has_value());
    holdfast::test::output_in(netns.get(),
                              "ip addr replace " + tunnel_address + "/24 dev wg0 && ip link set wg0 up");
  }
  TunnelState state() {
    const auto read = in([&] { return wireguard->read("wg0"); });
    INFO((read ? std::string() : read.error().message));
    REQUIRE(read.has_value());
    return *read;
  }
  [[nodiscard]] TunnelSpec facing(const Machine& peer, std::uint16_t port) const {
    TunnelSpec out{key, port, 0, {}};
    out.peers.push_back({public_key_of(peer.key).value(), {}, {}, {cidr("10.9.0.0/24")}, {}});
    return out;
  }

  Fd netns = holdfast::test::new_netns();
  holdfast::test::TemporaryFolder run;
  std::unique_ptr<WireGuard> wireguard = engine_for(run.path());
  SecretKey key = SecretKey::generate().value();
  std::string tunnel_address;
};

/// Two of them with a link between.
struct Two {
  Two();
  [[nodiscard]] TunnelSpec at_left() const;
  /// Both have their tunnels, and packets go.
  void connect();
  [[nodiscard]] bool pings() const { return succeeds(left.netns.get(), "ping -c 1 -w 30 10.9.0.2"); }

  Machine left{"10.9.0.1"};
  Machine right{"10.9.0.2"};
};

}  // namespace holdfast::wireguard::test
