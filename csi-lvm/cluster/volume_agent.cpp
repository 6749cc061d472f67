#include "csi-lvm/cluster/volume_agent.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "csi-lvm/cluster/storage_names.h"

namespace holdfast::lvm {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::chrono::seconds kWritePatience{20};
// However much there is to do, the figures are told after this.
constexpr std::chrono::milliseconds kLongestSilence{500};

kube::WatchOptions own_volumes(const std::string& node) {
  kube::WatchOptions options{.resource = logical_volumes(), .kept = logical_volume_fields()};
  options.restored_store_wait = kube::kConfirmAgain;
  options.label_selector = std::string(kNodeLabel) + "=" + node_hash(node);
  return options;
}

}  // namespace

/// What one look at LVM found.
struct VolumeAgent::Look {
  Result<Inventory> inventory = fail(Code::kUnavailable, "LVM was not asked");
  std::map<std::string, std::string> metadata{};  // by group
};

VolumeAgent::VolumeAgent(const Context& context, Options options)
    : context_(context),
      options_(std::move(options)),
      cache_(decode_logical_volume, {.changed =
                                         [this](const std::string& name) {
                                           if (cache_.find(name) == nullptr) retries_.erase(name);
                                           turn();
                                         },
                                     .listed =
                                         [this] {
                                           look_soon();
                                           turn();
                                         },
                                     .trouble = [this](const Error& error) { told_trouble(error); }}),
      watcher_(context.loop, context.http, own_volumes(options_.node), cache_, options_.seed),
      publisher_(
          context.loop, context.client,
          {.node = options_.node,
           .topology = options_.topology,
           .heartbeat = options_.heartbeat,
           .seed = options_.seed + 1},
          [this] { look_soon(); }, [this](const Error& error) { told_trouble(error); }),
      next_seed_(options_.seed + 3),
      worker_(std::make_unique<Worker>(context.loop)) {}

VolumeAgent::~VolumeAgent() { *alive_ = false; }

void VolumeAgent::start() {
  publisher_.start();
  working_ = true;
  const auto recovered = std::make_shared<Status>();  // shared with the thread
  run([this, recovered] { *recovered = context_.volumes.recover(options_.patience, context_.holds); },
      [this, recovered] {
        // What could not be removed now is, when its object is looked at, or at the next start.
        if (!*recovered) told_trouble(recovered->error());
        recovered_ = true;
        look_soon();
        turn();
      });
  watcher_.start();
}

void VolumeAgent::run(Worker::Job job, EventLoop::Callback done) {
  working_ = true;
  worker_->run(std::move(job), [this, alive = alive_, done = std::move(done)] {
    if (!*alive) return;
    working_ = false;
    done();
  });
}

void VolumeAgent::look_soon() {
  note_change();
  turn();
}

void VolumeAgent::note_change() {
  const nanoseconds wanted = now() + options_.settle;
  look_at_ = std::min(look_at_.value_or(wanted), wanted);
}

bool VolumeAgent::waits(const LogicalVolumeObject& object) const {
  const auto found = retries_.find(object.id.name);
  return found != retries_.end() && found->second.generation == object.generation &&
         found->second.not_before > now();
}

// Tombstones come first: what they free may be what others need.
const LogicalVolumeObject* VolumeAgent::next_object() const {
  const LogicalVolumeObject* next = nullptr;
  for (const auto& [name, object] : cache_.all()) {
    if (object.spec.node != options_.node || !has_work(object) || calls_.contains(name) || waits(object)) {
      continue;
    }
    if (object.deleting) return &object;
    if (next == nullptr) next = &object;
  }
  return next;
}

void VolumeAgent::turn() {
  if (working_ || !recovered_ || !cache_.has_list()) return;
  const bool look_overdue = look_at_ && now() >= *look_at_ + kLongestSilence;
  const LogicalVolumeObject* object = look_overdue ? nullptr : next_object();
  if (object != nullptr) return work(*object);
  if (look_at_ && now() >= *look_at_) return look();
  std::optional<nanoseconds> next = look_at_;
  for (const auto& [name, retry] : retries_) {
    if (retry.not_before > now()) next = std::min(next.value_or(retry.not_before), retry.not_before);
  }
  if (next) next_turn_ = context_.loop.after(*next - now(), [this] { turn(); });
}

void VolumeAgent::work(const LogicalVolumeObject& object) {
  const WorkTools tools{.lvm = context_.lvm,
                        .volumes = context_.volumes,
                        .book = context_.book,
                        .cluster = options_.cluster,
                        .patience = options_.patience,
                        .holds = context_.holds};
  const auto outcome = std::make_shared<WorkOutcome>();  // shared with the thread
  run([object, tools, outcome] { *outcome = work_on(object, tools); },
      [this, object, outcome, began = now()] {
        // A copy or a wipe that used up its time goes on soon, however often it has.
        if (now() - began >= options_.patience / 2) retries_.erase(object.id.name);
        worked(object, *outcome);
        turn();
      });
}

