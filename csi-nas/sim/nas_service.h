#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>

#include "common/base/clock.h"
#include "common/cloud/sim/front.h"

namespace holdfast::nas {

/// What the API of Alibaba Cloud NAS does, as far as AlibabaNas calls it, on a catalogue: file systems, mount
/// targets, access points, quotas. No file is served. Mount targets and access points are Pending for
/// `settling` first.
///
///     {"made": 3, "fileSystems": {"1c9f0001": {"label", "type", "storage", "zone", "gib",
///        "mountTargets": {DOMAIN: {"made", "vpc", "vswitch", "group"}},
///        "accessPoints": {ID: {"made", "name", "root", "domain"}}, "quotas": {PATH: GIB}}}}
class NasService final : public cloud::sim::SimService {
 public:
  /// `clock` outlives it.
  explicit NasService(Clock& clock, std::chrono::seconds settling = {})
      : clock_(clock), settling_(settling) {}

  cloud::sim::SimAnswer serve(const cloud::sim::SimCall& call, nlohmann::json& state) override;
  [[nodiscard]] bool changes(const cloud::sim::SimCall& call) const override {
    return !call.action.starts_with("Describe");
  }

 private:
  class Turn;
  Clock& clock_;
  const std::chrono::seconds settling_;
};

}  // namespace holdfast::nas
