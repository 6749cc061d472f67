#pragma once

#include <string>

#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/cni_result.h"
#include "cni-flannel/plugin/environment.h"
#include "cni-flannel/plugin/net_conf.h"

namespace holdfast::cni {

/// One call of the runtime, checked: the verb's variables are there and well-formed, the configuration has a
/// name and a version we speak, and the version has the verb.
struct Request {
  Verb verb = Verb::kVersion;
  Environment env;
  CniArgs args;  ///< empty for GC and STATUS
  NetConf conf;
};

/// What a plugin does. run() does the protocol around it.
class Plugin {
 public:
  Plugin() = default;
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;
  virtual ~Plugin() = default;

  /// What a person who starts the program by hand wants to know: what it is, in the first line, and how it is
  /// used. Lines end with a line feed.
  [[nodiscard]] virtual std::string about() const = 0;

  virtual CniResult<AddResult> add(const Request& request) = 0;
  virtual CniStatus del(const Request& request) = 0;
  virtual CniStatus check(const Request& request) = 0;
  virtual CniStatus gc(const Request& request) = 0;
  virtual CniStatus status(const Request& request) = 0;
};

}  // namespace holdfast::cni
