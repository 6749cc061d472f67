// What the controller expects of a node, and the protocol of two sides of which one may die.
#include "csi-lvm/cluster/protocol.h"

#include <algorithm>
#include <optional>

#include "csi-lvm/cluster/prediction.h"
#include "csi-lvm/cluster/storage_names.h"
#include "csi-lvm/volumes/volume_tags.h"
#include "test/catch.h"

namespace holdfast::lvm {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kExtent = 4 * kMiB;
constexpr const char* kCluster = "cluster-1";

LogicalVolumeSpec spec_of(const std::string& name, std::uint64_t bytes,
                          const std::map<std::string, std::string>& more = {}) {
  LogicalVolumeSpec spec;
  spec.node = "edge-1";
  spec.volume_name = name;
  spec.parameters = {{"vgName", "vg"}};
  spec.parameters.insert(more.begin(), more.end());
  spec.required_bytes = bytes;
  return spec;
}

LogicalVolumeObject object_of(const LogicalVolumeSpec& spec) {
  LogicalVolumeObject object;
  object.id.name = object_name(spec.volume_name, spec.node);
  object.finalizers = {kVolumeFinalizer};
  object.generation = 1;
  object.spec = spec;
  return object;
}

// Two disks with 20 and 9 free extents, 8 MiB to spare, a pool of 40 MiB that may be promised twice, and the
// volume "pvc-in" of 40 MiB, which the figures include.
NodeStorageStatus storage() {
  GroupReport group{.name = "vg",
                    .extent_bytes = kExtent,
                    .size_bytes = 400 * kMiB,
                    .free_bytes = 29 * kExtent,
                    .spare_bytes = 2 * kExtent,
                    .disk_free_extents = {20, 9},
                    .volumes = {{"pvc-in", 40 * kMiB}},
                    .pools = {{.name = "pool",
                               .size_bytes = 40 * kMiB,
                               .pretended_bytes = 20 * kMiB,
                               .data_percent = 5,
                               .metadata_percent = 5}}};
  NodeStorageStatus out;
  out.groups = {group};
  return out;
}

TEST_CASE("the controller predicts free less what is not in the figures less spare", "[lvm cluster]") {
  LogicalVolumeObject refused = object_of(spec_of("pvc-refused", 40 * kMiB));
  refused.status.state = VolumeState::kRefused;
  LogicalVolumeObject removed = object_of(spec_of("pvc-removed", 40 * kMiB));
  removed.deleting = true;
  const LogicalVolumeObject included = object_of(spec_of("pvc-in", 40 * kMiB));
  const LogicalVolumeObject grows = object_of(spec_of("pvc-in", 48 * kMiB));
  const LogicalVolumeObject fresh = object_of(spec_of("pvc-new", 5 * kMiB));
  const LogicalVolumeObject striped = object_of(spec_of("pvc-new", 32 * kMiB, {{"lvmType", "striping"}}));
  const LogicalVolumeObject thin = object_of(spec_of("pvc-new", 20 * kMiB, {{"thinPool", "pool"}}));
  const LogicalVolumeObject elsewhere = object_of(spec_of("pvc-new", 40 * kMiB, {{"vgName2", "x"}}));
  struct Case {
    const char* name;
    std::vector<const LogicalVolumeObject*> volumes;
    std::uint64_t linear_extents;
    std::uint64_t striped_extents;
    std::uint64_t thin_bytes;
  };
  const Case cases[] = {
      {"nothing was asked for", {}, 27, 18, 60 * kMiB},
      {"what the figures include counts once", {&included}, 27, 18, 60 * kMiB},
      {"what was refused takes nothing", {&refused}, 27, 18, 60 * kMiB},
      {"a tombstone that is not in the figures takes nothing", {&removed}, 27, 18, 60 * kMiB},
      {"a new one takes whole extents", {&fresh}, 25, 18, 60 * kMiB},
      {"growth beyond the figures takes the rest", {&grows}, 25, 18, 60 * kMiB},
      {"stripes take of both disks", {&striped}, 19, 10, 60 * kMiB},
      {"a thin one takes of the pool", {&thin}, 27, 18, 40 * kMiB},
      {"a class that cannot be read takes nothing", {&elsewhere}, 27, 18, 60 * kMiB},
  };
  const NodeStorageStatus told = storage();
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const NodeFigures node{.storage = &told, .stale = false, .volumes = c.volumes};
      Parameters linear;
      linear.group = "vg";
      Parameters all = linear;
      all.stripes = 0;
      Parameters of_pool = linear;
      of_pool.pool = "pool";
      CHECK(predicted_capacity(node, linear).largest_bytes == c.linear_extents * kExtent);
      CHECK(predicted_capacity(node, all).largest_bytes == c.striped_extents * kExtent);
      CHECK(predicted_capacity(node, of_pool).largest_bytes == c.thin_bytes);
    }
  }
}

