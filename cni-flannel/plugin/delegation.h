#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/cni_result.h"
#include "cni-flannel/plugin/environment.h"
#include "cni-flannel/plugin/json_part.h"
#include "cni-flannel/plugin/net_conf.h"
#include "common/base/exec.h"

namespace holdfast::cni {

/// The file of plugin `type` in the folders of CNI_PATH, the first that is a regular file.
/// Errors: kInvalidConfig `type` is empty or has a '/'; kInvalidEnvironment no such file, naming the folders
/// looked in.
[[nodiscard]] CniResult<std::filesystem::path> find_plugin(std::string_view type, std::string_view cni_path);

/// Calls other plugins by the CNI rules of delegation (spec 1.1.0, section 4): the delegate gets our
/// environment with the verb, and its configuration on stdin. `conf` is always the delegate's whole
/// configuration, with name and cniVersion in it; `type` names the program, which for an IPAM plugin is
/// ipam.type of that configuration.
///
/// A delegate's error object is passed on as it is, code included. One that fails without an error object, or
/// prints no result, gives code 999 naming the program and what it said.
class Delegates {
 public:
  /// `executor` outlives the object. `deadline` holds for each call.
  Delegates(Executor& executor, Environment env, std::chrono::milliseconds deadline);

  /// When it fails the delegate is called with DEL, as the spec wants, before its error is returned.
  CniResult<AddResult> add(std::string_view type, const JsonPart& conf);
  CniStatus del(std::string_view type, const JsonPart& conf);
  CniStatus check(std::string_view type, const JsonPart& conf);
  /// GC and STATUS are not called, and succeed, when the configuration is older than 1.1.0 or the delegate's
  /// answer to VERSION has nothing from 1.1.0 on: it does not know these verbs.
  CniStatus gc(std::string_view type, const JsonPart& conf);
  CniStatus status(std::string_view type, const JsonPart& conf);

 private:
  CniResult<std::string> call(Verb verb, std::string_view type, std::string_view input);
  CniResult<bool> knows_gc_and_status(std::string_view type, const JsonPart& conf);
  CniStatus call_if_known(Verb verb, std::string_view type, const JsonPart& conf);

  Executor& executor_;
  Environment env_;
  std::chrono::milliseconds deadline_;
};

/// `conf` as a delegate gets it for this call: with what the runtime passed at call time (prevResult, the
/// lists of valid attachments).
[[nodiscard]] JsonPart with_call_fields(const JsonPart& conf, const NetConf& call);

}  // namespace holdfast::cni
