#include "cni-flannel/plugin/environment.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "cni-flannel/ipam/identifier.h"
#include "common/base/link_name.h"

namespace holdfast::cni {
namespace {

using flannel::is_identifier;

constexpr std::array<std::string_view, 7> kVariables = {"CNI_COMMAND",       "CNI_CONTAINERID", "CNI_NETNS",
                                                        "CNI_IFNAME",        "CNI_ARGS",        "CNI_PATH",
                                                        "CNI_NETNS_OVERRIDE"};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

CniStatus validate_attachment(const Environment& env) {
  HOLDFAST_CHECK(validate_container_id(env.container_id));
  return validate_ifname(env.ifname);
}

/// Names of the variables that the verb needs and that are unset, joined by commas.
std::string missing_variables(const Environment& env, Verb verb) {
  const bool per_attachment = verb == Verb::kAdd || verb == Verb::kCheck || verb == Verb::kDel;
  struct Need {
    const char* name;
    const std::string& value;
    bool needed;
  };
  const std::array<Need, 4> needs = {{{"CNI_CONTAINERID", env.container_id, per_attachment},
                                      {"CNI_NETNS", env.netns, verb == Verb::kAdd || verb == Verb::kCheck},
                                      {"CNI_IFNAME", env.ifname, per_attachment},
                                      {"CNI_PATH", env.path, verb != Verb::kVersion}}};
  std::string missing;
  for (const Need& need : needs) {
    if (!need.needed || !need.value.empty()) continue;
    if (!missing.empty()) missing += ',';
    missing += need.name;
  }
  return missing;
}

tl::unexpected<CniError> bad_pair(std::string_view pair, std::string_view why) {
  return cni_fail(CniCode::kInvalidEnvironment,
                  "CNI_ARGS: invalid pair '" + std::string(pair) + "': " + std::string(why));
}

/// KEY=VALUE of CNI_ARGS.
struct Pair {
  std::string_view text;
  std::string_view key;
  std::string_view value;
};

CniResult<Pair> split_pair(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || text.find('=', equals + 1) != std::string_view::npos) {
    return bad_pair(text, "it must be KEY=VALUE");
  }
  return Pair{text, text.substr(0, equals), text.substr(equals + 1)};
}

/// A Kubernetes name or id: nothing that could break a log line or a file of ours.
CniStatus put_name(std::string& out, std::string_view pair, std::string_view value) {
  constexpr std::size_t kLongest = 253;  // a DNS name
  if (value.size() > kLongest) return bad_pair(pair, "the value is longer than 253 bytes");
  if (!std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < '\x7f'; })) {
    return bad_pair(pair, "the value has characters that no Kubernetes name has");
  }
  out = value;
  return {};
}

CniStatus put_ip(CniArgs& args, std::string_view pair, std::string_view value) {
  Result<IpAddress> ip = parse_address_of(value);
  if (!ip) return bad_pair(pair, ip.error().message);
  args.ip = *ip;
  return {};
}

CniStatus put_mac(CniArgs& args, std::string_view pair, std::string_view value) {
  const Result<MacAddress> mac = MacAddress::parse(value);
  if (!mac) return bad_pair(pair, mac.error().message);
  args.mac = *mac;
  return {};
}

CniStatus put_ignore_unknown(CniArgs& args, std::string_view pair, std::string_view value) {
  const std::string text = lower(value);
  args.ignore_unknown = text == "1" || text == "true";
  if (!args.ignore_unknown && text != "0" && text != "false") {
    return bad_pair(pair, "the value must be 1, true, 0 or false");
  }
  return {};
}

/// Whether it is known; what is not is left to IgnoreUnknown.
CniResult<bool> put_pair(CniArgs& args, const Pair& pair) {
  CniStatus put;
  if (pair.key == "IgnoreUnknown") {
    put = put_ignore_unknown(args, pair.text, pair.value);
  } else if (pair.key == "K8S_POD_NAMESPACE") {
    put = put_name(args.pod_namespace, pair.text, pair.value);
  } else if (pair.key == "K8S_POD_NAME") {
    put = put_name(args.pod_name, pair.text, pair.value);
  } else if (pair.key == "K8S_POD_UID") {
    put = put_name(args.pod_uid, pair.text, pair.value);
  } else if (pair.key == "K8S_POD_INFRA_CONTAINER_ID") {
    put = put_name(args.pod_infra_container_id, pair.text, pair.value);
  } else if (pair.key == "IP") {
    put = put_ip(args, pair.text, pair.value);
  } else if (pair.key == "MAC") {
    put = put_mac(args, pair.text, pair.value);
  } else {
    return false;
  }
  HOLDFAST_CHECK(std::move(put));
  return true;
}

}  // namespace

