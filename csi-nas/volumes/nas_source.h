#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "csi-nas/volumes/nas_options.h"

namespace holdfast::nas {

/// A share of one server.
struct NasShare {
  std::string host;  ///< a name or an address, of IPv6 without brackets
  std::string path;  ///< "/exports/pool"
  /// What mount(2) is told, and mountinfo shows: "10.0.0.5:/exports", "[fd00::5]:/exports".
  [[nodiscard]] std::string source() const;
  bool operator==(const NasShare&) const = default;
};

/// What a volume is to be mounted from.
struct NasSource {
  std::vector<NasShare>
      shares;               ///< one; or several that hold the same, of which the first that lives is taken
  NasOptions options = {};  ///< with a version
  std::string subdirectory = {};    ///< of the share: "team/a/pvc-1"; empty: the share itself
  std::optional<mode_t> mode = {};  ///< of the volume's directory; unset: as it is
  bool must_exist = false;          ///< what is missing of it is away, and not to be made
  bool operator==(const NasSource&) const = default;

  /// The same for volumes that one mount in the kernel serves: shares, version and options.
  [[nodiscard]] std::string key() const;
  /// The name of that mount's folder: 32 hex digits.
  [[nodiscard]] std::string key_hash() const;
};

using NasAttributes = std::map<std::string, std::string>;

/// What the attributes of a PersistentVolume and its mountOptions ask for. Keys are compared without regard
/// to case, and told once; those that are not listed, as of provisioners, are left alone.
///
///     server, host      "10.0.0.5", "nas.example.com", "[fd00::5]"; "host:/path" and a list of those,
///                       "a:/x,b:/y", whose first that lives is mounted
///     path, mountpath   absolute; "/" when not told
///     share, subDir     the same as path/subDir, as csi-driver-nfs writes it
///     vers              3 when not told; 4.0 with `host`, 4.1 with `share`
///     options           "none" for none at all; when not told, kVersion3Options or kVersion4Options
///     mode, modeType    octal, not for the root of a server; "non-recursive"
///     fsid              Tencent CFS: the path's first name by version 3
///     mountProtocol     nfs
///
/// mountOptions win over vers, and over options when they hold more than a version. A server that is called
/// *.extreme.nas.aliyuncs.com is mounted by version 3 with nolock, and has its shares under /share.
/// A volume whose handle is a NasHandle is mounted from the handle's share, of which it is a directory; of
/// such a one, and of one with a hashed handle, all must exist.
///
/// Errors: kInvalidArgument, naming the attribute, its value and what would do.
[[nodiscard]] Result<NasSource> parse_source(const NasAttributes& attributes,
                                             std::span<const std::string> mount_options,
                                             std::string_view volume_id);

inline constexpr std::string_view kVersion3Options =
    "nolock,rsize=1048576,wsize=1048576,timeo=600,retrans=2,noresvport";
inline constexpr std::string_view kVersion4Options = "noresvport";

}  // namespace holdfast::nas
