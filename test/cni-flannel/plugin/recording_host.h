#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "test/cni-flannel/plugin/plugin_host.h"

namespace holdfast::test {

/// A node on which the type "recorder" is to be found, and no other: a plugin that writes down what it is
/// called with and answers as an ipam plugin, unless it is told to do something else.
class RecordingHost : public PluginHost {
 public:
  RecordingHost();

  /// What the recorder does in one verb from now on: sh(1) commands, run after the call is written down.
  static void instead_of(const std::string& verb, const std::string& commands);
  static void as_usual(const std::string& verb);

  /// "ADD c1" of each call since the last time; questions for the version are left out.
  static std::vector<std::string> calls();
  /// The configuration that the last call with `verb` came with.
  static nlohmann::json input(const std::string& verb);
};

}  // namespace holdfast::test
