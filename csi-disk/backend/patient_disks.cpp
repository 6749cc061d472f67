#include "csi-disk/backend/patient_disks.h"

#include <algorithm>
#include <utility>

namespace holdfast::disk {

using cloud::Answer;
using cloud::CallEnd;
using cloud::CallError;
using cloud::Done;
using std::chrono::nanoseconds;

namespace {

constexpr std::size_t kMostNames = 100;  // that are looked for at once
// A look is made for many, and made again when it gets no answer.
constexpr DiskBackend::Deadline kLongestLook = std::chrono::seconds(10);
// A region that had more disks than a page is taken to have them for so long.
constexpr std::chrono::minutes kLargeFor{10};

}  // namespace

PatientDisks::PatientDisks(DiskBackend& inner, Clock& clock, Patience patience)
    : inner_(inner),
      clock_(clock),
      patience_(patience),
      gate_(clock, patience.seed),
      by_id_(clock, &Disk::id, patience.gather, std::max<std::size_t>(1, inner.abilities().describe_most)),
      by_name_(clock, &Disk::name, patience.gather, kMostNames) {}

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
      if (last.end == CallEnd::kNotSent && deadline > Deadline::zero()) {
        last = {.end = CallEnd::kThrottled, .message = "the cloud is asked no more often than it allows"};
      }
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
  return insist<std::vector<Disk>>(CallRank::kOther, true, deadline,
                                   [&](Deadline left) -> Answer<std::vector<Disk>> {
                                     const auto ask = [this](const auto& all, Deadline time) {
                                       return inner_.disks(all, std::min(time, kLongestLook));
                                     };
                                     auto found = by_id_.ask(ids, clock_.since_boot() + left, ask);
                                     if (found) return *std::move(found);
                                     return cloud::ends(CallEnd::kNotSent, "no time is left for it");
                                   });
}

Answer<std::vector<Disk>> PatientDisks::disks_named(const std::string& name, Deadline deadline) {
  return insist<std::vector<Disk>>(
      CallRank::kOther, true, deadline, [&](Deadline left) -> Answer<std::vector<Disk>> {
        const nanoseconds end = clock_.since_boot() + left;
        if (!region_is_large()) {
          const auto ask = [this](const auto& names, Deadline time) {
            return look_for(names, std::min(time, kLongestLook));
          };
          auto found = by_name_.ask({name}, end, ask);
          if (!found) return cloud::ends(CallEnd::kNotSent, "no time is left for it");
          if (*found || !region_is_large()) return *std::move(found);
        }
        return inner_.disks_named(name, std::chrono::duration_cast<Deadline>(end - clock_.since_boot()));
      });
}

// Of several names by one page of all disks there are, where they fit on one: it has them all as they were at
// one time. kNotSent: they do not.
Answer<std::vector<Disk>> PatientDisks::look_for(const std::vector<std::string>& names, Deadline deadline) {
  if (names.size() == 1) return inner_.disks_named(names.front(), deadline);
  HOLDFAST_TRY(Page<Disk> page, inner_.list_disks("", inner_.abilities().describe_most, deadline));
  if (page.next.empty()) return std::move(page.items);
  large_until_ = clock_.since_boot() + kLargeFor;
  return cloud::ends(CallEnd::kNotSent, "there are more disks than a page has");
}

bool PatientDisks::region_is_large() const { return clock_.since_boot() < large_until_.load(); }

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
