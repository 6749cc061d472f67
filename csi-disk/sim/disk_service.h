#pragma once

#include <nlohmann/json_fwd.hpp>

#include "common/base/clock.h"
#include "common/cloud/sim/front.h"
#include "csi-disk/sim/disk_catalogue.h"

namespace holdfast::disk {

/// A region's disks, with the APIs of Alibaba Cloud ECS (2014-05-26) and Tencent Cloud CBS (2017-03-12) on
/// one catalogue, as far as AlibabaDisks and TencentDisks call them. No disk has content here. Beside what
/// Front takes, those who test tell it
///
///     POST /sim/nodes     {"i-1": {"zone": "sim-1a", "most": 16}, "i-2": null}: machines that there are;
///                         null takes one away, and its disks are attached nowhere
///     POST /sim/stock     {"zone": "sim-1a", "type": "cloud_essd", "sold_out": true}
///     POST /sim/quota     {"disks": 100}, as many as the account may have
///     POST /sim/arrears   {"on": true}: the account is not paid; its disks are locked
///
/// A node has a "most" of 16 and the first zone when it is not told.
class DiskService : public cloud::sim::SimService {
 public:
  /// `clock` outlives it.
  explicit DiskService(Clock& clock, DiskShop shop = {}) : clock_(clock), shop_(std::move(shop)) {}

  Status begin(nlohmann::json& state) override;
  cloud::sim::SimAnswer serve(const cloud::sim::SimCall& call, nlohmann::json& state) override;
  [[nodiscard]] bool changes(const cloud::sim::SimCall& call) const override {
    return !call.action.starts_with("Describe");
  }
  cloud::sim::SimAnswer tell(std::string_view what, const nlohmann::json& body,
                             nlohmann::json& state) override;

  [[nodiscard]] const DiskShop& shop() const { return shop_; }
  /// The catalogue that `state` is, now.
  [[nodiscard]] DiskCatalogue catalogue(nlohmann::json& state) const;

 private:
  Clock& clock_;
  const DiskShop shop_;
};

}  // namespace holdfast::disk
