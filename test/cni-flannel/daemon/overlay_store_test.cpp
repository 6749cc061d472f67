#include "cni-flannel/daemon/overlay_store.h"

#include <cerrno>

#include "common/base/state_file.h"
#include "test/catch.h"
#include "test/fakes/recording_files.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::flannel {
namespace {

using Catch::Contains;
using test::kAllLosses;
using test::Killed;
using test::KillPoint;
using test::Loss;
using test::RecordingFiles;
using test::TemporaryFolder;

const StoreOwner kOwner{"", "edge-1", "0123456789abcdef0123456789abcdef"};

NodeNetwork network(const std::string& node, int number) {
  NodeNetwork out;
  out.node = node;
  out.backend_type = "vxlan";
  out.pod_cidrs = {Cidr::parse("10.244." + std::to_string(number) + ".0/24").value()};
  out.backend_data = BackendData{1, MacAddress({2, 0, 0, 0, 0, static_cast<std::uint8_t>(number)})};
  out.public_ip = IpAddress::v4({192, 168, 0, static_cast<std::uint8_t>(number)});
  return out;
}

OverlayState state_with(int peers) {
  OverlayState state;
  state.cluster_id = "c1";
  state.own = network("edge-1", 200);
  state.resource_version = "77";
  state.crd_seen = true;
  state.gone = {{"peer-1", std::chrono::seconds(90)}};
  state.former_underlay = {
      "eth1", {IpAddress::v4({10, 9, 0, 2})}, IpAddress::v4({203, 0, 113, 5}), std::nullopt};
  for (int i = 1; i <= peers; ++i) {
    NodeNetworkObject peer;
    peer.network = network("peer-" + std::to_string(i), i);
    peer.identity = {peer.network.node, "uid-" + std::to_string(i), "6" + std::to_string(i), 2};
    state.peers.push_back(std::move(peer));
  }
  return state;
}

OverlayStore store_over(Files& files, const std::filesystem::path& folder, StoreOwner owner = kOwner) {
  return {files, folder / "flannel-state", std::move(owner)};
}

TEST_CASE("What was saved is loaded, peers and all", "[flanneld]") {
  const TemporaryFolder folder;
  PosixFiles files;
  OverlayStore store = store_over(files, folder.path());
  CHECK(store.load().value().state == OverlayState{});
  REQUIRE(store.save(state_with(3)).has_value());
  const auto loaded = store_over(files, folder.path()).load();
  REQUIRE(loaded.has_value());
  CHECK(loaded->state == state_with(3));
  CHECK(loaded->notes.empty());
}

TEST_CASE("A node without lease keeps that it has none", "[flanneld]") {
  const TemporaryFolder folder;
  PosixFiles files;
  OverlayState state = state_with(1);
  state.own.reset();
  REQUIRE(store_over(files, folder.path()).save(state).has_value());
  CHECK(store_over(files, folder.path()).load()->state == state);
}

TEST_CASE("State that has not changed is not written again", "[flanneld]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  OverlayStore store = store_over(files, folder.path());
  REQUIRE(store.save(state_with(2)).has_value());
  const std::size_t steps = files.steps();
  REQUIRE(store.save(state_with(2)).has_value());
  CHECK(files.steps() == steps);
  OverlayStore again = store_over(files, folder.path());
  const OverlayState loaded = again.load()->state;
  REQUIRE(again.save(loaded).has_value());
  CHECK(files.steps() == steps);
  REQUIRE(again.save(state_with(1)).has_value());
  CHECK(files.steps() > steps);
}

TEST_CASE("State of another node or machine is discarded and replaced", "[flanneld]") {
  const TemporaryFolder folder;
  PosixFiles files;
  REQUIRE(store_over(files, folder.path()).save(state_with(1)).has_value());
  for (const StoreOwner& other : {StoreOwner{"", "edge-2", kOwner.machine_id},
                                  StoreOwner{"", "edge-1", "ffffffffffffffffffffffffffffffff"}}) {
    const auto loaded = store_over(files, folder.path(), other).load();
    REQUIRE(loaded.has_value());
    CHECK(loaded->state == OverlayState{});
    REQUIRE(loaded->notes.size() == 1);
    CHECK_THAT(loaded->notes.front(), Contains("it is of node 'edge-1' on machine 0123456789abcdef"));
  }
  const StoreOwner other{"", "edge-2", kOwner.machine_id};
  REQUIRE(store_over(files, folder.path(), other).save(state_with(2)).has_value());
  CHECK(store_over(files, folder.path(), other).load()->state == state_with(2));
}

TEST_CASE("A store that is torn, rotten, empty or foreign is moved aside and is no state", "[flanneld]") {
  struct Case {
    const char* name;
    void (*damage)(std::string& bytes);
  };
  const Case cases[] = {
      {"torn", [](std::string& bytes) { bytes.resize(bytes.size() / 2); }},
      {"rotten", [](std::string& bytes) { bytes[bytes.size() - 9] ^= 1; }},
      {"empty", [](std::string& bytes) { bytes.clear(); }},
      {"foreign", [](std::string& bytes) { bytes = "{\"peers\":[]}"; }},
      {"another program's state",
       [](std::string& bytes) { bytes.replace(0, bytes.find("overlay"), "holdfast-state x"); }},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const TemporaryFolder folder;
      PosixFiles files;
      OverlayStore store = store_over(files, folder.path());
      REQUIRE(store.save(state_with(2)).has_value());
      std::string bytes = files.read(store.path(), 1 << 20).value().value();
      c.damage(bytes);
      REQUIRE(replace_file(files, store.path(), bytes).has_value());
      REQUIRE(files.remove(store.path().native() + ".before").has_value());
      const auto loaded = store.load();
      REQUIRE(loaded.has_value());
      CHECK(loaded->state == OverlayState{});
      REQUIRE(loaded->notes.size() == 1);
      CHECK_THAT(loaded->notes.front(), Contains("is damaged") && Contains("overlay.json.damaged-1"));
      CHECK(files.read(store.path().native() + ".damaged-1", 1 << 20).value() == bytes);
    }
  }
}

