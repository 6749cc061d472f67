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
/// A delegate's error object is passed on as it is, code included, with "(plugin ptp, ADD)" behind its
/// details. Every other failure names the delegate, the verb and, in `details`, a cure: kInternal when it
/// ends with a status or a signal and without an error object (quoting what it said), kDecode when ADD's
/// result is none or too long, own_code(kDeadlineExceeded) when it was killed at its deadline, own_code() of
/// exec's error when it could not be started.
class Delegates {
 public:
  /// `executor` outlives the object. `deadline` holds for each call.
  Delegates(Executor& executor, Environment env, std::chrono::milliseconds deadline);

  /// When it fails after it was started, the delegate is called with DEL, as the spec wants, before its error
  /// is returned.
  CniResult<AddResult> add(std::string_view type, const JsonPart& conf);
  CniStatus del(std::string_view type, const JsonPart& conf);
  CniStatus check(std::string_view type, const JsonPart& conf);
  /// GC and STATUS are not called, and succeed, when the configuration is older than 1.1.0 or the delegate's
  /// answer to VERSION has nothing from 1.1.0 on: it does not know these verbs.
  CniStatus gc(std::string_view type, const JsonPart& conf);
  CniStatus status(std::string_view type, const JsonPart& conf);

  /// Whether the last DEL, also the one behind a failed ADD, was started and failed at its work: the delegate
  /// may still hold something, which only another DEL with the same configuration can take away. A DEL that
  /// turned the configuration or its version down will never do better.
  [[nodiscard]] bool may_hold_something() const { return may_hold_something_; }

 private:
  CniResult<std::string> call(Verb verb, std::string_view type, std::string_view input);
  CniResult<bool> knows_gc_and_status(std::string_view type, const JsonPart& conf);
  CniStatus call_if_known(Verb verb, std::string_view type, const JsonPart& conf);

  Executor& executor_;
  Environment env_;
  std::chrono::milliseconds deadline_;
  bool started_ = false;  ///< the last call came so far
  bool may_hold_something_ = false;
};

/// `conf` as a delegate gets it for this call: with what the runtime passed at call time (prevResult, the
/// lists of valid attachments).
[[nodiscard]] JsonPart with_call_fields(const JsonPart& conf, const NetConf& call);

}  // namespace holdfast::cni
