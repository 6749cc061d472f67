// Volumes that a pod's own definition asks for: they are made when they are published, and end with that.
#include <map>

#include "common/csi/proto/csi.pb.h"
#include "csi-lvm/driver/csi_requests.h"
#include "csi-lvm/driver/inline_volume.h"
#include "csi-lvm/driver/lvm_node.h"
#include "csi-lvm/driver/node_requests.h"

namespace holdfast::lvm {

Status LvmNode::publish_inline(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request) {
  if (request.volume_capability().has_block()) {
    return fail(Code::kInvalidArgument, "a volume of a pod's own is a file system, not a raw device");
  }
  if (!may_be_inline(request.volume_id())) {
    return fail(Code::kInvalidArgument,
                "the id " + request.volume_id() +
                    " is none that kubelet gives to a volume of a pod's own: csi- and "
                    "64 hexadecimal digits");
  }
  std::map<std::string, std::string> attributes(request.volume_context().begin(),
                                                request.volume_context().end());
  const std::string& fs_type = request.volume_capability().mount().fs_type();
  if (!fs_type.empty()) attributes["fsType"] = fs_type;  // as Kubernetes tells a CSI volume's own fsType
  HOLDFAST_TRY(const VolumeRequest wanted, inline_request(request.volume_id(), attributes));
  HOLDFAST_CHECK(parts_.volumes.create(wanted, patience_of(call)));
  csi::v1::NodeStageVolumeRequest stage;
  stage.set_volume_id(request.volume_id());
  stage.set_staging_target_path(inline_path(request.volume_id()));
  *stage.mutable_volume_capability() = request.volume_capability();
  *stage.mutable_volume_context() = request.volume_context();
  *stage.mutable_secrets() = request.secrets();
  csi::v1::NodeStageVolumeResponse staged;
  HOLDFAST_CHECK(stage_volume(call, stage, staged));
  csi::v1::NodePublishVolumeRequest publish = request;
  publish.set_staging_target_path(stage.staging_target_path());
  return publish_staged(call, publish);
}

// Of what unpublishing left; called again until all of it is gone.
Status LvmNode::end_inline(const csi::Call& call, const std::string& id) {
  const auto volume = find(call, id);
  if (!volume && volume.error().code == Code::kNotFound) return {};
  if (!volume) return tl::unexpected(volume.error());
  if (!volume->of_pod) return {};
  const std::string path = inline_path(id);
  HOLDFAST_CHECK(parts_.mounter.unstage(path, used_device(*volume)));
  HOLDFAST_CHECK(close(used_device(*volume), call));
  HOLDFAST_CHECK(parts_.mounter.unpublish(path));  // the empty folder
  forget(id);
  return parts_.volumes.remove(id, patience_of(call));
}

std::string LvmNode::inline_path(const std::string& id) const { return parts_.inline_folder + "/" + id; }

}  // namespace holdfast::lvm
