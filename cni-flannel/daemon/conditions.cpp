#include "cni-flannel/daemon/conditions.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"

namespace holdfast::flannel {
namespace {

constexpr std::size_t kMostShown = 2000;  // bytes of a message

}  // namespace

Conditions::Conditions(Logger& log, Clock& clock) : log_(log), clock_(clock) {
  for (const ConditionKind& kind :
       {kInterfaceFound, kLeaseKnown, kDeviceRight, kPeersProgrammed, kRulesInPlace, kSubnetFileWritten,
        kPeersGuarded, kStateStored, kSourceReachable}) {
    states_[kind] = {false, std::string(kStartingReason), "not yet", clock_.now()};
  }
  for (const ConditionKind& kind :
       {kPeersRejected, kVtepMacContested, kCidrConflict, kPathMtuTooSmall, kChecksumOffloadBroken,
        kObjectsUnusable, kPublicAddressWrong, kControllerFindsFault}) {
    states_[kind] = {true, "", "", clock_.now()};
  }
}

void Conditions::well(const ConditionKind& kind) {
  State& state = states_[kind];
  if (state.well) return;
  state = {true, "", "", clock_.now()};
  ++transitions_;
  log_.info("condition is as it should be", {{"condition", kind.type}});
  if (told_) told_();
}

void Conditions::unwell(const ConditionKind& kind, std::string_view reason, const std::string& told) {
  const std::string message = printable(told, kMostShown);
  State& state = states_[kind];
  if (!state.well && state.message == message) return;
  if (state.well) state.since = clock_.now();
  state = {false, std::string(reason), message, state.since};
  ++transitions_;
  log_.warning("condition is not as it should be",
               {{"condition", kind.type}, {"reason", reason}, {"why", message}});
  if (told_) told_();
}

void Conditions::set(const ConditionKind& kind, std::string_view reason, const std::string& message) {
  if (message.empty()) {
    well(kind);
  } else {
    unwell(kind, reason, message);
  }
}

bool Conditions::is_well(const ConditionKind& kind) const {
  const auto found = states_.find(kind);
  return found != states_.end() && found->second.well;
}

bool Conditions::ready() const {
  return std::ranges::all_of(states_,
                             [](const auto& entry) { return entry.second.well || !entry.first.for_ready; });
}

std::vector<Condition> Conditions::list() const {
  std::vector<Condition> out;
  for (const auto& [kind, state] : states_) {
    out.push_back({std::string(kind.type), state.well == kind.good ? "True" : "False",
                   state.well ? "AsWanted" : state.reason, state.message, utc_text(state.since)});
  }
  return out;
}

std::string Conditions::report() const {
  std::string out;
  for (const auto& [kind, state] : states_) {
    out += (state.well ? "[+]" : "[-]") + std::string(kind.type);
    out +=
        state.well ? (kind.good ? " ok" : " none") : (kind.good ? " failed: " : " found: ") + state.message;
    out += kind.for_ready || state.well ? "\n" : " (ready all the same)\n";
  }
  return out;
}

std::string Conditions::first_trouble() const {
  const auto found = std::ranges::find_if(
      states_, [](const auto& entry) { return !entry.second.well && entry.first.for_ready; });
  return found == states_.end() ? "" : std::string(found->first.type) + ": " + found->second.message;
}

}  // namespace holdfast::flannel
