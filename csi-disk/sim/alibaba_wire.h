#pragma once

#include "common/cloud/sim/front.h"
#include "csi-disk/sim/disk_catalogue.h"

namespace holdfast::disk {

/// One call of ECS, in its form: parameters are texts, answers nest lists as {"Disks": {"Disk": [...]}}.
/// Source: https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-overview
[[nodiscard]] cloud::sim::SimAnswer serve_alibaba(const cloud::sim::SimCall& call, DiskCatalogue& all,
                                                  const DiskShop& shop);

}  // namespace holdfast::disk
