#include "csi-disk/conformance/conformance.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "csi-disk/backend/patient_disks.h"
#include "csi-disk/conformance/conformance_program.h"
#include "test/catch.h"
#include "test/csi-disk/backend/disk_region.h"
#include "test/csi-disk/conformance/forwarding_disks.h"

namespace holdfast::disk {
namespace {

using cloud::CallEnd;
using End = CaseResult::End;

TrialPlan plan() {
  TrialPlan out{.run = "t", .node = "i-1", .other_node = "i-2", .zone = "sim-1a"};
  out.performance = {.type = "cloud_essd", .level = "PL1"};
  out.modified = {.type = "cloud_auto", .iops = 3000, .bursting = true};
  out.deadline = std::chrono::seconds(5);
  out.settling = std::chrono::seconds(2);
  return out;
}

/// Machines that have room for all disks of a trial.
void make_room(DiskRegion& region) {
  region.tell("nodes",
              {{"i-1", {{"zone", "sim-1a"}, {"most", 100}}}, {"i-2", {{"zone", "sim-1a"}, {"most", 100}}}});
}

std::vector<std::string> not_kept(DiskBackend& backend, Clock& clock, const TrialPlan& with) {
  std::vector<std::string> names;
  for (const CaseResult& each : try_backend(backend, clock, with, {})) {
    if (each.end == End::kKept) continue;
    UNSCOPED_INFO(to_string(each.end) << " " << each.name << ": " << each.why);
    names.push_back(each.name);
  }
  return names;
}

TEST_CASE("Alibaba's disks keep every promise", "[disk]") {
  for (const int settling : {0, 30}) {
    DYNAMIC_SECTION(settling << " ms to settle") {
      DiskRegion region{std::chrono::milliseconds(settling)};
      make_room(region);
      CHECK(not_kept(region.alibaba, region.clock, plan()).empty());
      CHECK(region.cloud.state()["disks"].empty());
      CHECK(region.cloud.state()["snapshots"].empty());
    }
  }
}

TEST_CASE("Tencent's disks keep every promise", "[disk]") {
  TrialPlan with = plan();
  with.performance = {.type = "CLOUD_PREMIUM"};
  with.modified = {.type = "CLOUD_SSD", .bursting = true};
  for (const int settling : {0, 30}) {
    DYNAMIC_SECTION(settling << " ms to settle") {
      DiskRegion region{std::chrono::milliseconds(settling)};
      make_room(region);
      CHECK(not_kept(region.tencent, region.clock, with).empty());
      CHECK(region.cloud.state()["disks"].empty());
      CHECK(region.cloud.state()["snapshots"].empty());
    }
  }
}

TEST_CASE("patience breaks no promise", "[disk]") {
  DiskRegion region{std::chrono::milliseconds(20)};
  make_room(region);
  PatientDisks patient(region.alibaba, region.clock);
  CHECK(not_kept(patient, region.clock, plan()).empty());
}

TEST_CASE("the trial leaves out what a backend cannot do, or what it was not given", "[disk]") {
  class Plain final : public ForwardingDisks {
   public:
    using ForwardingDisks::ForwardingDisks;
    [[nodiscard]] Abilities abilities() const override { return {.describe_most = 100}; }
  };
  DiskRegion region;
  make_room(region);
  Plain backend(region.alibaba);
  TrialPlan alone = plan();
  alone.other_node.clear();
  const std::vector<CaseResult> results = try_backend(backend, region.clock, alone, {});
  CHECK(std::ranges::count(results, End::kBroken, &CaseResult::end) == 0);
  CHECK(std::ranges::count(results, End::kLeftOut, &CaseResult::end) == 13);
}

// Each breaks one promise.
enum class Break : std::uint8_t {
  kTokens,
  kAbsence,
  kNames,
  kPages,
  kDeleteTwice,
  kDeleteAttached,
  kAttachTwice,
  kSteals,
  kDetachAny,
  kAttachNothing,
  kDetachNothing,
  kShrinks,
  kModifyForgets,
  kTagsReplace,
  kSnapshotTokens,
  kSnapshotList,
  kPatient,
  kNoNode,
};

class BrokenDisks final : public ForwardingDisks {
 public:
  BrokenDisks(DiskBackend& real, Break what) : ForwardingDisks(real), what_(what) {}

