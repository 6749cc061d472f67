#include "egw-gateway/access/silent_ways.h"

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;
using wireguard::PeerState;
using wireguard::PublicKey;

PublicKey key(std::uint8_t number) {
  wireguard::KeyBytes bytes{};
  bytes.front() = number;
  return PublicKey(bytes);
}

PeerState peer(std::uint8_t number, bool shaken, std::uint64_t received_bytes) {
  PeerState out;
  out.peer.key = key(number);
  if (shaken) out.last_handshake = std::chrono::system_clock::time_point(1s);
  out.received_bytes = received_bytes;
  return out;
}

const WayName kWay{"hz", "a"};

TEST_CASE("The handshakes of a way are forgotten once nothing has come by it for long", "[access]") {
  SilentWays ways;
  const std::vector<PeerState> peers{peer(1, true, 500), peer(2, false, 0)};
  CHECK(ways.see(kWay, peers, true, 0s).empty());
  CHECK(ways.see(kWay, peers, false, 29s).empty());
  CHECK(ways.see(kWay, peers, false, 30s) == std::vector{key(1)});
  SECTION("and not again at once") {
    CHECK(ways.see(kWay, peers, false, 59s).empty());
    CHECK(ways.see(kWay, peers, false, 60s) == std::vector{key(1)});
  }
  SECTION("nor when there is nothing to forget") {
    const std::vector<PeerState> anew{peer(1, false, 0), peer(2, false, 0)};
    CHECK(ways.see(kWay, anew, false, 31s).empty());
    CHECK(ways.see(kWay, anew, false, 100s).empty());
  }
  SECTION("of another way nothing is forgotten") { CHECK(ways.see({"hz", "b"}, peers, false, 31s).empty()); }
  SECTION("a way that was none in between begins anew") {
    ways.keep({});
    CHECK(ways.see(kWay, peers, false, 100s).empty());
  }
}

TEST_CASE("A way that lives is left alone", "[access]") {
  SilentWays ways;
  for (int second = 0; second < 200; second += 5) {
    INFO(second);
    const std::chrono::seconds now(second);
    CHECK(ways.see(kWay, {peer(1, true, 500)}, true, now).empty());
    // by what comes alone, though its gateway does not answer
    CHECK(ways.see({"hz", "b"}, {peer(1, true, static_cast<std::uint64_t>(second))}, false, now).empty());
  }
  CHECK(ways.see(kWay, {peer(1, true, 500)}, false, 200s).empty());
}

TEST_CASE("A way that is watched anew is given its time", "[access]") {
  SilentWays ways;
  CHECK(ways.see(kWay, {peer(1, true, 500)}, false, 1000s).empty());
  CHECK(ways.see(kWay, {peer(1, true, 500)}, false, 1029s).empty());
  CHECK_FALSE(ways.see(kWay, {peer(1, true, 500)}, false, 1030s).empty());
}

}  // namespace
}  // namespace holdfast::gateway
