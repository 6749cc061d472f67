// bfd_crowd KEYS < SESSIONS: nodes' ends of many BFD sessions of 3 x 100 ms over several hops, signed with
// the keys of the file KEYS. SESSIONS has lines "LOCAL PEER". Prints "up" when all of them are, and "down
// LOCAL PEER: WHY" of each that goes. Ends with SIGTERM.

#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "egw-gateway/bfd/engine.h"
#include "egw-gateway/bfd/key_file.h"
#include "egw-gateway/bfd/udp_transport.h"

namespace holdfast::bfd {
namespace {

std::string name_of(const Path& path) { return path.local.to_string() + " " + path.peer.to_string(); }

/// All that are read; returns how many.
Result<std::size_t> add_sessions(Engine& engine, const Keys& keys) {
  std::size_t count = 0;
  for (std::string local, peer; std::cin >> local >> peer; ++count) {
    SessionConfig config;
    HOLDFAST_TRY(config.path.local, IpAddress::parse(local));
    HOLDFAST_TRY(config.path.peer, IpAddress::parse(peer));
    config.path.hops = Hops::kMulti;
    config.keys = keys;
    HOLDFAST_CHECK(engine.add(config));
  }
  return count;
}

Status speak(const char* key_file) {
  PosixFiles files;
  HOLDFAST_TRY(const Keys keys, read_key_file(files, key_file));
  SystemClock clock;
  HOLDFAST_TRY(const auto loop, EventLoop::create(clock));
  HOLDFAST_TRY(const auto signals, loop->on_signals({SIGTERM}, [&](int) { loop->stop(); }));
  std::size_t sessions = 0;
  std::size_t up = 0;
  UdpTransport transport(*loop);
  Engine engine(*loop, transport, system_random(), [&](SessionId id, const StateChange& change) {
    if (change.to == State::kUp && ++up == sessions) std::puts("up");
    if (change.from == State::kUp) {
      --up;
      const std::string why(to_string(
          change.remote_diagnostic == Diagnostic::kNone ? change.diagnostic : change.remote_diagnostic));
      std::printf("down %s: %s\n", name_of(engine.find(id).value().path).c_str(), why.c_str());
    }
    std::fflush(stdout);
  });
  HOLDFAST_TRY(sessions, add_sessions(engine, keys));
  return loop->run();
}

}  // namespace
}  // namespace holdfast::bfd

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const holdfast::Status done = holdfast::bfd::speak(argv[1]);
  if (!done) std::cerr << "bfd_crowd: " << done.error().message << '\n';
  return done ? 0 : 1;
}