  Answer<std::string> create_disk(const DiskSpec& spec, const std::string& token,
                                  Deadline deadline) override {
    const Deadline given = what_ == Break::kPatient ? Deadline(5000) : deadline;
    return inner.create_disk(spec, what_ == Break::kTokens ? "" : token, given);
  }
  Done delete_disk(const std::string& id, Deadline deadline) override {
    if (what_ == Break::kDeleteTwice && inner.disks({id}, deadline)->empty()) return no_such_disk();
    if (what_ == Break::kDeleteAttached) {
      const Answer<std::vector<Disk>> found = inner.disks({id}, deadline);
      const std::vector<std::string> nodes =
          found->empty() ? std::vector<std::string>{} : found->front().nodes;
      for (const std::string& node : nodes) static_cast<void>(inner.detach_disk(id, node, deadline));
    }
    return inner.delete_disk(id, deadline);
  }
  Answer<std::vector<Disk>> disks(const std::vector<std::string>& ids, Deadline deadline) override {
    Answer<std::vector<Disk>> found = inner.disks(ids, deadline);
    if (what_ == Break::kAbsence && found && found->size() < ids.size())
      return tl::unexpected(no_such_disk().error());
    return found;
  }
  Answer<std::vector<Disk>> disks_named(const std::string& name, Deadline deadline) override {
    if (what_ != Break::kNames) return inner.disks_named(name, deadline);
    Answer<Page<Disk>> all = inner.list_disks("", 100, deadline);
    std::erase_if(all->items, [&](const Disk& each) { return !each.name.starts_with(name); });
    return all->items;
  }
  Answer<Page<Disk>> list_disks(const std::string& from, std::uint32_t most, Deadline deadline) override {
    Answer<Page<Disk>> page = inner.list_disks(from, most, deadline);
    if (what_ == Break::kPages && page && page->items.size() > 1) page->items.pop_back();
    return page;
  }
  Done attach_disk(const std::string& disk, const std::string& node, Deadline deadline) override {
    const Answer<std::vector<Disk>> found = inner.disks({disk}, deadline);
    const bool taken = found && !found->empty() && !found->front().nodes.empty();
    if (what_ == Break::kAttachTwice && taken) return in_use();
    if (what_ == Break::kAttachNothing && (!found || found->empty())) return in_use();
    if (what_ == Break::kSteals && taken && found->front().nodes.front() != node &&
        !found->front().multi_attach) {
      static_cast<void>(inner.detach_disk(disk, found->front().nodes.front(), deadline));
    }
    return inner.attach_disk(disk, node, deadline);
  }
  Done detach_disk(const std::string& disk, const std::string& node, Deadline deadline) override {
    const Answer<std::vector<Disk>> found = inner.disks({disk}, deadline);
    if (what_ == Break::kDetachNothing && (!found || found->empty())) return no_such_disk();
    const bool other = found && !found->empty() && found->front().nodes.size() == 1;
    return inner.detach_disk(disk, what_ == Break::kDetachAny && other ? found->front().nodes.front() : node,
                             deadline);
  }
  Done grow_disk(const std::string& disk, std::uint64_t gib, const std::string& token,
                 Deadline deadline) override {
    const Answer<std::vector<Disk>> found = inner.disks({disk}, deadline);
    const bool shrinks = found && !found->empty() && found->front().gib >= gib;
    return what_ == Break::kShrinks && shrinks ? in_use() : inner.grow_disk(disk, gib, token, deadline);
  }
  Done modify_disk(const std::string& disk, const Performance& performance, const std::string& token,
                   Deadline deadline) override {
    Performance wanted = performance;
    if (what_ == Break::kModifyForgets) wanted.iops.reset();
    return inner.modify_disk(disk, wanted, token, deadline);
  }
  Done tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                Deadline deadline) override {
    return inner.tag_disk(disk, set, what_ == Break::kTagsReplace ? std::vector<std::string>{} : unset,
                          deadline);
  }
  Answer<std::string> create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                      Deadline deadline) override {
    return inner.create_snapshot(spec, what_ == Break::kSnapshotTokens ? "" : token, deadline);
  }
  Answer<Page<Snapshot>> list_snapshots(const std::string& disk, const std::string& from, std::uint32_t most,
                                        Deadline deadline) override {
    return inner.list_snapshots(what_ == Break::kSnapshotList ? "" : disk, from, most, deadline);
  }
  Answer<std::optional<NodeFacts>> node(const std::string& id, Deadline deadline) override {
    if (what_ == Break::kNoNode) return std::optional<NodeFacts>(NodeFacts{.id = id, .zone = "sim-1a"});
    return inner.node(id, deadline);
  }

