#include "csi-disk/backend/patient_disks.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace holdfast::disk {

using cloud::Answer;
using cloud::CallEnd;
using cloud::CallError;
using cloud::Done;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Asks for ids, one call at a time. Who comes first makes the call, for all who came until it goes out.
class PatientDisks::Describes {
 public:
  using Found = Answer<std::vector<Disk>>;
  using Ask = std::function<Found(const std::vector<std::string>& ids, Deadline deadline)>;

  Describes(Clock& clock, milliseconds gather, std::size_t most)
      : clock_(clock), gather_(gather), most_(most) {}

  // nullopt: `end`, since boot, came before an answer did.
  std::optional<Found> ask(const std::vector<std::string>& ids, nanoseconds end, const Ask& call);

 private:
  struct Batch {
    std::set<std::string> ids;
    bool closed = false;  // it is under way, or answered
    std::optional<Found> answer;
  };
  bool lead(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Batch>& batch, nanoseconds end,
            const Ask& call);
  [[nodiscard]] static Found some_of(const Found& all, const std::vector<std::string>& ids);
  // Until `ready` says so. False: `end` came first.
  template <class Ready>
  bool wait(std::unique_lock<std::mutex>& lock, nanoseconds end, const Ready& ready);

  Clock& clock_;
  const milliseconds gather_;
  const std::size_t most_;
  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  bool calling_ = false;
  // Shared by all whose ids are in it: whoever leaves last drops it. Null: who comes next begins one.
  std::shared_ptr<Batch> open_;
};

template <class Ready>
bool PatientDisks::Describes::wait(std::unique_lock<std::mutex>& lock, nanoseconds end, const Ready& ready) {
  while (!ready()) {
    const nanoseconds now = clock_.since_boot();
    if (now >= end) return false;
    changed_.wait_for(lock, end - now);
  }
  return true;
}

PatientDisks::Describes::Found PatientDisks::Describes::some_of(const Found& all,
                                                                const std::vector<std::string>& ids) {
  if (!all) return all;
  std::vector<Disk> out;
  for (const Disk& each : *all) {
    if (std::ranges::find(ids, each.id) != ids.end()) out.push_back(each);
  }
  return out;
}

// False: there was no time to make the call; who comes next leads.
bool PatientDisks::Describes::lead(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Batch>& batch,
                                   nanoseconds end, const Ask& call) {
  const nanoseconds gathered = std::min(end, clock_.since_boot() + gather_);
  static_cast<void>(wait(lock, gathered, [&] { return batch->ids.size() >= most_; }));
  const bool free = wait(lock, end, [this] { return !calling_; });
  batch->closed = true;
  if (open_ == batch) open_.reset();
  if (!free) {
    batch->answer = Found(cloud::ends(CallEnd::kNotSent, "no time is left for it"));
    changed_.notify_all();
    return false;
  }
  calling_ = true;
  const std::vector<std::string> ids(batch->ids.begin(), batch->ids.end());
  lock.unlock();
  Found found = call(ids, std::chrono::duration_cast<Deadline>(end - clock_.since_boot()));
  lock.lock();
  calling_ = false;
  batch->answer = std::move(found);
  changed_.notify_all();
  return true;
}

std::optional<PatientDisks::Describes::Found> PatientDisks::Describes::ask(
    const std::vector<std::string>& ids, nanoseconds end, const Ask& call) {
  std::unique_lock lock(mutex_);
  const bool room = open_ != nullptr && open_->ids.size() + ids.size() <= most_;
  if (room) {
    const std::shared_ptr<Batch> batch = open_;
    batch->ids.insert(ids.begin(), ids.end());
    changed_.notify_all();
    if (!wait(lock, end, [&] { return batch->answer.has_value(); })) return std::nullopt;
    return some_of(*batch->answer, ids);
  }
  const auto batch = std::make_shared<Batch>();
  batch->ids.insert(ids.begin(), ids.end());
  open_ = batch;
  if (!lead(lock, batch, end, call)) return std::nullopt;
  return some_of(*batch->answer, ids);
}

PatientDisks::PatientDisks(DiskBackend& inner, Clock& clock, Patience patience)
    : inner_(inner),
      clock_(clock),
      patience_(patience),
      gate_(clock, patience.seed),
      describes_(std::make_unique<Describes>(clock, patience.gather,
                                             std::max<std::size_t>(1, inner.abilities().describe_most))) {}
PatientDisks::~PatientDisks() = default;

// `call` takes what is left of the deadline.
template <class T, class Call>
Answer<T> PatientDisks::insist(CallRank rank, bool repeatable, Deadline deadline, const Call& call) {
  const nanoseconds end = clock_.since_boot() + deadline;
  Backoff pauses(patience_.first_pause, patience_.longest_pause, patience_.seed);
  CallError last{.end = CallEnd::kNotSent, .message = "no time is left for it"};
  bool maybe_done = false;
  const auto give_up = [&]() -> Answer<T> {
    if (maybe_done) last.end = CallEnd::kUnknownOutcome;
    return tl::unexpected(last);
  };
  for (;;) {
    if (!gate_.pass(rank, end)) {
      if (last.end == CallEnd::kNotSent && deadline > Deadline::zero()) last.end = CallEnd::kThrottled;
      return give_up();
    }
    Answer<T> answer = call(std::chrono::duration_cast<Deadline>(end - clock_.since_boot()));
    const CallEnd how = answer ? CallEnd::kRefused : answer.error().end;
    if (how == CallEnd::kThrottled) {
      gate_.throttled(answer.error().retry_after.value_or(std::chrono::seconds(0)));
    } else {
      gate_.answered();
    }
    if (answer || how == CallEnd::kNoSuchThing) return answer;
    last = std::move(answer).error();
    if (how == CallEnd::kRefused) return give_up();
    maybe_done = maybe_done || how == CallEnd::kUnknownOutcome;
    if (maybe_done && !repeatable) return give_up();
    if (how == CallEnd::kThrottled) continue;
    const nanoseconds pause = pauses.next();
    if (clock_.since_boot() + pause >= end) return give_up();
    clock_.sleep(pause);
  }
}

