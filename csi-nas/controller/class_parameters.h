#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "csi-nas/directories/relative_path.h"
#include "csi-nas/volumes/nas_source.h"

namespace holdfast::nas {

/// What a volume is.
enum class VolumeAs : std::uint8_t {
  kSubpath,      ///< a directory of its own on a share
  kSharepath,    ///< the share itself, for all; it is never deleted
  kFilesystem,   ///< a file system of a cloud
  kAccesspoint,  ///< a directory of a cloud's file system, as a server of its own
};

/// What becomes of a directory when its volume is deleted.
enum class OnDelete : std::uint8_t { kDelete, kRetain, kArchive };

/// "delete", "retain", "archive"
[[nodiscard]] std::string_view to_string(OnDelete what);
[[nodiscard]] std::optional<OnDelete> parse_on_delete(std::string_view word);

/// What a StorageClass of csi-nas asks for, beside where and how to mount (parse_source()):
///
///     volumeAs         subpath | sharepath | filesystem | accesspoint                             subpath
///     subDir           the directory, with ${pvc.metadata.name}, ${pvc.metadata.namespace} and
///                      ${pv.metadata.name}; for subpath alone                      ${pv.metadata.name}
///     archiveOnDelete  true | false: archive or delete                                         true
///     onDelete         delete | retain | archive; wins over archiveOnDelete                 archive
///     site             a node pool: its nodes alone reach the servers, and do the work   (the controller)
///
/// Keys are compared without regard to case. What filesystem and accesspoint take beside: CloudClass. What
/// other keys there are: check_keys().
struct ClassParameters {
  VolumeAs volume_as = VolumeAs::kSubpath;
  NasSource source = {};  ///< shares among which one is chosen; of a cloud's volume none that means anything
  std::string sub_dir = {};  ///< the template
  OnDelete on_delete = OnDelete::kArchive;
  std::string site = {};  ///< empty: none
};

/// Errors: kInvalidArgument, naming the parameter, its value and what would do.
[[nodiscard]] Result<ClassParameters> parse_class(const std::map<std::string, std::string>& parameters,
                                                  std::span<const std::string> mount_options);

/// Refuses a parameter that no class has: one that is spelt wrong would be a volume otherwise than was asked
/// for. Taken and without effect are `sysConfig`, `description` and `capacity`, which classes of this
/// driver's name have had. Keys of csi.storage.k8s.io/ are others'. Errors: kInvalidArgument, naming the key
/// and those that there are.
[[nodiscard]] Status check_keys(const std::map<std::string, std::string>& parameters);

/// The value under a key in whatever case, without blanks around it; empty when there is none. `key` is in
/// lower case.
[[nodiscard]] std::string parameter_value(const std::map<std::string, std::string>& parameters,
                                          std::string_view key);
/// "the parameter <parameter> '<value>' <why>", kInvalidArgument.
[[nodiscard]] tl::unexpected<Error> refuse_parameter(std::string_view parameter, std::string_view value,
                                                     std::string_view why);

/// What stands for the words of a template.
struct ClaimNames {
  std::string claim = {};       ///< of the PersistentVolumeClaim; empty: not told
  std::string name_space = {};  ///< its namespace
  std::string volume;           ///< of the PersistentVolume
};

/// The names that the provisioner tells beside the class's own parameters (--extra-create-metadata).
[[nodiscard]] ClaimNames read_names(const std::map<std::string, std::string>& parameters,
                                    const std::string& volume);

/// The directory of a volume. Errors: kInvalidArgument for an unknown word in braces, a name that is not
/// told, or one that is not one name ("..", "a/b"); those of RelativePath.
[[nodiscard]] Result<RelativePath> expand_directory(std::string_view text, const ClaimNames& names);

}  // namespace holdfast::nas