 private:
  static Done no_such_disk() {
    return cloud::ends(CallEnd::kNoSuchThing, "no such disk", "InvalidDiskId.NotFound");
  }
  static Done in_use() { return cloud::ends(CallEnd::kRefused, "in use", "IncorrectDiskStatus"); }

  const Break what_;
};

TEST_CASE("a promise that is broken is told by its case", "[disk]") {
  struct Case {
    Break what;
    const char* name;
  };
  const Case cases[] = {
      {Break::kTokens, "disk: calls with one token make one"},
      {Break::kAbsence, "disk: one that is not there is in no answer, and no error"},
      {Break::kNames, "disk: it is found by its name, and by no other"},
      {Break::kPages, "disk: all are listed once, page by page"},
      {Break::kDeleteTwice, "disk: it can be deleted twice, and one that never was"},
      {Break::kDeleteAttached, "attach: a disk that is attached is not deleted"},
      {Break::kAttachTwice, "attach: once or twice, it is on the node, and told to be"},
      {Break::kSteals, "attach: another node is refused a disk that is attached"},
      {Break::kDetachAny, "detach: from a node that has it not, it stays where it is"},
      {Break::kAttachNothing, "attach: a disk or a node that is not there is told so"},
      {Break::kDetachNothing, "detach: of a disk or from a node that is not there succeeds"},
      {Break::kShrinks, "grow: it grows once, and never shrinks"},
      {Break::kModifyForgets, "modify: what is given becomes so, what is not stays"},
      {Break::kTagsReplace, "tags: set over what is there, unset away, the others stay"},
      {Break::kSnapshotTokens, "snapshot: calls with one token make one"},
      {Break::kSnapshotList, "snapshot: those of a disk are listed once, page by page"},
      {Break::kPatient, "call: one without time left is not made"},
      {Break::kNoNode, "node: it is told, and one that is not there is not"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      DiskRegion region;
      make_room(region);
      BrokenDisks backend(region.alibaba, c.what);
      TrialPlan hasty = plan();
      hasty.settling = std::chrono::milliseconds(50);
      const std::vector<std::string> told = not_kept(backend, region.clock, hasty);
      CHECK(std::ranges::find(told, c.name) != told.end());
      CHECK(told.size() <= 6);
    }
  }
}

TEST_CASE("the program tells what is kept, and its status whether all is", "[disk]") {
  DiskRegion region;
  make_room(region);
  std::ofstream(region.folder / "credentials")
      << R"({"AccessKeyId": "sim-id", "AccessKeySecret": "sim-secret"})";
  std::vector<std::string> arguments{"--backend=alibaba",
                                     "--cloud-region=sim-1",
                                     "--cloud-endpoint=" + region.cloud.url(),
                                     "--cloud-credentials=" + (region.folder / "credentials").string(),
                                     "--node=i-1",
                                     "--other-node=i-2",
                                     "--zone=sim-1a",
                                     "--type=cloud_essd",
                                     "--modify-level=PL0"};
  std::ostringstream out;
  std::ostringstream error;
  INFO(out.str() << error.str());
  CHECK(disk_backend_conformance(arguments, out, error) == 0);
  CHECK(out.str().find("kept\tdisk: calls with one token make one\n") != std::string::npos);
  CHECK(out.str().find(" kept, 0 broken, 0 left out\n") != std::string::npos);
  arguments[4] = "--node=i-9";
  out.str("");
  CHECK(disk_backend_conformance(arguments, out, error) == 1);
  CHECK(out.str().find("broken\tnode: it is told, and one that is not there is not: node i-9") !=
        std::string::npos);
  arguments[4] = "--node=";
  CHECK(disk_backend_conformance(arguments, out, error) == 1);
  CHECK(error.str() == "--node names no machine\n");
}

}  // namespace
}  // namespace holdfast::disk