TEST_CASE("a pool that is to be made is expected to give what it will", "[lvm cluster]") {
  const NodeStorageStatus told = storage();
  const std::map<std::string, std::string> small{{"thinPool", "new"}, {"thinPoolSize", "40Mi"}};
  const std::map<std::string, std::string> large{{"thinPool", "new"}, {"thinPoolSize", "1Gi"}};
  const LogicalVolumeObject first = object_of(spec_of("pvc-new", 20 * kMiB, small));
  const NodeFigures none{.storage = &told, .stale = false};
  const NodeFigures one{.storage = &told, .stale = false, .volumes = {&first}};
  CHECK(predict(none, spec_of("a", 80 * kMiB, small)).has_value());
  CHECK_FALSE(predict(none, spec_of("a", 80 * kMiB + 1, small)).has_value());
  CHECK(predict(one, spec_of("a", 60 * kMiB, small)).has_value());
  CHECK_FALSE(predict(one, spec_of("a", 60 * kMiB + 1, small)).has_value());
  CHECK(predict(none, spec_of("a", 1, large)).error().code == Code::kResourceExhausted);
}

TEST_CASE("of a node that is silent, unknown or full nothing is expected", "[lvm cluster]") {
  const NodeStorageStatus told = storage();
  const NodeFigures fresh{.storage = &told, .stale = false};
  const NodeFigures stale{.storage = &told, .stale = true};
  const NodeFigures unknown{};
  const auto code = [](const Status& status) { return status ? Code{} : status.error().code; };
  CHECK(predict(fresh, spec_of("a", 27 * kExtent)).has_value());
  CHECK(code(predict(fresh, spec_of("a", 27 * kExtent + 1))) == Code::kResourceExhausted);
  CHECK(code(predict(fresh, spec_of("a", 1, {{"thinPool", "none"}}))) == Code::kResourceExhausted);
  CHECK(code(predict(stale, spec_of("a", 1))) == Code::kResourceExhausted);
  CHECK(code(predict(unknown, spec_of("a", 1))) == Code::kResourceExhausted);
  CHECK(code(predict(fresh, spec_of("a", 1, {{"lvmType", "round"}}))) == Code::kInvalidArgument);
  CHECK(predicted_book(stale)->available_bytes() == 0);
}

TEST_CASE("a copy that was never staged was never in use, and goes with its tombstone", "[lvm cluster]") {
  LogicalVolumeObject tombstone = object_of(spec_of("pvc-copy", 40 * kMiB));
  tombstone.deleting = true;
  Inventory inventory;
  VolumeGroup& group = inventory.groups.emplace_back();
  group.name = "vg";
  LogicalVolume& copy = group.volumes.emplace_back();
  copy.name = "pvc-copy";
  copy.tags = {"csi.state=creating", "csi.from=volume", "csi.fs=formatted:1", "csi.cluster=c"};
  CHECK(decide_node(tombstone, facts_of(tombstone, inventory, "c")) == NodeStep::kRemoveVolume);
  copy.tags[0] = "csi.state=ready";
  CHECK(decide_node(tombstone, facts_of(tombstone, inventory, "c")) == NodeStep::kRemoveVolume);
  copy.tags.push_back(tag(kPublishedTag, kYes));
  CHECK(decide_node(tombstone, facts_of(tombstone, inventory, "c")) == NodeStep::kKeep);
}

