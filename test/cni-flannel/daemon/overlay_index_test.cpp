#include "cni-flannel/daemon/overlay_index.h"

#include <algorithm>

#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using test::cidr;
using test::ip;
using test::mac;
using test::numbered_peer;
using test::numbered_peers;

constexpr int kDevice = 7;

OverlayIndex index_of(std::vector<WantedPeer> peers) {
  return {{kDevice, cidr("10.0.0.0/8")}, std::move(peers)};
}

TEST_CASE("What we write ourselves contradicts nothing, and its loss does", "[flanneld]") {
  std::vector<WantedPeer> peers = numbered_peers(9);
  std::ranges::reverse(peers);
  const OverlayIndex index = index_of(peers);
  for (const WantedPeer& peer : peers) {
    const ForwardingTables entries = entries_of(index.link(), peer);
    CHECK_FALSE(index.contradicted_by(nl::RouteEvent{entries.routes[0], false}));
    CHECK(index.contradicted_by(nl::RouteEvent{entries.routes[0], true}));
    CHECK_FALSE(index.contradicted_by(nl::NeighbourEvent{entries.neighbours[0], false}));
    CHECK(index.contradicted_by(nl::NeighbourEvent{entries.neighbours[0], true}));
    CHECK_FALSE(index.contradicted_by(nl::FdbEvent{entries.fdb[0], false}));
    CHECK(index.contradicted_by(nl::FdbEvent{entries.fdb[0], true}));
  }
}

TEST_CASE("An entry that is another than wanted contradicts, one that nobody wants does not", "[flanneld]") {
  const OverlayIndex index = index_of(numbered_peers(3));
  const ForwardingTables mine = entries_of(index.link(), numbered_peer(2));
  const ForwardingTables other = entries_of(index.link(), numbered_peer(99));

  nl::Route route = mine.routes[0];
  route.gateway = ip("192.168.0.9");
  CHECK(index.contradicted_by(nl::RouteEvent{route, false}));
  CHECK_FALSE(index.contradicted_by(nl::RouteEvent{route, true}));
  route.table = 100;
  CHECK_FALSE(index.contradicted_by(nl::RouteEvent{route, false}));
  CHECK_FALSE(index.contradicted_by(nl::RouteEvent{other.routes[0], false}));

  nl::Neighbour neighbour = mine.neighbours[0];
  neighbour.mac = mac("02:00:00:00:00:01");
  CHECK(index.contradicted_by(nl::NeighbourEvent{neighbour, false}));
  neighbour = mine.neighbours[0];
  neighbour.state = nl::NeighbourState::kStale;
  CHECK(index.contradicted_by(nl::NeighbourEvent{neighbour, false}));
  neighbour.ifindex = 3;
  CHECK_FALSE(index.contradicted_by(nl::NeighbourEvent{neighbour, true}));
  CHECK_FALSE(index.contradicted_by(nl::NeighbourEvent{other.neighbours[0], true}));

  nl::FdbEntry fdb = mine.fdb[0];
  fdb.dst = ip("192.168.0.9");
  CHECK(index.contradicted_by(nl::FdbEvent{fdb, false}));
  CHECK_FALSE(index.contradicted_by(nl::FdbEvent{fdb, true}));
  CHECK_FALSE(index.contradicted_by(nl::FdbEvent{other.fdb[0], true}));
}

TEST_CASE("A peer that is reached directly has a route only", "[flanneld]") {
  WantedPeer direct = numbered_peer(1);
  const ForwardingTables before = entries_of({kDevice, cidr("10.0.0.0/8")}, direct);
  direct.direct_link = 3;
  const OverlayIndex index = index_of({direct});
  CHECK_FALSE(index.contradicted_by(nl::NeighbourEvent{before.neighbours[0], true}));
  CHECK_FALSE(index.contradicted_by(nl::FdbEvent{before.fdb[0], true}));
  CHECK(index.contradicted_by(nl::RouteEvent{before.routes[0], false}));
}

TEST_CASE("Differences are the peers that changed, those that go first", "[flanneld]") {
  const std::vector<WantedPeer> before = numbered_peers(5);
  CHECK(differences(before, before).empty());
  CHECK(differences({}, before).size() == 5);

  std::vector<WantedPeer> after = before;
  after[1].end.public_address = ip("192.168.9.9");
  after[2].direct_link = 4;
  after.erase(after.begin() + 3);
  after.push_back(numbered_peer(6));
  const auto changes = differences(before, after);
  REQUIRE(changes.size() == 4);
  CHECK(changes[0].before->node == "node-4");
  CHECK(changes[0].after == nullptr);
  CHECK(changes[1].before->node == "node-2");
  CHECK(changes[1].after->end.public_address == ip("192.168.9.9"));
  CHECK(changes[2].after->direct_link == 4);
  CHECK(changes[3].before == nullptr);
  CHECK(changes[3].after->node == "node-6");
  const auto gone = differences(before, {});
  CHECK(std::ranges::all_of(gone, [](const PeerDifference& change) { return change.after == nullptr; }));
  CHECK(gone.size() == 5);
}

}  // namespace
}  // namespace holdfast::flannel
