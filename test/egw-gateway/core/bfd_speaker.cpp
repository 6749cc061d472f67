// bfd_speaker single|multi LOCAL PEER [SECRET]: one end of a BFD session of 3 x 100 ms, with SECRET as key 1
// where it is told. Prints "up" or "down: WHY" with each change. Ends with SIGTERM, telling the peer. For
// tests of egw-core: a node (multi) or an access point (single).

#include <csignal>
#include <cstdio>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "egw-gateway/bfd/engine.h"
#include "egw-gateway/bfd/udp_transport.h"

int main(int argc, char** argv) {
  using namespace holdfast;
  if (argc < 4) return 2;
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
  config.path = {std::string(argv[1]) == "multi" ? bfd::Hops::kMulti : bfd::Hops::kSingle,
                 IpAddress::parse(argv[2]).value(), IpAddress::parse(argv[3]).value()};
  if (argc > 4) config.keys = bfd::Keys{{1, argv[4]}, {}};
  const auto session = engine.add(config);
  if (!session) {
    std::fprintf(stderr, "bfd_speaker: %s\n", session.error().message.c_str());
    return 1;
  }
  if (!loop->run()) return 1;
  static_cast<void>(engine.remove(*session));
  return 0;
}
