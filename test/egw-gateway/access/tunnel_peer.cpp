// tunnel_peer LOCAL PEER LINK: what the other end of a tunnel does about liveness: a BFD session over a
// single hop, 3 x 100 ms. Prints "up" or "down: WHAT THE PEER TOLD" with each change. Ends with SIGTERM,
// telling the peer. For tests of egw-access.

#include <net/if.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "egw-gateway/bfd/engine.h"
#include "egw-gateway/bfd/udp_transport.h"

int main(int argc, char** argv) {
  using namespace holdfast;
  if (argc != 4) return 2;
  SystemClock clock;
  const auto loop = EventLoop::create(clock).value();
  const auto signals = loop->on_signals({SIGTERM}, [&](int) { loop->stop(); }).value();
  bfd::UdpTransport transport(*loop);
  bfd::Engine engine(*loop, transport, bfd::system_random(),
                     [](bfd::SessionId, const bfd::StateChange& change) {
                       if (change.to == bfd::State::kUp) std::puts("up");
                       if (change.from == bfd::State::kUp)
                         std::printf("down: %s\n", std::string(to_string(change.remote_diagnostic)).c_str());
                       std::fflush(stdout);
                     });
  bfd::SessionConfig config;
  config.path = {bfd::Hops::kSingle, IpAddress::parse(argv[1]).value(), IpAddress::parse(argv[2]).value(),
                 static_cast<int>(::if_nametoindex(argv[3]))};
  const auto added = engine.add(config);
  if (!added) {
    std::fprintf(stderr, "tunnel_peer: %s\n", added.error().message.c_str());
    return 1;
  }
  if (!loop->run()) return 1;
  static_cast<void>(engine.remove(*added));
  return 0;
}
