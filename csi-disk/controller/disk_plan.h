#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "csi-disk/controller/disk_maker.h"

namespace holdfast::disk {

/// What is to be made, as far as that can be told without asking the cloud.
struct DiskMaker::Plan {
  const NewDisk& wanted;
  std::string name;  ///< the disk's
  Tags tags;         ///< the disk's, while it is being made
  std::string from;  ///< what kFromTag says; empty: blank
};

/// What csi.from says of a source; empty for none.
[[nodiscard]] std::string from_text(const NewDisk& wanted);

/// Whether the disk is what is asked for. Errors: kAlreadyExists, saying what differs.
Status check_same(const NewDisk& wanted, const Disk& disk, const DiskSettings& settings, bool tags);

/// All disks that would do, in the order of their trying: by place, then by type, then by level; each of
/// `least_gib` at least. Errors: kOutOfRange, as choices_of().
[[nodiscard]] Result<std::vector<DiskSpec>> specs_of(const NewDisk& wanted, const DiskSettings& settings,
                                                     std::uint64_t least_gib, std::size_t turn);

/// The idempotency token of an attempt: of all that it asks for.
[[nodiscard]] std::string token_of(const DiskSpec& spec, const std::string& cluster, unsigned generation);

/// "a disk of cloud_essd PL1, 20 GiB, in cn-beijing-a".
[[nodiscard]] std::string in_words(const DiskSpec& spec);

}  // namespace holdfast::disk