Result<IpAddress> parse_address_of(std::string_view text) {
  if (text.find('/') == std::string_view::npos) return IpAddress::parse(text);
  HOLDFAST_TRY(const Cidr cidr, Cidr::parse(text));
  return cidr.address();
}

Environment Environment::from(const std::function<std::string(const char* name)>& lookup) {
  return {
      lookup("CNI_COMMAND"), lookup("CNI_CONTAINERID"), lookup("CNI_NETNS"),          lookup("CNI_IFNAME"),
      lookup("CNI_ARGS"),    lookup("CNI_PATH"),        lookup("CNI_NETNS_OVERRIDE"), {}};
}

Environment Environment::from_process() {
  Environment env = from([](const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing of ours sets variables
    return std::string(value == nullptr ? "" : value);
  });
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    const std::string_view name = variable.substr(0, variable.find('='));
    if (std::find(kVariables.begin(), kVariables.end(), name) == kVariables.end()) {
      env.others.emplace_back(variable);
    }
  }
  return env;
}

bool Environment::allows_own_netns() const {
  return netns_override == "1" || lower(netns_override) == "true";
}

CniResult<Verb> validate(const Environment& env) {
  if (env.command.empty()) {
    return cni_fail(CniCode::kInvalidEnvironment, "required env variables [CNI_COMMAND] missing");
  }
  const std::optional<Verb> verb = parse_verb(env.command);
  if (!verb) return cni_fail(CniCode::kInvalidEnvironment, "unknown CNI_COMMAND: " + env.command);
  if (const std::string missing = missing_variables(env, *verb); !missing.empty()) {
    return cni_fail(CniCode::kInvalidEnvironment, "required env variables [" + missing + "] missing");
  }
  if (*verb == Verb::kAdd || *verb == Verb::kCheck || *verb == Verb::kDel) {
    HOLDFAST_CHECK(validate_attachment(env));
  }
  return *verb;
}

CniStatus validate_container_id(std::string_view id) {
  if (is_identifier(id)) return {};
  return cni_fail(CniCode::kInvalidEnvironment,
                  "CNI_CONTAINERID has invalid characters: '" + std::string(id) + "'", std::string(id));
}

CniStatus validate_ifname(std::string_view name) {
  const std::string_view fault = fault_of_link_name(name);
  if (fault.empty()) return {};
  return cni_fail(CniCode::kInvalidEnvironment,
                  "CNI_IFNAME " + std::string(fault) + ": '" + std::string(name) + "'", std::string(name));
}

CniStatus validate_network_name(std::string_view name) {
  if (name.empty()) return cni_fail(CniCode::kInvalidConfig, "name: missing network name");
  if (is_identifier(name)) return {};
  return cni_fail(CniCode::kInvalidConfig,
                  "name: invalid characters found in network name '" + std::string(name) + "'",
                  std::string(name));
}

CniResult<CniArgs> parse_cni_args(std::string_view text) {
  CniArgs args;
  std::string unknown;
  while (!text.empty()) {
    const std::size_t end = text.find(';');
    HOLDFAST_TRY(const Pair pair, split_pair(text.substr(0, end)));
    HOLDFAST_TRY(const bool is_known, put_pair(args, pair));
    if (!is_known) unknown.append(unknown.empty() ? "" : ", ").append(pair.key);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    // A ';' at the very end leaves an empty pair, which upstream refuses too.
    if (text.empty()) return bad_pair("", "it must be KEY=VALUE");
  }
  if (!unknown.empty() && !args.ignore_unknown) {
    return cni_fail(CniCode::kInvalidEnvironment,
                    "CNI_ARGS: unknown keys [" + unknown + "] and IgnoreUnknown is not set");
  }
  return args;
}

}  // namespace holdfast::cni
