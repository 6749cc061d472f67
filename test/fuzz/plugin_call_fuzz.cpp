#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "cni-flannel/plugin/cni_error.h"
#include "cni-flannel/plugin/cni_result.h"
#include "test/cni-flannel/plugin/decoding_plugin.h"
#include "test/cni-flannel/plugin/harness.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace cni = holdfast::cni;
namespace test = holdfast::test;
using holdfast::fuzz::require;

/// What execve(2) would hand over, then an empty variable, then standard input: "A=1\0B=2\0\0{...}".
struct Call {
  std::map<std::string, std::string> variables;
  std::string_view config;
};

Call split(std::string_view text) {
  Call call;
  while (!text.empty()) {
    const std::string_view variable = text.substr(0, text.find('\0'));
    text.remove_prefix(variable.size() < text.size() ? variable.size() + 1 : variable.size());
    if (variable.empty()) break;
    const std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    call.variables[std::string(variable.substr(0, equals))] = variable.substr(equals + 1);
  }
  call.config = text;
  return call;
}

/// An error object of one line, and never the one that stands for an exception.
void require_error(const std::string& out) {
  const auto error = cni::parse_error(out);
  require(error && !error->msg.empty() && error->code != cni::CniCode::kInternal);
  require(out.find('\n') == out.size() - 1);
  require(nlohmann::json::parse(out).at("cniVersion").is_string());
}

void require_answer(const cni::Environment& env, const std::string& out) {
  if (env.command == "ADD") {
    require(cni::parse_result(out, "answer").has_value());
  } else if (env.command == "VERSION") {
    require(nlohmann::json::parse(out).contains("supportedVersions"));
  } else {
    require(out.empty());
  }
}

}  // namespace

// Whatever a runtime hands over, it gets the answer that the protocol promises.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Call call = split(holdfast::fuzz::text_of(data, size));
  const cni::Environment env = cni::Environment::from([&](const char* name) {
    const auto found = call.variables.find(name);
    return found == call.variables.end() ? std::string{} : found->second;
  });
  static test::DecodingPlugin plugin(
      holdfast::flannel::parse_subnet_env(test::fixture("cni/flannel/subnet.env")).value());
  const test::Answer answer = test::call(plugin, env, call.config);
  if (answer.status == 0) {
    require_answer(env, answer.out);
  } else {
    require(answer.status == 1);
    require_error(answer.out);
  }
  return 0;
}
