#include "cni-flannel/plugin/delegation.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "common/base/json.h"
#include "common/base/text.h"

namespace holdfast::cni {
namespace {

std::vector<std::string> delegate_environment(const Environment& env, Verb verb) {
  std::vector<std::string> variables = env.others;
  const auto put = [&](const char* name, std::string_view value) {
    if (!value.empty()) variables.push_back(std::string(name) + "=" + std::string(value));
  };
  put("CNI_COMMAND", to_string(verb));
  put("CNI_CONTAINERID", env.container_id);
  put("CNI_NETNS", env.netns);
  put("CNI_IFNAME", env.ifname);
  put("CNI_ARGS", env.args);
  put("CNI_PATH", env.path);
  put("CNI_NETNS_OVERRIDE", env.netns_override);
  return variables;
}

/// What a failed delegate said, in one line for a message.
std::string last_words(const CommandResult& end) {
  constexpr std::size_t kLongest = 300;
  std::string words = end.errors.empty() ? end.output : end.errors;
  if (words.size() > kLongest) words.resize(kLongest);
  for (char& c : words) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  const std::size_t last = words.find_last_not_of(' ');
  words.resize(last == std::string::npos ? 0 : last + 1);
  return words.empty() ? "and said nothing" : "and said: " + words;
}

std::string called(std::string_view type, Verb verb) {
  return "plugin " + std::string(type) + ", " + std::string(to_string(verb));
}

std::string cure_of_broken(std::string_view program) {
  return std::string(program) +
         " does not do as the CNI specification says: install it anew, or configure another type";
}

CniError failure_of(std::string_view type, Verb verb, const std::string& program, const CommandResult& end) {
  if (std::optional<CniError> error = parse_error(end.output)) {
    error->details += (error->details.empty() ? "" : " ") + std::string("(") + called(type, verb) + ")";
    return *std::move(error);
  }
  const bool killed = end.signal != 0;
  const std::string how = killed ? "ended by signal " + std::to_string(end.signal)
                                 : "ended with status " + std::to_string(end.exit_status);
  return {CniCode::kInternal, called(type, verb) + ": " + how + " " + last_words(end),
          killed ? "see the kernel's log for who ended " + program + "; signal 9 is often a lack of memory"
                 : cure_of_broken(program)};
}

/// Whether the delegate turned the call down before it did anything: it would do so again each time.
bool refuses_call(CniCode code) {
  constexpr CniCode kRefusals[] = {CniCode::kIncompatibleVersion, CniCode::kUnsupportedField,
                                   CniCode::kInvalidEnvironment, CniCode::kDecode, CniCode::kInvalidConfig};
  return std::ranges::find(kRefusals, code) != std::end(kRefusals);
}

/// For a delegate of which there is no end to tell of.
CniError failure_of(std::string_view type, Verb verb, const std::string& program, Error error) {
  const bool too_late = error.code == Code::kDeadlineExceeded;
  CniError told = to_cni(std::move(error).within(called(type, verb)));
  told.details = too_late ? "see what " + program + " waits for on this node: its daemon, a lock, a server"
                          : "see that " + program + " is the plugin, whole, and may be executed";
  return told;
}

/// What ADD printed. The executor keeps no more than so much of it.
CniResult<AddResult> read_result(std::string_view type, CniResult<std::string> output) {
  const std::size_t kept = Command{}.max_output_bytes;
  if (!output) return tl::unexpected(std::move(output).error());
  const std::string what = "result of plugin " + std::string(type);
  CniResult<AddResult> result =
      output->size() < kept
          ? parse_result(*output, what)
          : cni_fail(CniCode::kDecode, what + " is longer than " + std::to_string(kept - 1) + " bytes");
  if (!result && result.error().details.empty()) result.error().details = cure_of_broken("the plugin");
  return result;
}

/// Whether the answer to VERSION has a version that knows GC and STATUS. Versions newer than ours count: they
/// are compared as the numbers they are.
bool offers_gc(const nlohmann::json& answer) {
  const JsonField list = JsonObject(&answer, "")["supportedVersions"];
  const Result<std::vector<std::string>> versions = list.strings_or_empty();
  if (!versions) return false;
  for (const std::string& version : *versions) {
    if (const auto known = parse_version(version)) {
      if (*known >= first_version_with(Verb::kGc)) return true;
    } else if (version.rfind("1.", 0) == 0) {
      return true;  // 1.0.0 is known, so this is a later 1.x
    }
  }
  return false;
}

/// Copies the named members of the runtime's configuration.
JsonPart with_members(JsonPart conf, const JsonPart& from, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (JsonPart value = member(from, name)) conf = with_member(conf, name, value);
  }
  return conf;
}

}  // namespace

