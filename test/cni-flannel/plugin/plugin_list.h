#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "test/tools/cni_node.h"
#include "test/tools/plugin_process.h"

namespace holdfast::test {

/// A network of several plugins, called in turn as libcni does it: each gets the list's name and version, of
/// the capabilities' arguments those that it asks for, and the result of the one before it. CHECK and DEL (in
/// reverse order) get the last result, from 0.4.0 on. Our plugin and Debian's are found. For use inside a
/// PluginHost. Source: CNI spec, section 3 "Lifecycle & ordering".
class PluginList {
 public:
  /// `list` is a conflist.
  explicit PluginList(nlohmann::json list) : list_(std::move(list)) {}

  /// What the runtime has for capabilities: {"portMappings": [...]}.
  nlohmann::json capability_args = nlohmann::json::object();

  /// The last plugin's answer. These end the case when a plugin fails.
  nlohmann::json add(const Sandbox& pod);
  /// All but portmap, whose CHECK Debian's version cannot pass.
  void check(const Sandbox& pod) const;
  void del(const Sandbox& pod);

 private:
  [[nodiscard]] PluginCall call(const std::string& verb, const Sandbox& pod, const nlohmann::json& plugin,
                                const nlohmann::json& previous) const;
  [[nodiscard]] bool remembers() const;

  nlohmann::json list_;
  std::map<std::string, nlohmann::json> results_;  ///< by container id
};

}  // namespace holdfast::test
