#include "common/staging/kubelet_places.h"

#include <map>
#include <vector>

#include "common/mount/kubelet_inventory.h"

namespace holdfast::staging {
namespace {

using State = mount::KubeletPlace::State;

void warn_of(const mount::KubeletPlace& place, Logger& log) {
  log.warning("a place of kubelet's is not as it should be", {{"path", place.path},
                                                              {"kind", mount::to_string(place.kind)},
                                                              {"state", mount::to_string(place.state)},
                                                              {"volume", place.volume}});
}

}  // namespace

Status take_stock(const std::string& kubelet_dir, const std::string& driver, mount::Mounter& mounter,
                  block::VolumeStats& stats, Logger& log, Metrics& metrics) {
  HOLDFAST_TRY(const auto mounts, mounter.mounts());
  HOLDFAST_TRY(const std::vector<mount::KubeletPlace> places,
               mount::take_inventory(kubelet_dir, {driver}, *mounts));
  std::map<State, double> counts;
  for (const mount::KubeletPlace& place : places) {
    counts[place.state] += 1;
    if (place.state != State::kMounted) warn_of(place, log);
    const bool staged = place.kind == mount::KubeletPlace::Kind::kStaged;
    if (staged && place.state == State::kMounted) stats.add(place.volume, place.path);
  }
  for (const State state : {State::kMounted, State::kLeftOver, State::kShadowed, State::kBroken}) {
    metrics
        .gauge("holdfast_kubelet_places", "Places of volumes below kubelet's folder, as found at the start",
               {{"driver_name", driver}, {"state", std::string(mount::to_string(state))}})
        .set(counts[state]);
  }
  return {};
}

}  // namespace holdfast::staging
