#include <algorithm>
#include <thread>

#include "common/base/result.h"
#include "csi-disk/conformance/trial.h"

namespace holdfast::disk {
namespace {

using cloud::Refusal;

constexpr const char* kNoSuchDisk = "d-holdfastnosuch0000";
constexpr const char* kNoSuchNode = "i-holdfastnosuch0000";

bool is_on(const Disk& disk, const std::string& node) {
  return std::ranges::find(disk.nodes, node) != disk.nodes.end();
}
Verdict only_on(const Disk& disk, const std::string& node) {
  return expect(disk.nodes == std::vector<std::string>{node},
                "disk " + disk.id + " is not told to be on " + node + " alone");
}

Verdict attaches(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  HOLDFAST_CHECK(
      must(trial.backend.attach_disk(disk.id, trial.plan.node, trial.plan.deadline), "attach_disk()"));
  HOLDFAST_CHECK(must(trial.backend.attach_disk(disk.id, trial.plan.node, trial.plan.deadline),
                      "attach_disk() of one that is on its way"));
  HOLDFAST_TRY(const Disk now, trial.wait_for(disk.id, DiskState::kInUse));
  HOLDFAST_CHECK(only_on(now, trial.plan.node));
  return must(trial.backend.attach_disk(disk.id, trial.plan.node, trial.plan.deadline),
              "attach_disk() of one that is attached");
}

Verdict detaches(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_attached());
  HOLDFAST_CHECK(
      must(trial.backend.detach_disk(disk.id, trial.plan.node, trial.plan.deadline), "detach_disk()"));
  HOLDFAST_CHECK(must(trial.backend.detach_disk(disk.id, trial.plan.node, trial.plan.deadline),
                      "detach_disk() of one that is on its way off"));
  HOLDFAST_TRY(const Disk now, trial.wait_for(disk.id, DiskState::kAvailable));
  HOLDFAST_CHECK(expect(now.nodes.empty(), "it is detached, and on a node"));
  return must(trial.backend.detach_disk(disk.id, trial.plan.node, trial.plan.deadline),
              "detach_disk() of one that is detached");
}

Verdict keeps_what_is_attached(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_attached());
  HOLDFAST_CHECK(refused(trial.backend.delete_disk(disk.id, trial.plan.deadline), Refusal::kInUse,
                         "delete_disk() of one that is attached"));
  HOLDFAST_TRY(const Disk now, trial.look(disk.id));
  return only_on(now, trial.plan.node);
}

Verdict refuses_another_node(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_attached());
  HOLDFAST_CHECK(refused(trial.backend.attach_disk(disk.id, trial.plan.other_node, trial.plan.deadline),
                         Refusal::kInUse, "attach_disk() to another node"));
  HOLDFAST_TRY(const Disk now, trial.look(disk.id));
  return only_on(now, trial.plan.node);
}

Verdict leaves_another_node(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_attached());
  HOLDFAST_CHECK(must(trial.backend.detach_disk(disk.id, trial.plan.other_node, trial.plan.deadline),
                      "detach_disk() from a node that has it not"));
  HOLDFAST_TRY(const Disk now, trial.look(disk.id));
  HOLDFAST_CHECK(only_on(now, trial.plan.node));
  return expect(now.state == DiskState::kInUse, "it was taken from the node that has it");
}

// Two nodes at the same time: one gets it at most, and who does is told it.
Verdict races(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  cloud::Done first;
  cloud::Done second;
  std::thread other(
      [&] { second = trial.backend.attach_disk(disk.id, trial.plan.other_node, trial.plan.deadline); });
  first = trial.backend.attach_disk(disk.id, trial.plan.node, trial.plan.deadline);
  other.join();
  HOLDFAST_CHECK(expect(!first || !second, "two nodes got it"));
  HOLDFAST_CHECK(expect(first || second, "of two nodes that asked for it none got it"));
  HOLDFAST_TRY(const Disk now, trial.wait_for(disk.id, DiskState::kInUse));
  return only_on(now, first ? trial.plan.node : trial.plan.other_node);
}

Verdict nothing_to_attach(Trial& trial) {
  HOLDFAST_CHECK(absent(trial.backend.attach_disk(kNoSuchDisk, trial.plan.node, trial.plan.deadline),
                        "attach_disk() of a disk that is not there"));
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  HOLDFAST_CHECK(absent(trial.backend.attach_disk(disk.id, kNoSuchNode, trial.plan.deadline),
                        "attach_disk() to a node that is not there"));
  HOLDFAST_TRY(const Disk now, trial.look(disk.id));
  return expect(now.nodes.empty(), "it is on a node");
}

