// bfd_peer LOCAL SECRET PEER...: what a gateway's pod does about liveness: a BFD session over several hops
// with each node, 3 x 100 ms, with SECRET as key 1 unless it is "-". Ends with SIGTERM, telling them. For
// tests of egw-helper.

#include <csignal>
#include <cstdio>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "egw-gateway/bfd/engine.h"
#include "egw-gateway/bfd/udp_transport.h"

int main(int argc, char** argv) {
  using namespace holdfast;
  SystemClock clock;
  const auto loop = EventLoop::create(clock).value();
  const auto signals = loop->on_signals({SIGTERM}, [&](int) { loop->stop(); }).value();
  bfd::UdpTransport transport(*loop);
  bfd::Engine engine(*loop, transport, bfd::system_random(), [](bfd::SessionId, const bfd::StateChange&) {});
  for (int i = 3; i < argc; ++i) {
    bfd::SessionConfig config;
    config.path = {bfd::Hops::kMulti, IpAddress::parse(argv[1]).value(), IpAddress::parse(argv[i]).value()};
    if (std::string(argv[2]) != "-") config.keys = bfd::Keys{{1, argv[2]}, {}};
    if (const auto added = engine.add(config); !added) {
      std::fprintf(stderr, "bfd_peer: %s\n", added.error().message.c_str());
      return 1;
    }
  }
  if (!loop->run()) return 1;
  for (const bfd::SessionView& session : engine.sessions()) static_cast<void>(engine.remove(session.id));
  return 0;
}
