#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/result.h"
#include "common/block/blank_proof.h"

namespace holdfast::block {

/// What is known of how a volume's content came to be. On LVs it is the tag `csi.fs=...`, on disks a tag of
/// the backend's.
///
///     new ──> formatting ──> formatted:<uuid>          maybe, none: nobody can tell
///      └────raw use────┴───> maybe
///
/// A mkfs that fails leaves `formatting`, and raw use leaves `formatted`: what has its uuid is mounted, and
/// nothing else, nor is it formatted again.
struct Provenance {
  enum class Kind : std::uint8_t {
    kNew,         ///< made empty by us and never given to anybody: zeroed where superblocks could be
    kFormatting,  ///< mkfs was begun; nothing was ever mounted, which comes after kFormatted is durable
    kFormatted,   ///< by us, with this uuid
    kMaybe,       ///< a disk that was attached when our record was lost or not there yet
    kNone,        ///< a static volume: never said
  };
  Kind kind = Kind::kNone;
  std::string uuid;  ///< of kFormatted, as libblkid writes it
  bool operator==(const Provenance&) const = default;
};

/// Whether it says that nobody was ever given the volume, so that it is formatted over what a mkfs has left.
[[nodiscard]] bool is_unused(const Provenance& provenance);

/// "new", "formatting", "formatted:<uuid>", "maybe"; "" for kNone.
[[nodiscard]] std::string to_string(const Provenance& provenance);
/// A text that is none of these, also one of a later version, is kMaybe: it proves nothing.
[[nodiscard]] Provenance parse_provenance(std::string_view text);

/// All that the decision rests on.
struct FormatQuestion {
  std::string volume;   ///< for the sentences
  std::string device;   ///< likewise: what people at its node may call it, lasting_name()
  std::string fs_type;  ///< that is wanted: "ext4", "ext3", "xfs", "vfat"
  Provenance provenance;
  Content content;
  bool format_if_blank = true;  ///< the PV's attribute formatIfBlank is not "false"
  bool read_only = false;       ///< the volume is staged read-only
};

/// Run mkfs (again, when the last one was cut off).
struct Format {
  bool operator==(const Format&) const = default;
};
/// Mount what is there, as this type: ext2 and ext3 may be there where ext4 or ext3 is wanted.
struct Mount {
  std::string fs_type;
  bool operator==(const Mount&) const = default;
};
/// Read the whole device (whole_device_is_zero), answer ABORTED meanwhile, and ask again with its result.
struct NeedWholeDeviceProof {
  bool operator==(const NeedWholeDeviceProof&) const = default;
};
struct Refuse {
  Error error;  ///< kFailedPrecondition with the cure, or kUnavailable when the device cannot be read
  bool abnormal = false;  ///< tell it as the volume's condition too: data that should be there is not
};

using FormatDecision = std::variant<Format, Mount, NeedWholeDeviceProof, Refuse>;

/// The one place that decides whether a volume is formatted: what is known of it AND what is on it must both
/// allow it. Pure; total over all questions.
///
///                 new       formatting   formatted          maybe, none
///     blank       Format    Format       Refuse, abnormal   whole-device proof; Refuse if !format_if_blank
///     all zero    Format    Format       Refuse, abnormal   Format; Refuse if !format_if_blank
///     wanted fs   Refuse    Format       Mount if its uuid  Mount
///     other fs    Refuse    Refuse       Refuse, abnormal   Refuse
///     data        Refuse    Format       Refuse, abnormal   Refuse
///     unreadable  Refuse (kUnavailable), whatever is known
///
/// Nothing is formatted for a read-only volume.
[[nodiscard]] FormatDecision decide_format(const FormatQuestion& question);

/// The type to mount when `wanted` is asked for and `found` (libblkid's word) is there; nullopt: they do not
/// fit.
[[nodiscard]] std::optional<std::string> mountable_as(std::string_view wanted, std::string_view found);

}  // namespace holdfast::block
