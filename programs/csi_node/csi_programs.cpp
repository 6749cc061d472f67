#include "programs/csi_node/csi_programs.h"

#include "csi-disk/program/csi_disk.h"
#include "csi-lvm/program/csi_lvm.h"
#include "csi-nas/program/csi_nas.h"
#include "programs/csi_node/csi_node.h"

namespace holdfast {

CsiProgram csi_program_named(std::string_view argv0) {
  const std::string_view name = argv0.substr(argv0.find_last_of('/') + 1);
  if (name == "csi-lvm") return lvm::csi_lvm;
  if (name == "csi-nas") return nas::csi_nas;
  if (name == "csi-disk") return disk::csi_disk;
  return csi_node;
}

}  // namespace holdfast