CniResult<std::filesystem::path> find_plugin(std::string_view type, std::string_view cni_path) {
  if (type.empty() || type == "." || type == ".." || type.find('/') != std::string_view::npos) {
    return cni_fail(CniCode::kInvalidConfig, "invalid plugin name '" + std::string(type) + "'");
  }
  for (std::string_view rest = cni_path; !rest.empty();) {
    const std::string_view folder = take_until(rest, ':');
    if (folder.empty()) continue;
    std::filesystem::path file = std::filesystem::path(folder) / type;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(file, ignored)) return file;
  }
  return cni_fail(CniCode::kInvalidEnvironment, "failed to find plugin '" + std::string(type) +
                                                    "' in CNI_PATH '" + std::string(cni_path) + "'");
}

Delegates::Delegates(Executor& executor, Environment env, std::chrono::milliseconds deadline)
    : executor_(executor), env_(std::move(env)), deadline_(deadline) {}

CniResult<std::string> Delegates::call(Verb verb, std::string_view type, std::string_view input) {
  started_ = false;
  HOLDFAST_TRY(const std::filesystem::path path, find_plugin(type, env_.path));
  const std::string program = path.string();
  Command command;
  command.argv = {program};
  command.environment = delegate_environment(env_, verb);
  command.input = input;
  command.deadline = deadline_;
  Result<CommandResult> end = executor_.run(command);
  started_ = end || end.error().code == Code::kDeadlineExceeded;
  std::optional<CniError> error;
  if (!end) {
    error = failure_of(type, verb, program, end.error());
  } else if (!end->succeeded()) {
    error = failure_of(type, verb, program, *end);
  }
  if (verb == Verb::kDel) may_hold_something_ = started_ && error && !refuses_call(error->code);
  if (error) return tl::unexpected(*std::move(error));
  return std::move(end->output);
}

CniResult<AddResult> Delegates::add(std::string_view type, const JsonPart& conf) {
  const std::string input = to_text(conf);
  CniResult<AddResult> result = read_result(type, call(Verb::kAdd, type, input));
  // The first error is the one that tells.
  if (!result && started_) static_cast<void>(call(Verb::kDel, type, input));
  return result;
}

CniStatus Delegates::del(std::string_view type, const JsonPart& conf) {
  HOLDFAST_CHECK(call(Verb::kDel, type, to_text(conf)));
  return {};
}

CniStatus Delegates::check(std::string_view type, const JsonPart& conf) {
  HOLDFAST_CHECK(call(Verb::kCheck, type, to_text(conf)));
  return {};
}

CniStatus Delegates::gc(std::string_view type, const JsonPart& conf) {
  return call_if_known(Verb::kGc, type, conf);
}

CniStatus Delegates::status(std::string_view type, const JsonPart& conf) {
  return call_if_known(Verb::kStatus, type, conf);
}

CniStatus Delegates::call_if_known(Verb verb, std::string_view type, const JsonPart& conf) {
  HOLDFAST_TRY(const bool known, knows_gc_and_status(type, conf));
  if (!known) return {};
  HOLDFAST_CHECK(call(verb, type, to_text(conf)));
  return {};
}

CniResult<bool> Delegates::knows_gc_and_status(std::string_view type, const JsonPart& conf) {
  const JsonPart version = member(conf, "cniVersion");
  const std::optional<SpecVersion> wanted = version != nullptr && version->is_string()
                                                ? parse_version(version->get_ref<const std::string&>())
                                                : kDefaultVersion;
  if (wanted && *wanted < first_version_with(Verb::kGc)) return false;
  // Old plugins read the version to answer in from stdin.
  HOLDFAST_TRY(const std::string output, call(Verb::kVersion, type, R"({"cniVersion":"1.1.0"})"));
  HOLDFAST_TRY(const JsonPart answer,
               to_cni(parse_document(output, "answer of plugin " + std::string(type) + " to VERSION"),
                      CniCode::kDecode));
  return answer->is_object() && offers_gc(*answer);
}

JsonPart with_call_fields(const JsonPart& conf, const NetConf& call) {
  return with_members(conf, call.document,
                      {"prevResult", "cni.dev/valid-attachments", "cni.dev/attachments"});
}

}  // namespace holdfast::cni
