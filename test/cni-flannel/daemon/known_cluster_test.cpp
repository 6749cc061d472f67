#include "cni-flannel/daemon/known_cluster.h"

#include <functional>

#include "cni-flannel/daemon/round_timing.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;
using test::node;
using Todo = KnownCluster::Todo;

/// Node "me" with the lease and the peers "a" and "b" stored, of cluster "one".
struct Stored {
  Stored() {
    OverlayState state;
    state.cluster_id = "one";
    state.own = node("me", 7).network;
    state.peers = {node("me", 7), node("a", 1), node("b", 2)};
    state.resource_version = "77";
    state.crd_seen = true;
    known.recall(std::move(state), 1h);
  }
  KnownCluster known{"me", 10min};
};

TEST_CASE("What a source tells asks for what it concerns, and for nothing when it is no news", "[flanneld]") {
  struct Case {
    const char* name;
    std::function<Todo(KnownCluster&)> told;
    Todo todo;
  };
  const Case cases[] = {
      {"the same cluster", [](KnownCluster& k) { return k.cluster("one"); }, {}},
      {"another cluster", [](KnownCluster& k) { return k.cluster("two"); }, {.store = true}},
      {"a peer as it was", [](KnownCluster& k) { return k.upsert(node("a", 1), 2h); }, {}},
      {"a peer that changed",
       [](KnownCluster& k) { return k.upsert(node("a", 3), 2h); },
       {.store = true, .peers = true}},
      {"a new peer",
       [](KnownCluster& k) { return k.upsert(node("c", 3), 2h); },
       {.store = true, .peers = true}},
      {"ourselves as we are", [](KnownCluster& k) { return k.upsert(node("me", 7), 2h); }, {}},
      {"ourselves with another lease",
       [](KnownCluster& k) { return k.upsert(node("me", 8), 2h); },
       {.store = true, .peers = true, .all = true}},
      {"a tombstone",
       [](KnownCluster& k) { return k.removed("a", "uid-a", 2h); },
       {.store = true, .peers = true}},
      {"a tombstone of another life", [](KnownCluster& k) { return k.removed("a", "uid-x", 2h); }, {}},
      {"a tombstone of nobody", [](KnownCluster& k) { return k.removed("z", "", 2h); }, {}},
      {"the first whole list",
       [](KnownCluster& k) {
         return k.listed({"me", "a", "b"}, 2h);
       },
       {.all = true}},
      {"the first whole list, without a peer",
       [](KnownCluster& k) {
         return k.listed({"me", "a"}, 2h);
       },
       {.store = true, .peers = true, .all = true}},
      {"objects of our own", [](KnownCluster& k) { return k.crd_seen(); }, {.store = true}},
      {"the lease as it is", [](KnownCluster& k) { return k.use_lease(node("me", 7).network); }, {}},
      {"another lease", [](KnownCluster& k) { return k.use_lease(node("me", 8).network); }, {.store = true}},
      {"no lease", [](KnownCluster& k) { return k.use_lease(std::nullopt); }, {}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Stored stored;
      CHECK(c.told(stored.known) == c.todo);
    }
  }
}

TEST_CASE_METHOD(Stored, "A second whole list asks for nothing that the first did not", "[flanneld]") {
  known.listed({"me", "a"}, 2h);
  CHECK(known.listed({"me", "a"}, 3h) == Todo{});
  CHECK(known.list_age(3h + 5s) == 5);
}

TEST_CASE_METHOD(Stored, "Nobody is a stranger before a list has told who there is", "[flanneld]") {
  CHECK_FALSE(known.was_listed());
  CHECK(known.list_age(2h) == -1);
  CHECK(known.peers_known());  // by the store
  CHECK_FALSE(KnownCluster("me", 10min).peers_known());
  known.listed({}, 2h);  // as a cache answers that lost its data
  CHECK_FALSE(known.was_listed());
  known.listed({"me"}, 2h);
  CHECK(known.was_listed());
}

TEST_CASE_METHOD(Stored, "What is known of one cluster is nothing in another", "[flanneld]") {
  known.use_lease(node("me", 7).network);
  known.listed({"me", "a"}, 2h);
  known.cluster("two");
  CHECK(known.lease() == nullptr);
  CHECK_FALSE(known.has_lease());
  CHECK(known.nodes().nodes().empty());
  CHECK_FALSE(known.was_listed());
  CHECK_FALSE(known.peers_known());
  CHECK(known.next_forget() == KnownCluster::Time::max());
  const SourceMemory memory = known.memory();
  CHECK(memory.cluster_id == "two");
  CHECK(memory.resource_version.empty());
  CHECK_FALSE(memory.crd_seen);
}

TEST_CASE_METHOD(Stored, "A lease that cannot be used any more is kept, but is none", "[flanneld]") {
  CHECK_FALSE(known.has_lease());  // not before it was looked at
  known.use_lease(node("me", 7).network);
  CHECK(known.memory().has_lease);
  known.use_lease(std::nullopt);
  CHECK_FALSE(known.memory().has_lease);
  REQUIRE(known.lease() != nullptr);
  CHECK(*known.lease() == node("me", 7).network);
}

TEST_CASE_METHOD(Stored, "A restart does not begin the removal delay anew", "[flanneld]") {
  known.reached(1h);
  known.removed("a", "uid-a", 1h);
  const OverlayState stored = known.state(1h + 9min);
  CHECK(stored.gone == GoneFor{{"a", 9min}});

  KnownCluster next("me", 10min);  // after a reboot, so that the clock begins anew
  next.recall(stored, 20s);
  CHECK(next.next_forget() == KnownCluster::Time::max());
  CHECK(next.forget(1h).empty());  // while nobody can say whether it is back
  SECTION("it goes when its time is over") {
    next.reached(25s);
    CHECK(next.next_forget() == 80s);
    CHECK(next.forget(79s).empty());
    CHECK(next.forget(80s) == std::vector<std::string>{"a"});
  }
  SECTION("the source is listened to first") {
    next.reached(1h);
    CHECK(next.forget(1h + 29s).empty());
    next.reached(1h + 10s);  // again: it was reached before
    CHECK(next.forget(1h + 30s) == std::vector<std::string>{"a"});
  }
  SECTION("it is back") {
    next.reached(1h);
    CHECK(next.upsert(node("a", 1), 1h) == Todo{.store = true, .peers = true});
    CHECK(next.forget(9h).empty());
  }
}

TEST_CASE("When the next look at everything is due", "[flanneld]") {
  struct Case {
    const char* name;
    RoundEnd end;
    std::chrono::nanoseconds due;
  };
  const RoundWaits waits{.retry = 100ms, .contest = 1s};
  const Case cases[] = {
      {"all is well", {.whole = true, .can_try = true, .contest_look = {}}, 300s},
      {"something failed", {.whole = false, .can_try = true, .contest_look = {}}, 5s + 100ms},
      {"nothing helps", {.whole = false, .can_try = false, .contest_look = {}}, 300s},
      {"a contested MAC, later than the retry",
       {.whole = false, .can_try = true, .contest_look = 1h + 40s},
       5s + 100ms},
      {"a contested MAC, before it", {.whole = false, .can_try = true, .contest_look = 1h + 3s}, 3s},
      {"a contested MAC, long ago", {.whole = true, .can_try = true, .contest_look = 1h - 3s}, 1s},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(next_round_in(c.end, 1h, 300s, 5s, waits) == c.due); }
  }
}

}  // namespace
}  // namespace holdfast::flannel
