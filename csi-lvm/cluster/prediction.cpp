#include "csi-lvm/cluster/prediction.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "csi-lvm/volumes/volume_request.h"

namespace holdfast::lvm {
namespace {

std::map<std::string, std::uint64_t> spare_of(const std::vector<GroupReport>& groups) {
  std::map<std::string, std::uint64_t> out;
  for (const GroupReport& group : groups) out[group.name] = group.spare_bytes;
  return out;
}

// What of the volume the figures include; 0: it is not in them.
std::uint64_t included_bytes(const std::vector<GroupReport>& groups, const std::string& volume) {
  for (const GroupReport& group : groups) {
    const auto found = group.volumes.find(volume);
    if (found != group.volumes.end()) return found->second;
  }
  return 0;
}

// The layout of a volume that was asked for. A class that cannot be read took nothing: the node refuses it.
std::optional<NewVolume> asked_for(const LogicalVolumeObject& object,
                                   const std::vector<GroupReport>& groups) {
  const LogicalVolumeSpec& spec = object.spec;
  if (object.status.state == VolumeState::kRefused || object.is_snapshot()) return std::nullopt;
  const std::uint64_t included = included_bytes(groups, spec.volume_name);
  const bool being_removed = object.deleting && included == 0;
  const bool included_whole = included > 0 && included >= spec.required_bytes;
  if (being_removed || included_whole) return std::nullopt;
  const Result<Parameters> parameters = parse_parameters(spec.parameters, spec.block);
  if (!parameters) return std::nullopt;
  const auto group = std::ranges::find(groups, parameters->group, &GroupReport::name);
  if (group == groups.end()) return std::nullopt;
  NewVolume out;
  out.name = {parameters->group, spec.volume_name};
  out.size_bytes = std::max<std::uint64_t>(spec.required_bytes, 1) - included;
  out.stripes = parameters->stripes;
  if (out.stripes == 0) {
    out.stripes = static_cast<std::uint32_t>(std::max<std::size_t>(group->disk_free_extents.size(), 1));
  }
  out.pool = parameters->pool;
  return out;
}

}  // namespace

std::unique_ptr<CapacityBook> predicted_book(const NodeFigures& node) {
  if (node.storage == nullptr || node.stale) {
    return std::make_unique<CapacityBook>(PoolLimits{}, std::map<std::string, std::uint64_t>{});
  }
  const std::vector<GroupReport>& groups = node.storage->groups;
  auto book = std::make_unique<CapacityBook>(PoolLimits{}, spare_of(groups));
  book->update(inventory_of(groups));
  for (const LogicalVolumeObject* object : node.volumes) {
    if (const auto volume = asked_for(*object, groups)) book->add(*volume);
  }
  return book;
}

Capacity predicted_capacity(const NodeFigures& node, const Parameters& parameters) {
  const std::unique_ptr<CapacityBook> book = predicted_book(node);
  return book->capacity(room_in(parameters)).value_or(Capacity{});
}

Status predict(const NodeFigures& node, const LogicalVolumeSpec& wanted) {
  HOLDFAST_TRY(const Parameters parameters, parse_parameters(wanted.parameters, wanted.block));
  const Capacity capacity = predicted_capacity(node, parameters);
  const std::uint64_t size_bytes = std::max(wanted.required_bytes, capacity.smallest_bytes);
  if (capacity.largest_bytes > 0 && size_bytes <= capacity.largest_bytes) return {};
  return fail(Code::kResourceExhausted, "the volume group " + parameters.group + " of the node " +
                                            wanted.node + " has no room for " + std::to_string(size_bytes) +
                                            " bytes: the largest volume may have " +
                                            std::to_string(capacity.largest_bytes));
}

}  // namespace holdfast::lvm
