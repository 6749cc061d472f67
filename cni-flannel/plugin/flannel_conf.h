#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/json_part.h"
#include "cni-flannel/plugin/net_conf.h"
#include "common/base/cidr.h"
#include "common/base/json.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// The member "holdfast" of the plugin's configuration, which no other plugin reads. All of it is optional:
///
///     "holdfast": {
///       "stateDir":   "/var/lib/cni/flannel-state",
///       "resultsDir": "/var/lib/cni/results",
///       "reserved":   ["10.244.3.240/28", "10.244.3.9"],
///       "bindingTtl": "30d"
///     }
///
/// Unknown members are refused here, unlike elsewhere: they can only be misspelt.
struct OwnConf {
  std::filesystem::path state_dir = "/var/lib/cni/flannel-state";
  std::filesystem::path results_dir = "/var/lib/cni/results";
  std::vector<Cidr> reserved;                       ///< never handed out
  std::optional<std::chrono::seconds> binding_ttl;  ///< a number and s, m, h or d
};

/// flannel's own part of the configuration.
struct FlannelConf {
  std::filesystem::path subnet_file = "/run/flannel/subnet.env";  ///< subnetFile
  std::filesystem::path data_dir = "/var/lib/cni/flannel";        ///< dataDir
  /// An object without name and ipam, whose type, if any, is a string; null when absent.
  cni::JsonPart delegate;
  cni::JsonPart ipam;                                              ///< an object; null when absent
  std::filesystem::path host_local_dir = "/var/lib/cni/networks";  ///< ipam.dataDir
  OwnConf own;
};

/// Errors: kInvalidConfig, naming the field and the value: a member of the wrong type, a path that is not
/// absolute or has "..", a delegate with name or ipam, a delegate or ipam whose type is this plugin itself.
[[nodiscard]] cni::CniResult<FlannelConf> parse_flannel_conf(const cni::NetConf& conf);

/// A path of a configuration; absent and "" give `absent`. Errors: it is not absolute or has "..".
[[nodiscard]] Result<std::filesystem::path> read_path(const JsonField& field,
                                                      const std::filesystem::path& absent);

}  // namespace holdfast::flannel
