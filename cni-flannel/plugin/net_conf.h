#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/cni_result.h"
#include "cni-flannel/plugin/json_part.h"
#include "cni-flannel/plugin/spec_version.h"

namespace holdfast::cni {

/// Longest configuration we read. Kubernetes limits the objects that it could come from to 1 MiB.
inline constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;

/// One entry of the list that GC is given.
struct ValidAttachment {
  std::string container_id;
  std::string ifname;
  auto operator<=>(const ValidAttachment&) const = default;
};

/// What CNI itself defines in a plugin's configuration; everything else is in `document`.
struct NetConf {
  SpecVersion version = kDefaultVersion;
  bool version_given = false;  ///< false: cniVersion was absent or empty
  std::string name;            ///< of the network; checked, may name a folder
  std::string type;            ///< of the plugin; empty when absent
  JsonPart runtime_config;     ///< runtimeConfig, an object; null when absent
  JsonPart args;               ///< args, an object; null when absent
  JsonPart prev_result;  ///< prevResult, an object; null when absent. Not decoded: DEL succeeds without it
  /// cni.dev/valid-attachments, or cni.dev/attachments as libcni spells it also (both: they are joined, so
  /// that neither list's attachment is collected). Unset when there is neither: that is not an empty list.
  std::optional<std::vector<ValidAttachment>> valid_attachments;
  JsonPart document;  ///< the whole configuration, an object
};

/// Reads a configuration. Keys match in any case, unknown ones are skipped, null is the same as absent.
/// Errors: kDecode not JSON, not an object, or a member of the wrong type; kInvalidConfig no name or one that
/// breaks the rule, or a list of valid attachments with anything in it that is not {containerID, ifname};
/// kIncompatibleVersion, with both sides in the details. Each names the field and the value.
[[nodiscard]] CniResult<NetConf> parse_net_conf(std::string_view text);

/// prevResult, decoded; nullopt when there was none. Errors: kDecode.
[[nodiscard]] CniResult<std::optional<AddResult>> decode_prev_result(const NetConf& conf);

}  // namespace holdfast::cni
