#pragma once

#include "common/cloud/sim/front.h"
#include "csi-disk/sim/disk_catalogue.h"

namespace holdfast::disk {

/// One call of CBS, and of what of CVM and of the tag service goes with it, in their form: JSON both ways.
/// Source: https://www.tencentcloud.com/document/product/362/15634
[[nodiscard]] cloud::sim::SimAnswer serve_tencent(const cloud::sim::SimCall& call, DiskCatalogue& all,
                                                  const DiskShop& shop);

}  // namespace holdfast::disk
