#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/base/result.h"
#include "csi-nas/backend/nas_backend.h"
#include "csi-nas/controller/class_parameters.h"

namespace holdfast::nas {

/// What a StorageClass asks of a cloud's NAS. Keys are compared without regard to case.
///
///     volumeAs: filesystem       a file system of its own for each volume
///       fileSystemType           standard | extreme                                     standard
///       storageType              Performance | Capacity | Premium; extreme: standard | advance   the first
///       protocolType             NFS                                                    NFS
///       encryptType              0 | 1                                                  0
///       zoneId                   of extreme required
///       snapshotID               extreme: what it is made from
///       networkType              Vpc | Classic                                          Vpc
///       deleteVolume             true | false: whether deleting the volume deletes it   false
///     volumeAs: accesspoint      a directory of a file system, as a server of its own
///       fileSystemId             required
///       path                     where in it the volumes' directories are               /
///       accesspointOwnerUserId, accesspointOwnerGroupId                                 0
///       volumeCapacity, allowVolumeExpansion   true | false: the directory is bounded by a quota   false
///     both
///       regionId                 the region of the controller, when it is told
///       vpcId, vSwitchId         required in a VPC
///       accessGroupName                                                    DEFAULT_VPC_GROUP_NAME
struct CloudClass {
  FileSystemSpec file_system = {};  ///< but for the volume's label and size
  MountTargetSpec target = {};      ///< but for the file system
  AccessPointSpec point = {};       ///< but for its name; the root is the folder of all
  bool delete_volume = false;
  bool quota = false;
};

/// Of a class with volumeAs filesystem or accesspoint. Errors: kInvalidArgument, naming the parameter.
[[nodiscard]] Result<CloudClass> parse_cloud_class(VolumeAs what,
                                                   const std::map<std::string, std::string>& parameters,
                                                   const std::string& region);

}  // namespace holdfast::nas
