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
#include "common/base/result.h"

namespace holdfast::cni {

/// A program to run to its end.
struct ProgramCall {
  std::filesystem::path program;
  std::vector<std::string> environment;  ///< "K=V", the whole of it
  std::string input;                     ///< its stdin
  std::chrono::milliseconds deadline{};  ///< then it is killed
};
struct ProgramEnd {
  bool succeeded = false;  ///< exit status 0
  std::string ending;      ///< "exit status 1", "signal 9": for messages
  std::string output;      ///< its stdout
  std::string errors;      ///< its stderr, the first kilobytes
};

/// Running other programs. The real one is ChildPrograms, the tests' one is a table.
class Programs {
 public:
  Programs() = default;
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;
  virtual ~Programs() = default;
  /// Errors: kDeadlineExceeded it was killed, kNotFound or kPermissionDenied it could not be started.
  virtual Result<ProgramEnd> run(const ProgramCall& call) = 0;
};

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
  /// `programs` outlives the object. `deadline` holds for each call.
  Delegates(Programs& programs, Environment env, std::chrono::milliseconds deadline);

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

  Programs& programs_;
  Environment env_;
  std::chrono::milliseconds deadline_;
};

/// `conf` as a delegate gets it for this call: with what the runtime passed at call time (prevResult, the
/// lists of valid attachments).
[[nodiscard]] JsonPart with_call_fields(const JsonPart& conf, const NetConf& call);

}  // namespace holdfast::cni
