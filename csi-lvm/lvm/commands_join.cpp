#include <span>
#include <utility>

#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"

// A volume that grows by the extents of another.
namespace holdfast::lvm {
namespace {

// The first of `segments` that one command has room for, the stripes of one together.
std::span<const VolumeSegment> fitting(std::span<const VolumeSegment> segments) {
  std::size_t places = 0;
  std::size_t count = 0;
  for (const VolumeSegment& segment : segments) {
    places += segment.places.size();
    if (count > 0 && places > kMostOperands) break;
    ++count;
  }
  return segments.first(count);
}

std::uint64_t size_of(std::span<const VolumeSegment> segments) {
  std::uint64_t size = 0;
  for (const VolumeSegment& segment : segments) size += segment.size_bytes;
  return size;
}

tl::unexpected<Error> taken(const VolumeName& volume, const std::string& why) {
  return fail(Code::kAborted,
              "the room that " + volume.text() + " was to grow by went to something else; ask again: " + why);
}

}  // namespace

Result<std::vector<VolumeSegment>> CommandsLvm::segments_of(const VolumeName& name, Patience patience) {
  HOLDFAST_TRY(const LvmAnswer answer,
               queue_.run(command(Effect::kReports, segments_command(name.text()), settings_), patience));
  if (!answer.succeeded) {
    return fail(Code::kUnavailable, "LVM does not tell the extents of " + name.text() + ": " + answer.talk);
  }
  return parse_segments(answer.output);
}

Status CommandsLvm::join(const VolumeName& volume, const std::string& part, Patience patience) {
  const VolumeName other{volume.group, part};
  HOLDFAST_CHECK(check_volume_name(volume.group, volume.volume));
  HOLDFAST_CHECK(check_volume_name(other.group, other.volume));
  HOLDFAST_TRY(const Inventory before, look(patience));
  HOLDFAST_TRY(const LogicalVolume* grown, find_volume(before, volume));
  HOLDFAST_CHECK(find_volume(before, other));
  HOLDFAST_TRY(const std::vector<VolumeSegment> segments, segments_of(other, patience));
  HOLDFAST_CHECK(remove(other, patience));
  std::uint64_t size = grown->size_bytes;
  for (std::span<const VolumeSegment> rest = segments; !rest.empty();) {
    const std::span<const VolumeSegment> some = fitting(rest);
    rest = rest.subspan(some.size());
    size += size_of(some);
    std::vector<std::string> words{"lvextend", "--size", std::to_string(size) + "b", volume.text()};
    for (const VolumeSegment& segment : some) {
      words.insert(words.end(), segment.places.begin(), segment.places.end());
    }
    HOLDFAST_TRY(const std::string said, run(volume.group, std::move(words), patience));
    if (said.empty()) continue;
    HOLDFAST_TRY(const Inventory after, look(patience));
    Status why = why_not_extended(after, volume, size, said);
    if (why) continue;
    const Code code = why.error().code;
    if (code == Code::kNotFound || code == Code::kFailedPrecondition) return why;
    return taken(volume, why.error().message);
  }
  return {};
}

}  // namespace holdfast::lvm