Answer<std::string> PatientDisks::create_disk(const DiskSpec& spec, const std::string& token,
                                              Deadline deadline) {
  return insist<std::string>(CallRank::kOther, !token.empty(), deadline,
                             [&](Deadline left) { return inner_.create_disk(spec, token, left); });
}

Done PatientDisks::delete_disk(const std::string& id, Deadline deadline) {
  return insist<void>(CallRank::kOther, true, deadline,
                      [&](Deadline left) { return inner_.delete_disk(id, left); });
}

// Those who came to a call of somebody else that ended without an answer make one of their own.
Answer<std::vector<Disk>> PatientDisks::disks(const std::vector<std::string>& ids, Deadline deadline) {
  if (ids.empty()) return std::vector<Disk>{};
  if (ids.size() > inner_.abilities().describe_most) return inner_.disks(ids, deadline);
  return insist<std::vector<Disk>>(
      CallRank::kOther, true, deadline, [&](Deadline left) -> Answer<std::vector<Disk>> {
        const nanoseconds end = clock_.since_boot() + left;
        auto found = describes_->ask(ids, end, [this](const std::vector<std::string>& all, Deadline time) {
          return inner_.disks(all, time);
        });
        if (found) return *std::move(found);
        return cloud::ends(CallEnd::kNotSent, "no time is left for it");
      });
}

Answer<std::vector<Disk>> PatientDisks::disks_named(const std::string& name, Deadline deadline) {
  return insist<std::vector<Disk>>(CallRank::kOther, true, deadline,
                                   [&](Deadline left) { return inner_.disks_named(name, left); });
}

Answer<Page<Disk>> PatientDisks::list_disks(const std::string& from, std::uint32_t most, Deadline deadline) {
  return insist<Page<Disk>>(CallRank::kOther, true, deadline,
                            [&](Deadline left) { return inner_.list_disks(from, most, left); });
}

Done PatientDisks::attach_disk(const std::string& disk, const std::string& node, Deadline deadline) {
  return insist<void>(CallRank::kAttach, true, deadline,
                      [&](Deadline left) { return inner_.attach_disk(disk, node, left); });
}

Done PatientDisks::detach_disk(const std::string& disk, const std::string& node, Deadline deadline) {
  return insist<void>(CallRank::kDetach, true, deadline,
                      [&](Deadline left) { return inner_.detach_disk(disk, node, left); });
}

Done PatientDisks::grow_disk(const std::string& disk, std::uint64_t gib, const std::string& token,
                             Deadline deadline) {
  return insist<void>(CallRank::kOther, true, deadline,
                      [&](Deadline left) { return inner_.grow_disk(disk, gib, token, left); });
}

Done PatientDisks::modify_disk(const std::string& disk, const Performance& performance,
                               const std::string& token, Deadline deadline) {
  return insist<void>(CallRank::kOther, true, deadline,
                      [&](Deadline left) { return inner_.modify_disk(disk, performance, token, left); });
}

Done PatientDisks::tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                            Deadline deadline) {
  return insist<void>(CallRank::kOther, true, deadline,
                      [&](Deadline left) { return inner_.tag_disk(disk, set, unset, left); });
}

Answer<std::string> PatientDisks::create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                                  Deadline deadline) {
  return insist<std::string>(CallRank::kOther, !token.empty(), deadline,
                             [&](Deadline left) { return inner_.create_snapshot(spec, token, left); });
}

Done PatientDisks::delete_snapshot(const std::string& id, Deadline deadline) {
  return insist<void>(CallRank::kOther, true, deadline,
                      [&](Deadline left) { return inner_.delete_snapshot(id, left); });
}

Answer<std::vector<Snapshot>> PatientDisks::snapshots(const std::vector<std::string>& ids,
                                                      Deadline deadline) {
  return insist<std::vector<Snapshot>>(CallRank::kOther, true, deadline,
                                       [&](Deadline left) { return inner_.snapshots(ids, left); });
}

Answer<std::vector<Snapshot>> PatientDisks::snapshots_named(const std::string& name, Deadline deadline) {
  return insist<std::vector<Snapshot>>(CallRank::kOther, true, deadline,
                                       [&](Deadline left) { return inner_.snapshots_named(name, left); });
}

Answer<Page<Snapshot>> PatientDisks::list_snapshots(const std::string& disk, const std::string& from,
                                                    std::uint32_t most, Deadline deadline) {
  return insist<Page<Snapshot>>(CallRank::kOther, true, deadline,
                                [&](Deadline left) { return inner_.list_snapshots(disk, from, most, left); });
}

Answer<std::optional<NodeFacts>> PatientDisks::node(const std::string& id, Deadline deadline) {
  return insist<std::optional<NodeFacts>>(CallRank::kOther, true, deadline,
                                          [&](Deadline left) { return inner_.node(id, left); });
}

Answer<std::vector<std::string>> PatientDisks::types_in_stock(const std::string& zone, Deadline deadline) {
  return insist<std::vector<std::string>>(CallRank::kOther, true, deadline,
                                          [&](Deadline left) { return inner_.types_in_stock(zone, left); });
}

}  // namespace holdfast::disk
