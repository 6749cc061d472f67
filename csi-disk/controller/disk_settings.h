#pragma once

#include <string>

#include "csi-disk/volumes/disk_cloud.h"
#include "csi-disk/volumes/places.h"

namespace holdfast::disk {

/// What a controller of disks is told where it is started.
struct DiskSettings {
  DiskCloud cloud;
  PlaceKeys keys = {};
  std::string handle_prefix = {};  ///< of the cloud's disk ids; empty: any
  std::string region = {};         ///< the controller's; empty: not known
  std::string place = {};          ///< the controller's; empty: not known
  std::string cluster = {};        ///< its uid; empty without one
};

}  // namespace holdfast::disk
