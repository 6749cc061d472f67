#include <algorithm>
#include <set>
#include <thread>

#include "common/base/result.h"
#include "csi-disk/conformance/trial.h"

namespace holdfast::disk {
namespace {

using cloud::CallEnd;

Verdict nothing_without_time(Trial& trial) {
  const std::string name = trial.fresh("late");
  const auto made = trial.backend.create_disk(trial.spec(name), trial.fresh("token"), {});
  if (made) trial.made_disk(*made);
  HOLDFAST_CHECK(expect(!made && made.error().end == CallEnd::kNotSent,
                        "a call whose deadline has passed is not told as not sent"));
  HOLDFAST_TRY(const std::vector<Disk> named,
               must(trial.backend.disks_named(name, trial.plan.deadline), "disks_named()"));
  return expect(named.empty(), "a call whose deadline had passed made a disk");
}

// How late an answer may be: a machine may be busy.
Verdict in_time(Trial& trial) {
  constexpr std::chrono::milliseconds kShort{1};
  constexpr std::chrono::seconds kLate{2};
  const auto begin = trial.clock.since_boot();
  const auto found = trial.backend.disks({"d-holdfastnosuch0000"}, kShort);
  const auto took = trial.clock.since_boot() - begin;
  HOLDFAST_CHECK(expect(took < kLate, "a call with a millisecond took seconds"));
  const bool told = found || found.error().end == CallEnd::kNotSent ||
                    found.error().end == CallEnd::kUnknownOutcome || found.error().end == CallEnd::kThrottled;
  return expect(told, "a call that had no time is told as '" +
                          (found ? std::string() : std::string(cloud::to_string(found.error().end))) + "'");
}

Verdict many_at_a_time(Trial& trial) {
  constexpr std::size_t kCallers = 8;
  const DiskSpec wanted = trial.spec(trial.fresh("many"));
  const std::string token = trial.fresh("token");
  std::vector<cloud::Answer<std::string>> made(kCallers);
  std::vector<std::thread> callers;
  callers.reserve(kCallers);
  for (cloud::Answer<std::string>& each : made) {
    callers.emplace_back([&] { each = trial.backend.create_disk(wanted, token, trial.plan.deadline); });
  }
  for (std::thread& each : callers) each.join();
  std::set<std::string> ids;
  std::string why;
  for (const cloud::Answer<std::string>& each : made) {
    if (each) ids.insert(*each);
    if (!each) why = each.error().message;
  }
  for (const std::string& id : ids) trial.made_disk(id);
  return expect(ids.size() == 1, std::to_string(kCallers) + " calls with one token at a time made " +
                                     std::to_string(ids.size()) + " disks; " + why);
}

}  // namespace

std::vector<TrialCase> call_cases() {
  return {
      {.name = "call: one without time left is not made", .run = &nothing_without_time},
      {.name = "call: it ends by its deadline", .run = &in_time},
      {.name = "call: with one token from many at a time, one disk is made", .run = &many_at_a_time},
  };
}

}  // namespace holdfast::disk