TEST_CASE("Whichever byte of the store rots, the state before it is there", "[flanneld]") {
  const TemporaryFolder folder;
  PosixFiles files;
  OverlayStore store = store_over(files, folder.path());
  REQUIRE(store.save(state_with(1)).has_value());
  REQUIRE(store.save(state_with(2)).has_value());
  const std::string whole = files.read(store.path(), 1 << 20).value().value();
  constexpr std::size_t kStep = 7;  // each is a write and a move, made durable
  for (std::size_t byte = 0; byte < whole.size(); byte += kStep) {
    std::string rotten = whole;
    rotten[byte] ^= 1;
    REQUIRE(replace_file(files, store.path(), rotten).has_value());
    CAPTURE(byte);
    REQUIRE(stored_owner(files, folder.path() / "flannel-state").value()->node_name == "edge-1");
    const auto loaded = store_over(files, folder.path()).load();
    REQUIRE(loaded.has_value());
    REQUIRE(loaded->state == state_with(1));
    CHECK_THAT(loaded->notes.back(), Contains("overlay.json.before, the state before it, is used instead"));
  }
}

TEST_CASE("A state that never changed has a second copy, too", "[flanneld]") {
  const TemporaryFolder folder;
  PosixFiles files;
  OverlayStore store = store_over(files, folder.path());
  REQUIRE(store.save(state_with(2)).has_value());
  REQUIRE(replace_file(files, store.path(), "rotten").has_value());
  CHECK(store_over(files, folder.path()).load()->state == state_with(2));
}

TEST_CASE("The state before a damaged one stays until there is a whole one again", "[flanneld]") {
  const TemporaryFolder folder;
  PosixFiles files;
  for (const int peers : {1, 2}) {
    REQUIRE(store_over(files, folder.path()).save(state_with(peers)).has_value());
    OverlayStore store = store_over(files, folder.path());
    REQUIRE(store.load().has_value());
    REQUIRE(store.save(state_with(peers + 1)).has_value());
    REQUIRE(replace_file(files, store.path(), "rotten").has_value());
    OverlayStore again = store_over(files, folder.path());
    REQUIRE(again.load()->state == state_with(peers));
    REQUIRE(again.save(state_with(peers)).has_value());  // as it was loaded, and written all the same
    REQUIRE(replace_file(files, store.path(), "rotten").has_value());
    CHECK(store_over(files, folder.path()).load()->state == state_with(peers));
  }
}

TEST_CASE("A peer that a newer version wrote in a way of its own costs that peer only", "[flanneld]") {
  const TemporaryFolder folder;
  PosixFiles files;
  OverlayStore store = store_over(files, folder.path());
  REQUIRE(store.save(state_with(3)).has_value());
  std::string content = read_state(files, store.path(), {"overlay", 1})->content.value();
  content.replace(content.find("10.244.2.0/24"), 13, "10.244.2.0-24");
  REQUIRE(write_state(files, store.path(), {"overlay", 1}, content).has_value());
  const auto loaded = store.load();
  REQUIRE(loaded.has_value());
  CHECK(loaded->state.peers.size() == 2);
  CHECK(loaded->state.own == state_with(3).own);
  REQUIRE(loaded->notes.size() == 1);
  CHECK_THAT(loaded->notes.front(), Contains("peer-2") && Contains("10.244.2.0-24"));
  // what was left out must not be taken for saved
  REQUIRE(store.save(loaded->state).has_value());
  CHECK(store_over(files, folder.path()).load()->notes.empty());
}