TEST_CASE("the controller's next step follows from the object and the node's life", "[lvm cluster]") {
  const LogicalVolumeSpec wanted = spec_of("pvc-1", 8 * kMiB);
  const LogicalVolumeObject pending = object_of(wanted);
  LogicalVolumeObject ready = pending;
  ready.status.state = VolumeState::kReady;
  LogicalVolumeObject used = ready;
  used.status.published = true;
  LogicalVolumeObject refused = pending;
  refused.status.state = VolumeState::kRefused;
  refused.status.code = Code::kResourceExhausted;
  LogicalVolumeObject tombstone = ready;
  tombstone.deleting = true;
  const LogicalVolumeObject smaller = object_of(spec_of("pvc-1", 4 * kMiB));
  LogicalVolumeObject snapshot = ready;
  snapshot.spec.kind = VolumeKind::kSnapshot;
  constexpr Code kNone{};
  struct Case {
    const char* name;
    const LogicalVolumeObject* object;
    bool stale;
    CreateStep step;
    Code code;
  };
  const Case cases[] = {
      {"none, node well", nullptr, false, CreateStep::kWrite, kNone},
      {"none, node silent", nullptr, true, CreateStep::kAnswerError, Code::kResourceExhausted},
      {"pending, node well", &pending, false, CreateStep::kAwait, kNone},
      {"pending, node silent", &pending, true, CreateStep::kTombstone, Code::kResourceExhausted},
      {"ready, node well", &ready, false, CreateStep::kAnswer, kNone},
      {"ready and never used, node silent", &ready, true, CreateStep::kTombstone, Code::kResourceExhausted},
      {"ready and used, node silent", &used, true, CreateStep::kAnswer, kNone},
      {"refused, node well", &refused, false, CreateStep::kTakeBack, Code::kResourceExhausted},
      {"refused, node silent", &refused, true, CreateStep::kTombstone, Code::kResourceExhausted},
      {"tombstone, node well", &tombstone, false, CreateStep::kAwait, kNone},
      {"tombstone, node silent", &tombstone, true, CreateStep::kAnswerError, Code::kResourceExhausted},
      {"another of this name", &smaller, false, CreateStep::kAnswerError, Code::kAlreadyExists},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const CreateDecision next = decide_create(c.object, wanted, {.stale = c.stale});
      CHECK(next.step == c.step);
      if (c.code != kNone) CHECK(next.error.code == c.code);
    }
  }
  CHECK(decide_create(&snapshot, snapshot.spec, {.stale = true}).step == CreateStep::kAnswer);
  snapshot.status.state = VolumeState::kPending;
  CHECK(decide_create(&snapshot, snapshot.spec, {.stale = true}).error.code == Code::kUnavailable);
}

TEST_CASE("the node's next step follows from the object and what LVM has", "[lvm cluster]") {
  const LogicalVolumeObject pending = object_of(spec_of("pvc-1", 8 * kMiB));
  LogicalVolumeObject bare = pending;
  bare.finalizers.clear();
  LogicalVolumeObject ready = pending;
  ready.status.state = VolumeState::kReady;
  ready.status.size_bytes = 8 * kMiB;
  LogicalVolumeObject grows = ready;
  grows.spec.required_bytes = 12 * kMiB;
  grows.generation = 2;
  grows.status.observed_generation = 1;
  LogicalVolumeObject grown_in_vain = grows;
  grown_in_vain.status.observed_generation = 2;
  LogicalVolumeObject refused = pending;
  refused.status.state = VolumeState::kRefused;
  const auto dead = [](LogicalVolumeObject object, bool reclaim = false) {
    object.deleting = true;
    object.spec.reclaim = reclaim;
    return object;
  };
  const VolumeFacts absent{.presence = Presence::kAbsent};
  const VolumeFacts unknown{.presence = Presence::kUnknown};
  const VolumeFacts unused{.presence = Presence::kThere, .ours = true};
  const VolumeFacts used{.presence = Presence::kThere, .ours = true, .published = true};
  const VolumeFacts foreign{.presence = Presence::kThere};
  struct Case {
    const char* name;
    LogicalVolumeObject object;
    VolumeFacts volume;
    NodeStep step;
  };
  const Case cases[] = {
      {"without finalizer nothing is made", bare, absent, NodeStep::kAddFinalizer},
      {"asked for", pending, absent, NodeStep::kMake},
      {"asked for and there, not told", pending, unused, NodeStep::kMake},
      {"told", ready, unused, NodeStep::kNone},
      {"refused", refused, absent, NodeStep::kNone},
      {"ready and lost", ready, absent, NodeStep::kTellLost},
      {"ready, its disks away", ready, unknown, NodeStep::kTellLost},
      {"to grow", grows, used, NodeStep::kGrow},
      {"could not grow, asked no more", grown_in_vain, used, NodeStep::kNone},
      {"tombstone of nothing", dead(pending), absent, NodeStep::kDropFinalizer},
      {"tombstone without finalizer", dead(bare), absent, NodeStep::kNone},
      {"tombstone of what was not told", dead(pending), unused, NodeStep::kRemoveVolume},
      {"tombstone of what was used", dead(ready), used, NodeStep::kKeep},
      {"tombstone of what was used and may go", dead(ready, true), used, NodeStep::kRemoveVolume},
      {"tombstone, its disks away", dead(ready, true), unknown, NodeStep::kKeep},
      {"tombstone of one in a group that never was", dead(pending), unknown, NodeStep::kDropFinalizer},
      {"refused because of another's volume", dead(refused, true), foreign, NodeStep::kDropFinalizer},
      {"not told, and the volume is another's", dead(pending, true), foreign, NodeStep::kDropFinalizer},
      {"adopted, and may go", dead(ready, true), foreign, NodeStep::kRemoveVolume},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(decide_node(c.object, c.volume) == c.step); }
  }
}

