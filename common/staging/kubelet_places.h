#pragma once

#include <string>

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/block/volume_stats.h"
#include "common/mount/mounter.h"

namespace holdfast::staging {

/// Looks through kubelet's folder after a start: volumes that are staged are looked at from then on, what is
/// not as it should be is logged, and all are counted (holdfast_kubelet_places, with driver_name and state).
/// Only looks: what is wrong is mended inside the next call for that place. Errors: those of
/// mount::take_inventory().
Status take_stock(const std::string& kubelet_dir, const std::string& driver, mount::Mounter& mounter,
                  block::VolumeStats& stats, Logger& log, Metrics& metrics);

}  // namespace holdfast::staging
