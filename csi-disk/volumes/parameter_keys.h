#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// As CSI hands them over.
using Parameters = std::map<std::string, std::string>;

/// The parameters that a class may have.
struct ParameterNames {
  std::string_view what;                       ///< whose, for the sentences: "a StorageClass of csi-disk"
  std::span<const std::string_view> names;     ///< as they are documented
  std::span<const std::string_view> prefixes;  ///< "diskTags/", before a name of the user's
  const std::map<std::string, std::string>& aliases;  ///< other names in lower case, and what they stand for
};

/// The same parameters under their documented names; what comes behind a prefix stays as it is. Keys are
/// compared without regard to case. Those of csi.storage.k8s.io/ are others' and left out, but for fstype,
/// which is fsType. Errors: kInvalidArgument for a key that there is not, naming those that there are, and
/// for one that is told twice with different values.
[[nodiscard]] Result<Parameters> under_their_names(const Parameters& given, const ParameterNames& known);

/// Without blanks around it; empty when there is none.
[[nodiscard]] std::string value_of(const Parameters& parameters, std::string_view name);

/// "the parameter <name>: '<value>' <why>", kInvalidArgument.
[[nodiscard]] tl::unexpected<Error> refuse_parameter(std::string_view name, std::string_view value,
                                                     std::string_view why);

/// The words between the commas, without blanks around them, each once, none empty.
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);
/// nullopt when there is none. Errors: kInvalidArgument unless it is a number from `least` to `most`.
[[nodiscard]] Result<std::optional<std::uint32_t>> count_of(const Parameters& parameters,
                                                            std::string_view name, std::uint32_t least,
                                                            std::uint32_t most);
/// For how many days a snapshot is kept: 1..65536, else as count_of().
[[nodiscard]] Result<std::optional<std::uint32_t>> days_of(const Parameters& parameters,
                                                           std::string_view name);
/// PL0..PL3, in whatever case. Errors: kInvalidArgument.
[[nodiscard]] Result<std::string> parse_level(std::string_view word);

/// How many tags a class may ask for: clouds keep 20, and some are the driver's own.
inline constexpr std::size_t kMostTags = 12;
/// Puts a tag to the others. Errors: kInvalidArgument for a key or value that clouds refuse (an empty key,
/// more than 127 bytes, beginning with "aliyun", "acs:" or "tencent", holding http:// or https:// or a
/// control character), for a key of the driver's own ("csi."), for one that is there with another value, and
/// for one too many. Source: ECS TagResources, Tencent's tags.
Status add_tag(Tags& tags, std::string_view name, std::string_view key, std::string_view value);
/// The key alone, as add_tag().
Status check_tag_key(std::string_view name, std::string_view key);
/// Those under `prefix`. Errors: as add_tag().
Status add_tags_behind(Tags& tags, const Parameters& parameters, std::string_view prefix);

}  // namespace holdfast::disk
