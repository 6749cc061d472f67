#include "csi-disk/conformance/conformance.h"

#include <array>
#include <string_view>

#include "csi-disk/conformance/trial.h"

namespace holdfast::disk {
namespace {

std::string reason_to_leave_out(const TrialCase& each, const Trial& trial) {
  if (each.needs != nullptr && !each.needs(trial.backend.abilities())) return "the backend does not do that";
  if (each.needs_other_node && trial.plan.other_node.empty()) return "no second node was named";
  return "";
}

CaseResult run(const TrialCase& each, Trial& trial) {
  CaseResult result{.name = each.name};
  result.why = reason_to_leave_out(each, trial);
  if (!result.why.empty()) {
    result.end = CaseResult::End::kLeftOut;
    return result;
  }
  const Verdict verdict = each.run(trial);
  if (verdict) return result;
  result.end = CaseResult::End::kBroken;
  result.why = verdict.error();
  return result;
}

}  // namespace

std::string_view to_string(CaseResult::End end) {
  constexpr std::array<std::string_view, 3> kNames{"kept", "broken", "left out"};
  return kNames.at(static_cast<std::size_t>(end));
}

std::vector<CaseResult> try_backend(DiskBackend& backend, Clock& clock, const TrialPlan& plan,
                                    const std::function<void(const CaseResult&)>& tell) {
  Trial trial(backend, clock, plan);
  std::vector<TrialCase> cases;
  for (const auto& some : {disk_cases(), attach_cases(), change_cases(), snapshot_cases(), call_cases()}) {
    cases.insert(cases.end(), some.begin(), some.end());
  }
  cases.push_back(
      {.name = "all that the trial made can be removed", .run = [](Trial& all) { return all.clean(); }});
  std::vector<CaseResult> results;
  for (const TrialCase& each : cases) {
    results.push_back(run(each, trial));
    if (tell) tell(results.back());
  }
  return results;
}

}  // namespace holdfast::disk
