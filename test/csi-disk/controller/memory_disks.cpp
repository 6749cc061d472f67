#include "test/csi-disk/controller/memory_disks.h"

#include <algorithm>

namespace holdfast::disk {
namespace {

using cloud::Answer;
using cloud::CallEnd;
using cloud::Done;
using cloud::ends;

constexpr std::string_view kPageMark = "after:";

std::string padded(std::size_t number) {
  constexpr std::size_t kDigits = 8;
  std::string text = std::to_string(number);
  return std::string(kDigits - std::min(kDigits, text.size()), '0') + text;
}

auto refused(const std::string& code) { return ends(CallEnd::kRefused, "the cloud says " + code, code); }

bool holds(const std::vector<std::string>& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

std::string text_of(const DiskSpec& spec) {
  std::string text = spec.name + "|" + std::to_string(spec.gib) + "|" + spec.performance.type + "|" +
                     spec.performance.level + "|" + spec.zone + "|" + spec.snapshot;
  for (const auto& [key, value] : spec.tags) text += "|" + key + "=" + value;
  return text;
}

template <class T, class Things, class Fits>
Page<T> page_of(const Things& things, const std::string& from, std::uint32_t most, const Fits& fits) {
  Page<T> page;
  const std::string last = from.empty() ? "" : from.substr(kPageMark.size());
  for (auto each = things.upper_bound(last); each != things.end(); ++each) {
    if (!fits(each->second)) continue;
    if (page.items.size() == most) {
      page.next = std::string(kPageMark) + page.items.back().id;
      break;
    }
    page.items.push_back(fits.item(each->second));
  }
  return page;
}

}  // namespace

std::optional<MemoryDisks::Fault> MemoryDisks::begin(const std::string& name) {
  ++calls_[name];
  ++count_;
  settle();
  return fault ? fault(count_, name) : std::nullopt;
}

template <class T>
cloud::Answer<T> MemoryDisks::call(const std::string& name, Deadline deadline,
                                   const std::function<Answer<T>()>& work) {
  const std::scoped_lock lock(mutex_);
  if (deadline <= Deadline(0)) return ends(CallEnd::kNotSent, "no time is left");
  const std::optional<Fault> wrong = begin(name);
  if (wrong == Fault::kNotSent) return ends(CallEnd::kNotSent, "connection refused");
  if (wrong == Fault::kThrottled) return ends(CallEnd::kThrottled, "too many calls", "Throttling");
  if (wrong == Fault::kRefused) return ends(CallEnd::kRefused, "no such feature", "Strange.Code");
  if (wrong == Fault::kBusy)
    return ends(CallEnd::kRefused, "the machine is stopped", "IncorrectInstanceStatus");
  if (wrong == Fault::kLost) return ends(CallEnd::kUnknownOutcome, "timed out");
  Answer<T> answer = work();
  if (wrong == Fault::kUnanswered) return ends(CallEnd::kUnknownOutcome, "timed out");
  if (wrong == Fault::kKilled) throw Killed{};
  return answer;
}

void MemoryDisks::settle() {
  const std::chrono::nanoseconds now = clock_.since_boot();
  for (auto& [id, kept] : disks_) {
    kept.disk.locked = in_arrears;
    if (kept.settles > now || !kept.then) continue;
    std::exchange(kept.then, {})(kept.disk);
  }
  std::erase_if(disks_, [](const auto& each) { return each.second.disk.id.empty(); });
  for (auto& [id, kept] : snapshots_) {
    if (kept.settles > now || kept.snapshot.failed) continue;
    kept.snapshot.ready = !snapshots_fail;
    kept.snapshot.failed = snapshots_fail;
  }
}

MemoryDisks::KeptDisk* MemoryDisks::find(const std::string& id) {
  const auto found = disks_.find(id);
  return found == disks_.end() ? nullptr : &found->second;
}

Done MemoryDisks::refuse_change() const {
  if (in_arrears) return refused("InvalidAccountStatus.NotEnoughBalance");
  return {};
}

Done MemoryDisks::start(KeptDisk& kept, DiskState meanwhile, std::function<void(Disk&)> then) {
  kept.disk.state = meanwhile;
  kept.settles = clock_.since_boot() + settling_;
  kept.then = std::move(then);
  if (settling_.count() == 0) std::exchange(kept.then, {})(kept.disk);
  return {};
}

bool MemoryDisks::is_feeding(const std::string& snapshot) const {
  return std::ranges::any_of(disks_, [&](const auto& each) {
    return each.second.disk.snapshot == snapshot && each.second.disk.state == DiskState::kCreating;
  });
}

Answer<std::string> MemoryDisks::make(const DiskSpec& spec) {
  const std::string zone = spec.zone.empty() ? zones.front() : spec.zone;
  const std::pair<std::string, std::string> shelf{zone, spec.performance.type};
  if (!holds(zones, zone)) return refused("InvalidZoneId.NotFound");
  if (!types.contains(spec.performance.type) || not_sold.contains(shelf))
    return refused("InvalidDiskCategory");
  constexpr std::uint64_t kMostGib = 65536;  // of any disk
  if (spec.gib == 0 || spec.gib > kMostGib) return refused("InvalidDiskSize.NotSupported");
  if (sold_out.contains(shelf)) return refused("OperationDenied.NoStock");
  if (!spec.snapshot.empty()) {
    const auto source = snapshots_.find(spec.snapshot);
    if (source == snapshots_.end())
      return ends(CallEnd::kNoSuchThing, "no snapshot", "InvalidSnapshotId.NotFound");
    if (!source->second.snapshot.ready) return refused("IncorrectSnapshotStatus.InUse");
    if (spec.gib < source->second.snapshot.gib) return refused("InvalidDiskSize.TooSmall");
  }
  const std::string id = "d-" + padded(++made_);
  KeptDisk& kept = disks_[id];
  kept.made = clock_.since_boot();
  kept.disk = {.id = id,
               .name = spec.name,
               .gib = spec.gib,
               .performance = spec.performance,
               .zone = zone,
               .serial = padded(made_),
               .snapshot = spec.snapshot,
               .encrypted = spec.encrypted,
               .multi_attach = spec.multi_attach,
               .tags = spec.tags};
  kept.disk.performance.bursting = spec.performance.bursting.value_or(false);
  if (spec.performance.type == "cloud_essd" && spec.performance.level.empty())
    kept.disk.performance.level = "PL1";
  static_cast<void>(
      start(kept, DiskState::kCreating, [](Disk& disk) { disk.state = DiskState::kAvailable; }));
  return id;
}

Answer<std::string> MemoryDisks::create_disk(const DiskSpec& spec, const std::string& token,
                                             Deadline deadline) {
  return call<std::string>("create_disk", deadline, [&]() -> Answer<std::string> {
    const auto known = tokens_.find(token);
    if (known != tokens_.end()) {
      if (known->second.first != text_of(spec)) return refused("IdempotentParameterMismatch");
      return known->second.second;
    }
    if (const Done allowed = refuse_change(); !allowed) return tl::unexpected(allowed.error());
    Answer<std::string> made = make(spec);
    if (made) tokens_[token] = {text_of(spec), *made};
    return made;
  });
}

Done MemoryDisks::delete_disk(const std::string& id, Deadline deadline) {
  return call<void>("delete_disk", deadline, [&]() -> Done {
    KeptDisk* const kept = find(id);
    if (kept == nullptr) return {};
    const bool cutting = std::ranges::any_of(snapshots_, [&](const auto& each) {
      return each.second.snapshot.disk == id && !each.second.snapshot.ready && !each.second.snapshot.failed;
    });
    if (kept->disk.state != DiskState::kAvailable || cutting) return refused("IncorrectDiskStatus");
    return start(*kept, DiskState::kOther, [](Disk& disk) { disk.id.clear(); });
  });
}

Answer<std::vector<Disk>> MemoryDisks::disks(const std::vector<std::string>& ids, Deadline deadline) {
  return call<std::vector<Disk>>("disks", deadline, [&]() -> Answer<std::vector<Disk>> {
    std::vector<Disk> out;
    for (const std::string& id : ids) {
      if (KeptDisk* const kept = find(id); kept != nullptr && !kept->disk.id.empty())
        out.push_back(kept->disk);
    }
    return out;
  });
}

Answer<std::vector<Disk>> MemoryDisks::disks_named(const std::string& name, Deadline deadline) {
  return call<std::vector<Disk>>("disks_named", deadline, [&]() -> Answer<std::vector<Disk>> {
    std::vector<Disk> out;
    for (const auto& [id, kept] : disks_) {
      const bool shown = clock_.since_boot() >= kept.made + names_lag;
      if (shown && kept.disk.name == name) out.push_back(kept.disk);
    }
    return out;
  });
}

Answer<Page<Disk>> MemoryDisks::list_disks(const std::string& from, std::uint32_t most, Deadline deadline) {
  return call<Page<Disk>>("list_disks", deadline, [&]() -> Answer<Page<Disk>> {
    if (!from.empty() && !from.starts_with(kPageMark)) return refused("InvalidParameter.NextToken");
    struct {
      bool operator()(const KeptDisk&) const { return true; }
      Disk item(const KeptDisk& kept) const { return kept.disk; }
    } const all;
    return page_of<Disk>(disks_, from, most, all);
  });
}

Done MemoryDisks::attach_disk(const std::string& id, const std::string& node, Deadline deadline) {
  return call<void>("attach_disk", deadline, [&]() -> Done {
    KeptDisk* const kept = find(id);
    if (kept == nullptr) return ends(CallEnd::kNoSuchThing, "no disk", "InvalidDiskId.NotFound");
    const auto to = nodes.find(node);
    if (to == nodes.end()) return ends(CallEnd::kNoSuchThing, "no node", "InvalidInstanceId.NotFound");
    if (const Done allowed = refuse_change(); !allowed) return allowed;
    Disk& disk = kept->disk;
    if (holds(disk.nodes, node) && disk.state != DiskState::kDetaching) return {};
    if (!disk.nodes.empty() && !disk.multi_attach) return refused("DiskInUse");
    if (disk.state != DiskState::kAvailable && disk.state != DiskState::kInUse)
      return refused("IncorrectDiskStatus");
    if (to->second.zone != disk.zone) return refused("InvalidDisk.ZoneMismatch");
    const auto attached =
        std::ranges::count_if(disks_, [&](const auto& each) { return holds(each.second.disk.nodes, node); });
    if (attached >= static_cast<std::ptrdiff_t>(to->second.most_disks))
      return refused("InstanceDiskLimitExceeded");
    disk.nodes.push_back(node);
    return start(*kept, DiskState::kAttaching, [](Disk& each) { each.state = DiskState::kInUse; });
  });
}

Done MemoryDisks::detach_disk(const std::string& id, const std::string& node, Deadline deadline) {
  return call<void>("detach_disk", deadline, [&]() -> Done {
    KeptDisk* const kept = find(id);
    if (kept == nullptr || !holds(kept->disk.nodes, node)) return {};
    if (kept->disk.state == DiskState::kDetaching) return {};
    if (kept->disk.state != DiskState::kInUse) return refused("IncorrectDiskStatus");
    return start(*kept, DiskState::kDetaching, [node](Disk& disk) {
      std::erase(disk.nodes, node);
      disk.state = disk.nodes.empty() ? DiskState::kAvailable : DiskState::kInUse;
    });
  });
}

Done MemoryDisks::grow_disk(const std::string& id, std::uint64_t gib, const std::string& /*token*/,
                            Deadline deadline) {
  return call<void>("grow_disk", deadline, [&]() -> Done {
    KeptDisk* const kept = find(id);
    if (kept == nullptr) return ends(CallEnd::kNoSuchThing, "no disk", "InvalidDiskId.NotFound");
    if (const Done allowed = refuse_change(); !allowed) return allowed;
    if (kept->disk.gib >= gib) return {};
    if (kept->then) return refused("IncorrectDiskStatus");
    const DiskState before = kept->disk.state;
    return start(*kept, DiskState::kOther, [gib, before](Disk& disk) {
      disk.gib = gib;
      disk.state = before;
    });
  });
}

Done MemoryDisks::modify_disk(const std::string& id, const Performance& to, const std::string& /*token*/,
                              Deadline deadline) {
  return call<void>("modify_disk", deadline, [&]() -> Done {
    KeptDisk* const kept = find(id);
    if (kept == nullptr) return ends(CallEnd::kNoSuchThing, "no disk", "InvalidDiskId.NotFound");
    if (const Done allowed = refuse_change(); !allowed) return allowed;
    if (to == Performance{}) return {};
    if (to.bursting && refuses_bursting) return refused("InvalidParameter.Bursting");
    if (kept->then) return refused("IncorrectDiskStatus");
    const DiskState before = kept->disk.state;
    return start(*kept, DiskState::kOther, [to, before](Disk& disk) {
      if (!to.type.empty()) disk.performance.type = to.type;
      if (!to.level.empty()) disk.performance.level = to.level;
      if (to.iops) disk.performance.iops = to.iops;
      if (to.bursting) disk.performance.bursting = to.bursting;
      disk.state = before;
    });
  });
}

Done MemoryDisks::tag_disk(const std::string& id, const Tags& set, const std::vector<std::string>& unset,
                           Deadline deadline) {
  return call<void>("tag_disk", deadline, [&]() -> Done {
    KeptDisk* const kept = find(id);
    if (kept == nullptr) return ends(CallEnd::kNoSuchThing, "no disk", "InvalidDiskId.NotFound");
    for (const auto& [key, value] : set) kept->disk.tags[key] = value;
    for (const std::string& key : unset) kept->disk.tags.erase(key);
    return {};
  });
}

Answer<std::string> MemoryDisks::create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                                 Deadline deadline) {
  return call<std::string>("create_snapshot", deadline, [&]() -> Answer<std::string> {
    const auto known = tokens_.find(token);
    if (known != tokens_.end()) return known->second.second;
    KeptDisk* const kept = find(spec.disk);
    if (kept == nullptr) return ends(CallEnd::kNoSuchThing, "no disk", "InvalidDiskId.NotFound");
    if (const Done allowed = refuse_change(); !allowed) return tl::unexpected(allowed.error());
    if (refuses_unused) return ends(CallEnd::kRefused, "never attached", "IncorrectDiskStatus.NeverAttached");
    const std::string id = "s-" + padded(++made_);
    const auto wall = std::chrono::floor<std::chrono::seconds>(clock_.now());
    snapshots_[id] = {.snapshot = {.id = id,
                                   .name = spec.name,
                                   .disk = spec.disk,
                                   .gib = kept->disk.gib,
                                   .cut = wall,
                                   .ready = settling_.count() == 0 && !snapshots_fail,
                                   .failed = settling_.count() == 0 && snapshots_fail,
                                   .tags = spec.tags},
                      .settles = clock_.since_boot() + settling_};
    tokens_[token] = {spec.name, id};
    return id;
  });
}

Done MemoryDisks::delete_snapshot(const std::string& id, Deadline deadline) {
  return call<void>("delete_snapshot", deadline, [&]() -> Done {
    if (is_feeding(id)) return refused("SnapshotInUse");
    snapshots_.erase(id);
    return {};
  });
}

Answer<std::vector<Snapshot>> MemoryDisks::snapshots(const std::vector<std::string>& ids, Deadline deadline) {
  return call<std::vector<Snapshot>>("snapshots", deadline, [&]() -> Answer<std::vector<Snapshot>> {
    std::vector<Snapshot> out;
    for (const std::string& id : ids) {
      if (const auto found = snapshots_.find(id); found != snapshots_.end())
        out.push_back(found->second.snapshot);
    }
    return out;
  });
}

Answer<std::vector<Snapshot>> MemoryDisks::snapshots_named(const std::string& name, Deadline deadline) {
  return call<std::vector<Snapshot>>("snapshots_named", deadline, [&]() -> Answer<std::vector<Snapshot>> {
    std::vector<Snapshot> out;
    for (const auto& [id, kept] : snapshots_) {
      if (kept.snapshot.name == name) out.push_back(kept.snapshot);
    }
    return out;
  });
}

Answer<Page<Snapshot>> MemoryDisks::list_snapshots(const std::string& disk, const std::string& from,
                                                   std::uint32_t most, Deadline deadline) {
  return call<Page<Snapshot>>("list_snapshots", deadline, [&]() -> Answer<Page<Snapshot>> {
    if (!from.empty() && !from.starts_with(kPageMark)) return refused("InvalidParameter.NextToken");
    struct Of {
      const std::string& disk;
      bool operator()(const KeptSnapshot& kept) const { return disk.empty() || kept.snapshot.disk == disk; }
      Snapshot item(const KeptSnapshot& kept) const { return kept.snapshot; }
    };
    return page_of<Snapshot>(snapshots_, from, most, Of{disk});
  });
}

Answer<std::optional<NodeFacts>> MemoryDisks::node(const std::string& id, Deadline deadline) {
  return call<std::optional<NodeFacts>>("node", deadline, [&]() -> Answer<std::optional<NodeFacts>> {
    const auto found = nodes.find(id);
    if (found == nodes.end()) return std::optional<NodeFacts>();
    return std::optional(
        NodeFacts{.id = id, .zone = found->second.zone, .attach_limit = found->second.most_disks});
  });
}

Answer<std::vector<std::string>> MemoryDisks::types_in_stock(const std::string& zone, Deadline deadline) {
  return call<std::vector<std::string>>(
      "types_in_stock", deadline, [&]() -> Answer<std::vector<std::string>> {
        std::vector<std::string> out;
        for (const std::string& type : types) {
          const bool there = std::ranges::any_of(zones, [&](const std::string& each) {
            return (zone.empty() || each == zone) && !sold_out.contains({each, type}) &&
                   !not_sold.contains({each, type});
          });
          if (there) out.push_back(type);
        }
        return out;
      });
}

std::map<std::string, std::size_t> MemoryDisks::calls() const {
  const std::scoped_lock lock(mutex_);
  return calls_;
}

std::size_t MemoryDisks::call_count() const {
  const std::scoped_lock lock(mutex_);
  return count_;
}

void MemoryDisks::forget_calls() {
  const std::scoped_lock lock(mutex_);
  calls_.clear();
  count_ = 0;
}

std::vector<Disk> MemoryDisks::all_disks() {
  const std::scoped_lock lock(mutex_);
  settle();
  std::vector<Disk> out;
  for (const auto& [id, kept] : disks_) out.push_back(kept.disk);
  return out;
}

std::vector<Snapshot> MemoryDisks::all_snapshots() {
  const std::scoped_lock lock(mutex_);
  settle();
  std::vector<Snapshot> out;
  for (const auto& [id, kept] : snapshots_) out.push_back(kept.snapshot);
  return out;
}

std::string MemoryDisks::put_disk(Disk disk) {
  const std::scoped_lock lock(mutex_);
  disk.id = "d-" + padded(++made_);
  const std::string id = disk.id;
  disks_[id].disk = std::move(disk);
  return id;
}

void MemoryDisks::drop_disk(const std::string& id) {
  const std::scoped_lock lock(mutex_);
  disks_.erase(id);
}

}  // namespace holdfast::disk