Verdict nothing_to_detach(Trial& trial) {
  HOLDFAST_CHECK(must(trial.backend.detach_disk(kNoSuchDisk, trial.plan.node, trial.plan.deadline),
                      "detach_disk() of a disk that is not there"));
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  return must(trial.backend.detach_disk(disk.id, kNoSuchNode, trial.plan.deadline),
              "detach_disk() from a node that is not there");
}

Verdict shared(Trial& trial) {
  DiskSpec wanted = trial.spec(trial.fresh("shared"));
  wanted.multi_attach = true;
  HOLDFAST_TRY(const std::string id,
               must(trial.backend.create_disk(wanted, trial.fresh("token"), trial.plan.deadline),
                    "create_disk() of a shared one"));
  trial.made_disk(id);
  HOLDFAST_TRY(const Disk fresh, trial.wait_for(id, DiskState::kAvailable));
  HOLDFAST_CHECK(expect(fresh.multi_attach, "it is not told to be shared"));
  const std::string both[] = {trial.plan.node, trial.plan.other_node};
  for (const std::string& node : both) {
    HOLDFAST_CHECK(must(trial.backend.attach_disk(id, node, trial.plan.deadline), "attach_disk()"));
    HOLDFAST_TRY(const Disk now, trial.wait_for(id, DiskState::kInUse));
    HOLDFAST_CHECK(expect(is_on(now, node), "it is not told to be on " + node));
  }
  HOLDFAST_TRY(const Disk on_both, trial.look(id));
  HOLDFAST_CHECK(expect(on_both.nodes.size() == 2, "it is not told to be on both nodes"));
  HOLDFAST_CHECK(must(trial.backend.detach_disk(id, trial.plan.node, trial.plan.deadline), "detach_disk()"));
  HOLDFAST_TRY(const Disk now, trial.wait_for(
                                   id, [&](const Disk& disk) { return !is_on(disk, trial.plan.node); },
                                   "off one of its nodes"));
  return only_on(now, trial.plan.other_node);
}

Verdict node_facts(Trial& trial) {
  HOLDFAST_TRY(const std::optional<NodeFacts> facts,
               must(trial.backend.node(trial.plan.node, trial.plan.deadline), "node()"));
  HOLDFAST_CHECK(expect(facts.has_value(), "node " + trial.plan.node + " is told not to be there"));
  HOLDFAST_CHECK(expect(facts->id == trial.plan.node, "it answers for node '" + facts->id + "'"));
  HOLDFAST_CHECK(expect(trial.plan.zone.empty() || facts->zone == trial.plan.zone,
                        "it is told to be in zone '" + facts->zone + "'"));
  HOLDFAST_TRY(const std::optional<NodeFacts> none,
               must(trial.backend.node(kNoSuchNode, trial.plan.deadline), "node() of one that is not there"));
  return expect(!none.has_value(), "a node that is not there is told to be");
}

}  // namespace

std::vector<TrialCase> attach_cases() {
  return {
      {.name = "attach: once or twice, it is on the node, and told to be", .run = &attaches},
      {.name = "attach: a disk that is attached is not deleted", .run = &keeps_what_is_attached},
      {.name = "attach: another node is refused a disk that is attached",
       .run = &refuses_another_node,
       .needs_other_node = true},
      {.name = "attach: of two nodes at the same time one gets it", .run = &races, .needs_other_node = true},
      {.name = "attach: a disk or a node that is not there is told so", .run = &nothing_to_attach},
      {.name = "attach: a shared disk is on both nodes, and leaves one",
       .run = &shared,
       .needs = [](const Abilities& abilities) { return abilities.multi_attach; },
       .needs_other_node = true},
      {.name = "detach: once or more, it is off the node", .run = &detaches},
      {.name = "detach: from a node that has it not, it stays where it is",
       .run = &leaves_another_node,
       .needs_other_node = true},
      {.name = "detach: of a disk or from a node that is not there succeeds", .run = &nothing_to_detach},
      {.name = "node: it is told, and one that is not there is not", .run = &node_facts},
  };
}

}  // namespace holdfast::disk
