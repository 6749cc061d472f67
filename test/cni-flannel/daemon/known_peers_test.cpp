#include "cni-flannel/daemon/known_peers.h"

#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;
using test::node;

std::vector<std::string> names(const KnownPeers& known) {
  std::vector<std::string> out;
  for (const NodeNetworkObject& node : known.nodes()) out.push_back(node.identity.name);
  return out;
}

using Names = std::vector<std::string>;

/// As a source tells a whole list.
void tell_all(KnownPeers& known, const std::vector<NodeNetworkObject>& nodes, KnownPeers::Time now) {
  NodeNames listed;
  for (const NodeNetworkObject& told : nodes) {
    known.put(told, now);
    listed.insert(told.identity.name);
  }
  known.keep_only(listed, now);
}

constexpr auto kDelay = 10min;

TEST_CASE("A whole list forgets what it leaves out, after the delay and not before", "[flanneld]") {
  KnownPeers known({node("a"), node("b"), node("c")});
  CHECK(known.next_forget(kDelay) == KnownPeers::Time::max());
  tell_all(known, {node("a"), node("c")}, 1h);
  CHECK(known.forget(1h + kDelay - 1s, kDelay).empty());
  CHECK(names(known) == Names{"b", "a", "c"});
  CHECK(known.next_forget(kDelay) == 1h + kDelay);
  // a second list does not begin the delay anew
  tell_all(known, {node("a"), node("c")}, 1h + 5min);
  CHECK(known.forget(1h + kDelay, kDelay) == Names{"b"});
  CHECK(names(known) == Names{"a", "c"});
}

TEST_CASE("A list that is partial or empty, as a cache answers that lost its data, forgets nobody",
          "[flanneld]") {
  KnownPeers known({node("a"), node("b")});
  known.put(node("a"), 1h);  // and the rest of the list never came
  tell_all(known, {}, 1h);
  CHECK(known.gone_count() == 0);
  CHECK(known.forget(100h, kDelay).empty());
}

TEST_CASE("A node that comes back within the delay stays", "[flanneld]") {
  KnownPeers known({node("a"), node("b")});
  tell_all(known, {node("a")}, 1h);
  tell_all(known, {node("a"), node("b")}, 1h + 1min);
  CHECK(known.forget(100h, kDelay).empty());
  known.gone("b", "uid-b", 2h);
  known.put(node("b"), 2h + 1min);
  CHECK(known.forget(100h, kDelay).empty());
}

TEST_CASE("A tombstone counts for the object it is of", "[flanneld]") {
  KnownPeers known({node("a"), node("b"), node("c")});
  known.gone("a", "uid-of-an-older-a", 1h);
  known.gone("b", "uid-b", 1h);
  known.gone("nobody", "x", 1h);
  NodeNetworkObject removed = node("c");
  removed.removed_at = "2026-01-02T03:04:05Z";
  known.put(removed, 1h);
  CHECK(known.forget(2h, kDelay) == Names{"b", "c"});
  CHECK(names(known) == Names{"a"});
  known.put(removed, 3h);
  CHECK(names(known) == Names{"a"});
}

TEST_CASE("A tombstone counts for an object whose uid was never told", "[flanneld]") {
  NodeNetworkObject without = node("a");
  without.identity.uid.clear();
  KnownPeers known({without});
  known.gone("a", "uid-a", 1h);
  CHECK(known.forget(2h, kDelay) == Names{"a"});
}

TEST_CASE("Who is new or publishes something else stands last, as the latest to claim it", "[flanneld]") {
  KnownPeers known({node("a", 1), node("b", 2), node("c", 3)});
  NodeNetworkObject same = node("a", 1);
  same.identity.resource_version = "99";
  CHECK_FALSE(known.put(same, 1h));
  CHECK(names(known) == Names{"a", "b", "c"});
  CHECK(known.find("a")->identity.resource_version == "99");
  CHECK(known.put(node("a", 9), 1h));
  CHECK(known.put(node("d", 4), 1h));
  CHECK(names(known) == Names{"b", "c", "a", "d"});
  CHECK(known.find("e") == nullptr);
  REQUIRE(known.networks().size() == 4);
  CHECK(known.networks()[2]->pod_cidrs == node("a", 9).network.pod_cidrs);
}

/// With a VTEP MAC that ends with `last`.
NodeNetworkObject node_with_mac(const std::string& name, int subnet, const std::string& last) {
  NodeNetworkObject out = node(name, subnet);
  out.network.backend_data = BackendData{1, test::mac("66:00:00:00:00:" + last)};
  return out;
}

TEST_CASE("Who claims the MAC of a node that is there stands before it, whatever either publishes next",
          "[flanneld]") {
  KnownPeers known({node_with_mac("a", 1, "0a"), node_with_mac("b", 2, "0b")});
  known.put(node_with_mac("thief", 3, "0c"), 1h);
  CHECK(names(known) == Names{"a", "b", "thief"});
  known.put(node_with_mac("thief", 3, "0a"), 1h);
  CHECK(names(known) == Names{"thief", "a", "b"});
  known.put(node_with_mac("thief", 4, "0a"), 1h);
  CHECK(names(known) == Names{"thief", "a", "b"});
  known.put(node_with_mac("a", 5, "0a"), 1h);
  CHECK(names(known) == Names{"thief", "b", "a"});
  known.put(node_with_mac("new", 6, "0b"), 1h);
  CHECK(names(known) == Names{"thief", "new", "b", "a"});
  // what was stored is as it was
  KnownPeers again({known.nodes().begin(), known.nodes().end()});
  again.put(node_with_mac("thief", 7, "0a"), 1h);
  CHECK(names(again) == Names{"new", "b", "thief", "a"});
  // and a MAC that nobody has any more is free
  known.put(node_with_mac("a", 5, "0d"), 1h);
  known.put(node_with_mac("thief", 8, "0a"), 1h);
  CHECK(names(known) == Names{"new", "b", "a", "thief"});
}

TEST_CASE("Who is gone keeps no MAC, and takes none back by returning", "[flanneld]") {
  KnownPeers known({node_with_mac("a", 1, "0a"), node_with_mac("b", 2, "0b")});
  known.put(node_with_mac("heir", 3, "0b"), 1h);
  CHECK(names(known) == Names{"a", "heir", "b"});
  SECTION("by a tombstone") { known.gone("b", "uid-b", 2h); }
  SECTION("by a list") { known.keep_only({"a", "heir"}, 2h); }
  SECTION("as was stored") { known.recall_gone({{"b", 5s}}, 2h); }
  CHECK(names(known) == Names{"b", "a", "heir"});
  known.put(node_with_mac("b", 2, "0b"), 3h);
  CHECK(names(known) == Names{"a", "b", "heir"});
}

TEST_CASE("Who is gone has its place again when nobody has claimed it meanwhile", "[flanneld]") {
  KnownPeers known({node_with_mac("a", 1, "0a"), node_with_mac("b", 2, "0b")});
  known.keep_only({"b"}, 2h);
  known.put(node_with_mac("a", 1, "0a"), 3h);
  known.put(node_with_mac("b", 2, "0a"), 3h);
  CHECK(names(known) == Names{"b", "a"});
}

}  // namespace
}  // namespace holdfast::flannel