// One node, one volume, and a controller with one call at a time. Each change of either side is a step;
// before the step with the number `dies_before` the node dies.
class Lives {
 public:
  Lives(int dies_before, bool is_used) : dies_before_(dies_before), is_used_(is_used) {
    VolumeGroup group;
    group.name = "vg";
    lvm_.groups = {group};
  }

  // A claim's whole life, the node's death somewhere in it, and its return.
  void run() {
    create();
    if (answered_ && !bound_elsewhere_) {
      use();
      remove();
    }
    come_back();
    if (!bound_elsewhere_) remove();
    settle();
  }

  int steps = 0;

  [[nodiscard]] bool died() const { return died_; }
  [[nodiscard]] bool has_object() const { return object_.has_value(); }
  [[nodiscard]] bool has_volume() const { return volume() != nullptr; }
  [[nodiscard]] bool bound_elsewhere() const { return bound_elsewhere_; }
  [[nodiscard]] bool deleted() const { return deleted_; }

 private:
  static constexpr int kMostRounds = 20;

  [[nodiscard]] const LogicalVolume* volume() const { return lvm_.groups[0].volume("pvc-1"); }
  [[nodiscard]] NodeLife life() const { return {.stale = !alive_}; }

  // Whether the next change of `side` takes place.
  bool step(bool of_node) {
    if (++steps == dies_before_) {
      alive_ = false;
      died_ = true;
    }
    REQUIRE((!has_volume() || has_object()));  // at every moment
    return alive_ || !of_node;
  }

  void create() {
    const LogicalVolumeSpec wanted = spec_of("pvc-1", 8 * kMiB);
    for (int round = 0; round < kMostRounds && !answered_; ++round) {
      const CreateDecision next = decide_create(object_ ? &*object_ : nullptr, wanted, life());
      switch (next.step) {
        case CreateStep::kWrite:
          if (step(false)) object_ = object_of(wanted);
          break;
        case CreateStep::kTombstone:
        case CreateStep::kTakeBack:
          if (step(false)) mark_deleted();
          [[fallthrough]];
        case CreateStep::kAnswerError:
          REQUIRE(next.error.code == Code::kResourceExhausted);
          bound_elsewhere_ = answered_ = true;
          break;
        case CreateStep::kAnswer:
          answered_ = true;
          break;
        case CreateStep::kAwait:
          node_looks();
          break;
      }
    }
    REQUIRE(answered_);
  }

  void use() {
    if (is_used_ && step(true)) tags().emplace_back("csi.published=yes");
  }

  void remove() {
    for (int round = 0; round < kMostRounds && !deleted_; ++round) {
      switch (decide_delete(object_ ? &*object_ : nullptr, life())) {
        case DeleteStep::kReclaim:
          if (step(false)) object_->spec.reclaim = true;
          break;
        case DeleteStep::kRemove:
          if (step(false)) mark_deleted();
          break;
        case DeleteStep::kAwait:
          if (!alive_) return;  // the caller asks again
          node_looks();
          break;
        case DeleteStep::kAnswer:
          deleted_ = true;
          break;
      }
    }
  }

  void mark_deleted() {
    object_->deleting = true;
    ++object_->generation;
    if (object_->finalizers.empty()) object_.reset();
  }

  std::vector<std::string>& tags() { return lvm_.groups[0].volumes[0].tags; }

  void change_state(std::string_view state) {
    std::erase_if(tags(), [](const std::string& each) { return each.starts_with(kStateTag); });
    tags().push_back(tag(kStateTag, state));
  }

  // As LocalVolumes makes and removes one.
  void make() {
    if (!has_volume() && step(true)) {
      LogicalVolume made;
      made.name = "pvc-1";
      made.tags = {tag(kClusterTag, kCluster), tag(kContentTag, "new"), tag(kStateTag, kCreating)};
      lvm_.groups[0].volumes = {made};
    }
    if (alive_ && !is_ready_of(*volume(), kCluster) && step(true)) change_state(kReady);
    if (!alive_ || !step(true)) return;
    object_->status.state = VolumeState::kReady;
    object_->status.group = "vg";
    object_->status.size_bytes = 8 * kMiB;
  }
  void unmake() {
    if (step(true)) change_state(kDeleting);
    if (alive_ && step(true)) lvm_.groups[0].volumes.clear();
  }