TEST_CASE("A disk that is full or read-only is told and takes nothing away", "[flanneld]") {
  // 1 is make_folders; then the state before is put aside, and the new one written.
  const std::pair<std::size_t, int> failures[] = {{2, ENOSPC}, {2, EROFS}, {3, ENOSPC}, {3, EROFS}};
  for (const auto& [call, sys_errno] : failures) {
    const TemporaryFolder folder;
    {
      PosixFiles files;
      REQUIRE(store_over(files, folder.path()).save(state_with(1)).has_value());
    }
    std::size_t calls = 0;
    {
      RecordingFiles counting(folder.path());
      OverlayStore store = store_over(counting, folder.path());
      REQUIRE(store.load().has_value());
      REQUIRE(store.save(state_with(1)).has_value());
      calls = counting.calls();
    }
    RecordingFiles files(folder.path());
    OverlayStore store = store_over(files, folder.path());
    REQUIRE(store.load().has_value());
    files.fail_call(calls + call, sys_errno);
    const Status saved = store.save(state_with(2));
    REQUIRE_FALSE(saved.has_value());
    CHECK(saved.error().sys_errno == sys_errno);
    CHECK_THAT(saved.error().message, Contains("overlay.json"));
    CHECK(store_over(files, folder.path()).load()->state == state_with(1));
    // the next attempt writes, though the state is what the failed one was to save
    REQUIRE(store.save(state_with(2)).has_value());
    CHECK(store_over(files, folder.path()).load()->state == state_with(2));
  }
}

/// What a node finds after an interrupted change from `before` to `after`.
void check_one_of(Files& files, const std::filesystem::path& folder, const OverlayState& before,
                  const OverlayState& after) {
  const auto loaded = store_over(files, folder).load();
  REQUIRE(loaded.has_value());
  CHECK(loaded->notes.empty());
  CHECK((loaded->state == before || loaded->state == after));
}

TEST_CASE("Killed at any step of a save, the store holds the old state or the new one", "[flanneld]") {
  const OverlayState before = state_with(2);
  const OverlayState after = state_with(3);
  std::size_t total = 1;
  for (std::size_t step = 1; step <= total; ++step) {
    for (const KillPoint point : {KillPoint::kBefore, KillPoint::kHalfWay, KillPoint::kAfter}) {
      const TemporaryFolder folder;
      RecordingFiles files(folder.path());
      OverlayStore store = store_over(files, folder.path());
      REQUIRE(store.save(before).has_value());
      const std::size_t done = files.steps();
      files.kill_at(done + step, point);
      CHECK_THROWS_AS(store.save(after), Killed);
      PosixFiles restarted;
      check_one_of(restarted, folder.path(), before, after);
      // the left-over temporary is no obstacle
      REQUIRE(store_over(restarted, folder.path()).save(after).has_value());
      CHECK(store_over(restarted, folder.path()).load()->state == after);
    }
    if (step == 1) {
      const TemporaryFolder folder;
      RecordingFiles files(folder.path());
      OverlayStore store = store_over(files, folder.path());
      REQUIRE(store.save(before).has_value());
      const std::size_t done = files.steps();
      REQUIRE(store.save(after).has_value());
      total = files.steps() - done;
    }
  }
  CHECK(total >= 4);
}

TEST_CASE("After a power cut at any step the state is whole, and the new one once save has returned",
          "[flanneld]") {
  const OverlayState before = state_with(2);
  const OverlayState after = state_with(3);
  const TemporaryFolder folder;
  {
    PosixFiles files;
    REQUIRE(store_over(files, folder.path()).save(before).has_value());
  }
  RecordingFiles files(folder.path());
  OverlayStore store = store_over(files, folder.path());
  REQUIRE(store.save(after).has_value());
  for (std::size_t step = 0; step <= files.steps(); ++step) {
    for (const Loss loss : kAllLosses) {
      INFO("cut after step " << step << ", " << to_string(loss));
      const TemporaryFolder left;
      REQUIRE(files.rebuild(step, loss, left.path()).has_value());
      PosixFiles restarted;
      check_one_of(restarted, left.path(), before, after);
      if (step == files.steps()) {
        CHECK(store_over(restarted, left.path()).load()->state == after);
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::flannel
