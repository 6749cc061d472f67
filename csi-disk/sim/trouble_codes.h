#pragma once

#include "common/cloud/sim/verifier.h"
#include "csi-disk/sim/disk_catalogue.h"

namespace holdfast::disk {

/// How each cloud tells of a trouble. Source: the error codes on the pages of the actions, and
/// https://www.tencentcloud.com/document/product/362/32171.
[[nodiscard]] cloud::sim::Failure alibaba_failure(Trouble trouble);
[[nodiscard]] cloud::sim::Failure tencent_failure(Trouble trouble);

}  // namespace holdfast::disk