void VolumeAgent::worked(const LogicalVolumeObject& object, const WorkOutcome& outcome) {
  if (outcome.changed_lvm) note_change();
  const bool tells = outcome.status != object.status;
  const bool nothing_came_of_it = !tells && outcome.finalizer == FinalizerChange::kNone;
  if (outcome.again) {
    context_.log.warning("volume not done", {{"object", object.id.name}, {"why", outcome.status.message}});
  }
  if (outcome.again || nothing_came_of_it) {
    wait_for(object);
  } else {
    retries_.erase(object.id.name);
  }
  if (outcome.finalizer != FinalizerChange::kNone) {
    write_finalizers(object, outcome.finalizer);
  } else if (tells) {
    write_status(object, outcome.status);
  }
}

void VolumeAgent::wait_for(const LogicalVolumeObject& object) {
  const auto [found, is_new] = retries_.try_emplace(
      object.id.name,
      Retry{.backoff = Backoff(options_.first_wait, options_.longest_wait, next_seed_), .generation = 0});
  if (is_new) ++next_seed_;
  Retry& retry = found->second;
  retry.generation = object.generation;
  retry.not_before = now() + options_.first_wait / 2 + retry.backoff.next();
}

void VolumeAgent::write_status(const LogicalVolumeObject& object, const LogicalVolumeStatus& status) {
  const json patch{{"metadata", {{"resourceVersion", object.id.resource_version}}},
                   {"status", encode_status(status)}};
  calls_[object.id.name] = context_.client.merge(
      logical_volumes(), object.id.name, patch,
      [this, object](const Result<json>& kept) { wrote(object, kept, /*gone=*/false); },
      {.kept = logical_volume_fields(), .deadline = kWritePatience}, "status");
}

void VolumeAgent::write_finalizers(const LogicalVolumeObject& object, FinalizerChange change) {
  std::vector<std::string> finalizers = object.finalizers;
  std::erase(finalizers, kVolumeFinalizer);
  const bool gone = change == FinalizerChange::kDrop;
  if (!gone) finalizers.emplace_back(kVolumeFinalizer);
  const json patch{
      {"metadata", {{"resourceVersion", object.id.resource_version}, {"finalizers", finalizers}}}};
  calls_[object.id.name] =
      context_.client.merge(logical_volumes(), object.id.name, patch,
                            [this, object, gone](const Result<json>& kept) { wrote(object, kept, gone); },
                            {.kept = logical_volume_fields(), .deadline = kWritePatience});
}

void VolumeAgent::wrote(const LogicalVolumeObject& object, const Result<json>& kept, bool gone) {
  calls_.erase(object.id.name);
  if (!kept) {
    // Another's change will be told by the watch; ours is found again by the next look at the object.
    wait_for(object);
    if (kept.error().code != Code::kAborted) told_trouble(kept.error());
  } else if (gone) {
    retries_.erase(object.id.name);
    cache_.removed(object.id);
  } else {
    cache_.told(*kept);
  }
  turn();
}

void VolumeAgent::look() {
  look_at_.reset();
  const auto found = std::make_shared<Look>();  // shared with the thread
  run(
      [this, found] {
        found->inventory = context_.lvm.look(options_.patience);
        if (!found->inventory) return;
        context_.book.update(*found->inventory);
        if (!options_.metadata) return;
        for (const VolumeGroup& group : found->inventory->groups) {
          found->metadata[group.name] = options_.metadata(group.name);
        }
      },
      [this, found] {
        looked(*found);
        turn();
      });
}

void VolumeAgent::looked(const Look& found) {
  publisher_.publish(storage_of(found));
  if (!found.inventory) return;
  for (const auto& [name, object] : cache_.all()) {
    if (calls_.contains(name) || object.spec.node != options_.node) continue;
    const LogicalVolumeStatus status = observe(object, *found.inventory, context_.book.limits());
    if (status != object.status) write_status(object, status);
  }
}

NodeStorageStatus VolumeAgent::storage_of(const Look& found) {
  NodeStorageStatus status;
  if (!found.inventory) {
    status.trouble = found.inventory.error().message;
    status.groups = groups_;
    return status;
  }
  groups_ = report_groups(*found.inventory, options_.spare_bytes);
  for (GroupReport& group : groups_) {
    const auto metadata = found.metadata.find(group.name);
    const bool fits = metadata != found.metadata.end() && metadata->second.size() <= kMostMetadataBytes;
    if (fits) group.metadata = metadata->second;
  }
  status.groups = groups_;
  if (!cache_.is_whole()) return status;
  std::set<std::string> known;
  for (const auto& [name, object] : cache_.all()) known.insert(object.spec.volume_name);
  for (const VolumeGroup& group : found.inventory->groups) {
    for (const LogicalVolume& volume : group.volumes) {
      if (!is_ready_of(volume, options_.cluster) || known.contains(volume.name)) continue;
      ++status.orphan_count;
      if (status.orphans.size() >= kMostOrphans) continue;
      status.orphans.push_back({.group = group.name, .volume = volume.name, .size_bytes = volume.size_bytes});
    }
  }
  orphan_count_ = status.orphan_count;
  return status;
}

void VolumeAgent::told_trouble(const Error& error) {
  context_.log.warning("cluster", {{"why", error.message}});
}

}  // namespace holdfast::lvm