  void node_looks() {
    if (!alive_ || !object_) return;
    switch (decide_node(*object_, facts_of(*object_, lvm_, kCluster))) {
      case NodeStep::kMake:
        return make();
      case NodeStep::kRemoveVolume:
        return unmake();
      case NodeStep::kDropFinalizer:
        if (step(true)) object_.reset();
        return;
      default:
        return;
    }
  }

  // As LocalVolumes::recover() begins.
  void come_back() {
    if (alive_) return;
    alive_ = true;
    const LogicalVolume* found = volume();
    const bool half = found != nullptr && !is_ready_of(*found, kCluster);
    if (half) lvm_.groups[0].volumes.clear();
  }
  void settle() {
    for (int round = 0; round < kMostRounds; ++round) node_looks();
  }

  int dies_before_;
  bool is_used_;
  bool alive_ = true;
  bool died_ = false;
  bool answered_ = false;
  bool bound_elsewhere_ = false;
  bool deleted_ = false;
  std::optional<LogicalVolumeObject> object_;
  Inventory lvm_;
};

TEST_CASE("a node that dies at any step leaves no volume without object, and no object without volume",
          "[lvm cluster]") {
  for (const bool is_used : {false, true}) {
    Lives whole(0, is_used);
    whole.run();
    REQUIRE(whole.deleted());
    REQUIRE(whole.steps >= 9);
    int elsewhere = 0;
    for (int cut = 1; cut <= whole.steps; ++cut) {
      INFO("used " << is_used << ", dies before step " << cut << " of " << whole.steps);
      Lives cut_off(cut, is_used);
      cut_off.run();
      CHECK(cut_off.died());
      CHECK_FALSE(cut_off.has_object());
      CHECK_FALSE(cut_off.has_volume());
      CHECK((cut_off.bound_elsewhere() || cut_off.deleted()));
      elsewhere += cut_off.bound_elsewhere() ? 1 : 0;
    }
    // object, volume, its readiness, and the word of it
    CHECK(elsewhere == 4);
  }
}

TEST_CASE("DeleteVolume of a node that is gone is answered, and its object waits for the node",
          "[lvm cluster]") {
  LogicalVolumeObject object = object_of(spec_of("pvc-1", kMiB));
  CHECK(decide_delete(nullptr, {}) == DeleteStep::kAnswer);
  CHECK(decide_delete(&object, {.stale = true, .gone = true}) == DeleteStep::kReclaim);
  object.spec.reclaim = true;
  CHECK(decide_delete(&object, {.stale = true, .gone = true}) == DeleteStep::kRemove);
  object.deleting = true;
  CHECK(decide_delete(&object, {.stale = false}) == DeleteStep::kAwait);
  CHECK(decide_delete(&object, {.stale = true}) == DeleteStep::kAwait);
  CHECK(decide_delete(&object, {.stale = true, .gone = true}) == DeleteStep::kAnswer);
}

TEST_CASE("what tells that a volume was used is any of its traces", "[lvm cluster]") {
  struct Case {
    const char* name;
    std::vector<std::string> tags;
    bool open;
    bool published;
  };
  const Case cases[] = {
      {"new", {"csi.fs=new"}, false, false},
      {"of another maker", {}, false, false},
      {"tagged", {"csi.fs=new", "csi.published=yes"}, false, true},
      {"open", {"csi.fs=new"}, true, true},
      {"being formatted", {"csi.fs=formatting"}, false, true},
      {"formatted", {"csi.fs=formatted:1-2"}, false, true},
      {"a copy, whose source was formatted", {"csi.fs=formatted:1-2", "csi.from=snapshot"}, false, false},
      {"a copy, of nobody knows what", {"csi.fs=maybe", "csi.from=volume"}, false, false},
      {"a copy that is open", {"csi.fs=maybe", "csi.from=volume"}, true, true},
      {"a copy that was staged", {"csi.fs=maybe", "csi.from=volume", tag(kPublishedTag, kYes)}, false, true},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    LogicalVolume volume;
    volume.tags = c.tags;
    volume.open = c.open;
    CHECK(ever_published(volume) == c.published);
  }
}

}  // namespace
}  // namespace holdfast::lvm
