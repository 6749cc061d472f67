#include "test/wireguard/machine.h"

#include <unistd.h>

namespace holdfast::wireguard::test {

using holdfast::test::output_in;

Two::Two() {
  const std::string there =
      "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(right.netns.get());
  output_in(left.netns.get(), "ip link set lo up && ip link add eth0 type veth peer name eth0 netns " +
                                  there + " && ip addr add 192.0.2.1/24 dev eth0 && ip link set eth0 up");
  output_in(right.netns.get(), "ip addr add 192.0.2.2/24 dev eth0 && ip link set eth0 up");
}

TunnelSpec Two::at_left() const {
  TunnelSpec out = left.facing(right, 51820);
  out.peers.at(0).endpoint = Endpoint::parse("192.0.2.2:51821").value();
  return out;
}

void Two::connect() {
  left.make(at_left());
  right.make(right.facing(left, 51821));
  REQUIRE(pings());
}

}  // namespace holdfast::wireguard::test
