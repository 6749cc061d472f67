#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "test/tools/cni_node.h"
#include "test/tools/plugin_process.h"

namespace holdfast::test {

/// What upstream's flannel plugin does around the plugins that do its work, which are Debian's: it saves the
/// configuration that it rendered as /var/lib/cni/flannel/<container id>, and gives bridge that file at DEL.
/// For use inside a PluginHost. A step that does not go as its function says ends the case.
class UpstreamFlannel {
 public:
  /// `delegate` is the rendered configuration.
  explicit UpstreamFlannel(nlohmann::json delegate) : delegate_(std::move(delegate)) {}

  nlohmann::json add(const Sandbox& pod) const;
  /// Whoever saved the configuration. Without one DEL does nothing, as upstream's.
  void del(const Sandbox& pod) const;
  /// Upstream's flannel passes no CHECK on; this is bridge's and host-local's own, with the saved
  /// configuration.
  void check(const Sandbox& pod, const nlohmann::json& result) const;

  /// The parts of add(), for several at once.
  [[nodiscard]] PluginCall add_call(const Sandbox& pod) const;

 private:
  nlohmann::json delegate_;
};

/// `result` for the CHECK of Debian's plugins: version 1.1.1 does not find a route whose gateway is left to
/// the address, not even one that it made itself.
nlohmann::json with_gateways(nlohmann::json result);

/// Leaves what libcni remembers of an attachment of the network cbr0 in /var/lib/cni/results.
void remember_as_runtime(const Sandbox& pod, const nlohmann::json& result);

}  // namespace holdfast::test
