#include <algorithm>
#include <map>

#include "common/base/result.h"
#include "csi-disk/conformance/trial.h"

namespace holdfast::disk {
namespace {

using cloud::Refusal;

constexpr const char* kNoSuchDisk = "d-holdfastnosuch0000";

Verdict sane_abilities(Trial& trial) {
  const Abilities first = trial.backend.abilities();
  HOLDFAST_CHECK(expect(first == trial.backend.abilities(), "abilities() changes"));
  return expect(first.create && first.describe_most > 0, "it cannot make disks, or describe one");
}

Verdict as_asked_for(Trial& trial) {
  const DiskSpec wanted = trial.spec(trial.fresh("asked"));
  HOLDFAST_TRY(
      const std::string id,
      must(trial.backend.create_disk(wanted, trial.fresh("token"), trial.plan.deadline), "create_disk()"));
  trial.made_disk(id);
  HOLDFAST_TRY(const Disk disk, trial.wait_for(id, DiskState::kAvailable));
  HOLDFAST_CHECK(expect(disk.name == wanted.name, "its name is '" + disk.name + "'"));
  HOLDFAST_CHECK(expect(disk.gib == wanted.gib, "it has " + std::to_string(disk.gib) + " GiB"));
  HOLDFAST_CHECK(
      expect(wanted.zone.empty() || disk.zone == wanted.zone, "it is in zone '" + disk.zone + "'"));
  HOLDFAST_CHECK(expect(wanted.performance.type.empty() || disk.performance.type == wanted.performance.type,
                        "its type is '" + disk.performance.type + "'"));
  HOLDFAST_CHECK(
      expect(disk.nodes.empty(), "it is attached to " + std::to_string(disk.nodes.size()) + " nodes"));
  return expect(disk.snapshot.empty() && !disk.encrypted && !disk.multi_attach && !disk.locked,
                "it is encrypted, shared, locked, or made of a snapshot");
}

Verdict one_per_token(Trial& trial) {
  const DiskSpec wanted = trial.spec(trial.fresh("once"));
  const std::string token = trial.fresh("token");
  HOLDFAST_TRY(const std::string first,
               must(trial.backend.create_disk(wanted, token, trial.plan.deadline), "create_disk()"));
  trial.made_disk(first);
  HOLDFAST_TRY(const std::string second,
               must(trial.backend.create_disk(wanted, token, trial.plan.deadline), "create_disk() again"));
  if (second != first) trial.made_disk(second);
  HOLDFAST_CHECK(expect(first == second, "it made " + first + " and " + second));
  HOLDFAST_TRY(const std::vector<Disk> named,
               must(trial.backend.disks_named(wanted.name, trial.plan.deadline), "disks_named()"));
  return expect(named.size() == 1 && named.front().id == first,
                std::to_string(named.size()) + " disks are called so");
}

Verdict another_per_token(Trial& trial) {
  const DiskSpec wanted = trial.spec(trial.fresh("twins"));
  std::vector<std::string> ids;
  for (int n = 0; n < 2; ++n) {
    HOLDFAST_TRY(
        const std::string id,
        must(trial.backend.create_disk(wanted, trial.fresh("token"), trial.plan.deadline), "create_disk()"));
    trial.made_disk(id);
    ids.push_back(id);
  }
  HOLDFAST_CHECK(expect(ids[0] != ids[1], "another token made no other disk"));
  HOLDFAST_TRY(const std::vector<Disk> named,
               must(trial.backend.disks_named(wanted.name, trial.plan.deadline), "disks_named()"));
  return expect(named.size() == 2, std::to_string(named.size()) + " disks are called so, of two");
}

Verdict refuses_what_is_not_sold(Trial& trial) {
  DiskSpec wanted = trial.spec(trial.fresh("unsold"));
  wanted.performance = {.type = "holdfast_no_such_type"};
  HOLDFAST_CHECK(refused(trial.backend.create_disk(wanted, trial.fresh("token"), trial.plan.deadline),
                         Refusal::kInvalid, "create_disk() of a type that there is not"));
  wanted = trial.spec(wanted.name);
  wanted.gib = std::uint64_t{1} << 30;
  return refused(trial.backend.create_disk(wanted, trial.fresh("token"), trial.plan.deadline),
                 Refusal::kInvalid, "create_disk() of a size that there is not");
}

Verdict absence(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  HOLDFAST_TRY(const std::vector<Disk> some,
               must(trial.backend.disks({kNoSuchDisk, disk.id}, trial.plan.deadline), "disks()"));
  HOLDFAST_CHECK(
      expect(some.size() == 1 && some.front().id == disk.id,
             "of one that is there and one that is not, it answers " + std::to_string(some.size())));
  HOLDFAST_TRY(const std::vector<Disk> none,
               must(trial.backend.disks({kNoSuchDisk}, trial.plan.deadline), "disks() of none"));
  HOLDFAST_CHECK(expect(none.empty(), "it answers a disk that is not there"));
  HOLDFAST_TRY(const std::vector<Disk> of_nothing,
               must(trial.backend.disks({}, trial.plan.deadline), "disks() without ids"));
  return expect(of_nothing.empty(), "asked for no id it answers " + std::to_string(of_nothing.size()));
}

Verdict as_many_as_told(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  std::vector<std::string> ids;
  for (std::uint32_t n = 1; n < trial.backend.abilities().describe_most; ++n) {
    ids.push_back(kNoSuchDisk + std::to_string(n));
  }
  ids.push_back(disk.id);
  HOLDFAST_TRY(const std::vector<Disk> found, must(trial.backend.disks(ids, trial.plan.deadline), "disks()"));
  return expect(found.size() == 1 && found.front().id == disk.id, "the one that is there is not answered");
}

Verdict by_name(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  HOLDFAST_TRY(const std::vector<Disk> found,
               must(trial.backend.disks_named(disk.name, trial.plan.deadline), "disks_named()"));
  HOLDFAST_CHECK(expect(found.size() == 1 && found.front().id == disk.id, "it is not found by its name"));
  for (const std::string& other :
       {disk.name + "x", disk.name.substr(0, disk.name.size() - 1), std::string("*")}) {
    HOLDFAST_TRY(const std::vector<Disk> others,
                 must(trial.backend.disks_named(other, trial.plan.deadline), "disks_named()"));
    const bool there = std::ranges::any_of(others, [&](const Disk& each) { return each.id == disk.id; });
    HOLDFAST_CHECK(expect(!there, "'" + disk.name + "' is found by '" + other + "'"));
  }
  return {};
}

Verdict listed_once(Trial& trial) {
  std::map<std::string, int> seen;
  for (int n = 0; n < 3; ++n) {
    HOLDFAST_TRY(const Disk disk, trial.make_disk());
    seen[disk.id] = 0;
  }
  constexpr std::uint32_t kMost = 2;
  constexpr int kMostPages = 10'000;
  std::string from;
  for (int pages = 0; pages < kMostPages; ++pages) {
    HOLDFAST_TRY(const Page<Disk> page,
                 must(trial.backend.list_disks(from, kMost, trial.plan.deadline), "list_disks()"));
    HOLDFAST_CHECK(expect(page.items.size() <= kMost, "a page has more than was asked for"));
    for (const Disk& each : page.items) {
      if (seen.contains(each.id)) ++seen[each.id];
    }
    if (page.next.empty()) break;
    HOLDFAST_CHECK(expect(page.next != from, "a page is followed by itself"));
    from = page.next;
  }
  for (const auto& [id, count] : seen) {
    HOLDFAST_CHECK(expect(count == 1, "disk " + id + " is listed " + std::to_string(count) + " times"));
  }
  return {};
}

Verdict foreign_page(Trial& trial) {
  return refused(trial.backend.list_disks("holdfast no such page", 2, trial.plan.deadline), Refusal::kInvalid,
                 "list_disks() from a page that was never told");
}

Verdict deleted(Trial& trial) {
  HOLDFAST_TRY(const Disk disk, trial.make_disk());
  HOLDFAST_CHECK(must(trial.backend.delete_disk(disk.id, trial.plan.deadline), "delete_disk()"));
  HOLDFAST_CHECK(trial.wait_gone(disk.id));
  HOLDFAST_CHECK(must(trial.backend.delete_disk(disk.id, trial.plan.deadline), "delete_disk() again"));
  HOLDFAST_TRY(const std::vector<Disk> named,
               must(trial.backend.disks_named(disk.name, trial.plan.deadline), "disks_named()"));
  HOLDFAST_CHECK(expect(named.empty(), "it is found by its name, deleted"));
  return must(trial.backend.delete_disk(kNoSuchDisk, trial.plan.deadline),
              "delete_disk() of one that never was");
}

Verdict in_stock(Trial& trial) {
  HOLDFAST_TRY(const std::vector<std::string> types,
               must(trial.backend.types_in_stock(trial.plan.zone, trial.plan.deadline), "types_in_stock()"));
  const std::string& wanted = trial.plan.performance.type;
  const bool there = wanted.empty() || std::ranges::find(types, wanted) != types.end();
  return expect(there && !types.empty(), "'" + wanted + "' is not told to be in stock");
}

}  // namespace

std::vector<TrialCase> disk_cases() {
  return {
      {.name = "disk: what the backend can do does not change", .run = &sane_abilities},
      {.name = "disk: it is made as it was asked for", .run = &as_asked_for},
      {.name = "disk: calls with one token make one", .run = &one_per_token},
      {.name = "disk: another token makes another, of that name too", .run = &another_per_token},
      {.name = "disk: what is not sold is refused as invalid", .run = &refuses_what_is_not_sold},
      {.name = "disk: one that is not there is in no answer, and no error", .run = &absence},
      {.name = "disk: as many ids as told may be asked for", .run = &as_many_as_told},
      {.name = "disk: it is found by its name, and by no other", .run = &by_name},
      {.name = "disk: all are listed once, page by page", .run = &listed_once},
      {.name = "disk: a page that was never told is refused as invalid", .run = &foreign_page},
      {.name = "disk: it can be deleted twice, and one that never was", .run = &deleted},
      {.name = "disk: the type that is used is in stock", .run = &in_stock},
  };
}

}  // namespace holdfast::disk
