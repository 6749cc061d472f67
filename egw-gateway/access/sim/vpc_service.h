#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "common/base/clock.h"
#include "common/cloud/sim/front.h"

namespace holdfast::gateway {

/// What the APIs of Alibaba Cloud's VPC and CEN do with route entries, as far as AlibabaTable calls them, on
/// a catalogue: no packet is routed. Entries are Pending for `settling` first, and meanwhile their table
/// takes no other change (TaskConflict). A table holds kMostEntries custom entries.
///
///     {"most": 48, "tables": {"vtb-1": {CIDR: {"hop", "hopType", "name", "type", "changed"}}},
///      "published": {"cen-1": {CIDR: true}}}
///
/// For who tests with it: POST /sim/entry {"table", "range", "hop", "name", "type"} puts an entry as it
/// stands, or removes it when "hop" is empty; POST /sim/most {"entries": 3}.
class VpcService final : public cloud::sim::SimService {
 public:
  static constexpr std::size_t kMostEntries = 48;

  /// `clock` outlives it.
  explicit VpcService(Clock& clock, std::chrono::seconds settling = {})
      : clock_(clock), settling_(settling) {}

  cloud::sim::SimAnswer serve(const cloud::sim::SimCall& call, nlohmann::json& state) override;
  [[nodiscard]] bool changes(const cloud::sim::SimCall& call) const override {
    return !call.action.starts_with("Describe");
  }
  cloud::sim::SimAnswer tell(std::string_view what, const nlohmann::json& body,
                             nlohmann::json& state) override;

 private:
  class Turn;
  Clock& clock_;
  const std::chrono::seconds settling_;
};

}  // namespace holdfast::gateway
