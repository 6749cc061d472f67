#include <nlohmann/json.hpp>
#include <utility>

#include "csi-lvm/cluster/volume_task.h"

namespace holdfast::lvm {

using nlohmann::json;

GrowTask::GrowTask(const Tools& tools, std::string volume, std::uint64_t required_bytes,
                   std::uint64_t limit_bytes, std::chrono::nanoseconds patience, Done done)
    : VolumeTask(tools, patience, std::move(done)),
      volume_(std::move(volume)),
      required_bytes_(required_bytes),
      limit_bytes_(limit_bytes) {}

void GrowTask::look() {
  const Result<const LogicalVolumeObject*> live = state().live_object(volume_);
  if (!live) return fail_with(live.error());
  if ((*live)->is_snapshot()) {
    return fail_with({.code = Code::kNotFound, .sys_errno = 0, .message = volume_ + " is a snapshot"});
  }
  take_step(**live);
}

void GrowTask::take_step(const LogicalVolumeObject& object) {
  const LogicalVolumeStatus& status = object.status;
  if (failed_) return fail_with(*failed_);
  if (status.state != VolumeState::kReady) {
    return fail_with({.code = Code::kAborted, .sys_errno = 0, .message = volume_ + " is not made"});
  }
  if (status.size_bytes >= required_bytes_) return end(object);
  if (state().life(object.spec.node).stale) {
    return fail_with({.code = Code::kUnavailable,
                      .sys_errno = 0,
                      .message = "the node " + object.spec.node + " may be down"});
  }
  if (object.spec.required_bytes < required_bytes_) {
    const Status fits = has_room(object);
    if (!fits) return fail_with(fits.error());
    return patch_spec(object, {{"requiredBytes", required_bytes_},
                               {"limitBytes", limit_bytes_ == 0 ? json() : json(limit_bytes_)}});
  }
  if (!status.code || status.observed_generation != object.generation) return;  // the node is at it
  // What could not be had must not count as promised.
  failed_ = Error{.code = *status.code, .sys_errno = 0, .message = status.message};
  patch_spec(object, {{"requiredBytes", status.size_bytes}, {"limitBytes", nullptr}});
}

Status GrowTask::has_room(const LogicalVolumeObject& object) const {
  const Result<Parameters> parameters = parse_parameters(object.spec.parameters, object.spec.block);
  if (!parameters) return {};  // one that was adopted: its node knows
  const std::uint64_t more = required_bytes_ - object.status.size_bytes;
  const Capacity capacity = predicted_capacity(state().figures(object.spec.node), *parameters);
  if (more <= capacity.available_bytes) return {};
  return fail(Code::kResourceExhausted, "the volume group " + parameters->group + " of the node " +
                                            object.spec.node + " has no room for " + std::to_string(more) +
                                            " bytes more: " + std::to_string(capacity.available_bytes) +
                                            " are free");
}

}  // namespace holdfast::lvm
