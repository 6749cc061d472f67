#include "cni-flannel/plugin/environment.h"

#include <stdlib.h>

#include <algorithm>
#include <map>

#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"

namespace holdfast::cni {
namespace {

using test::environment;

TEST_CASE("missing variables are named all at once, and only those the verb needs", "[cni]") {
  struct Case {
    const char* command;
    const char* message;
  };
  const Case cases[] = {
      {"", "required env variables [CNI_COMMAND] missing"},
      {"ADD", "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing"},
      {"CHECK", "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing"},
      {"DEL", "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing"},
      {"GC", "required env variables [CNI_PATH] missing"},
      {"STATUS", "required env variables [CNI_PATH] missing"},
      {"add", "unknown CNI_COMMAND: add"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION("command '" << c.command << "'") {
      Environment env;
      env.command = c.command;
      const CniResult<Verb> verb = validate(env);
      REQUIRE_FALSE(verb.has_value());
      CHECK(verb.error().code == CniCode::kInvalidEnvironment);
      CHECK(verb.error().msg == c.message);
    }
  }
  Environment version;
  version.command = "VERSION";
  CHECK(validate(version) == Verb::kVersion);
}

TEST_CASE("a complete environment gives its verb, and DEL needs no namespace", "[cni]") {
  for (const char* command : {"ADD", "DEL", "CHECK", "GC", "STATUS"}) {
    DYNAMIC_SECTION(command) {
      const CniResult<Verb> verb = validate(environment(command));
      REQUIRE(verb.has_value());
      CHECK(to_string(*verb) == command);
    }
  }
  Environment no_netns = environment("DEL");
  no_netns.netns.clear();
  CHECK(validate(no_netns).has_value());
}

TEST_CASE("container ids follow the rule of the spec", "[cni]") {
  for (const char* good : {"a", "0", "A.b_c-d", "0123456789abcdef"}) {
    DYNAMIC_SECTION("good " << good) { CHECK(validate_container_id(good).has_value()); }
  }
  for (const char* bad : {"", ".", "..", "-a", "_a", "a/b", "../x", "a b", "a:b", "a\n", "\xc3\xa9"}) {
    DYNAMIC_SECTION("bad '" << bad << "'") {
      const CniStatus refused = validate_container_id(bad);
      REQUIRE_FALSE(refused.has_value());
      CHECK(refused.error().code == CniCode::kInvalidEnvironment);
      CHECK(refused.error().details == bad);
    }
  }
}

TEST_CASE("interface names follow the rule of the spec", "[cni]") {
  for (const char* good : {"eth0", "a", "123456789012345", "a@b", "..."}) {
    DYNAMIC_SECTION("good " << good) { CHECK(validate_ifname(good).has_value()); }
  }
  for (const char* bad :
       {"", ".", "..", "1234567890123456", "a/b", "a:b", "a b", "a\tb", "a\n", "e\x01", "e\x7f", "e%d"}) {
    DYNAMIC_SECTION("bad '" << bad << "'") {
      const CniStatus refused = validate_ifname(bad);
      REQUIRE_FALSE(refused.has_value());
      CHECK(refused.error().code == CniCode::kInvalidEnvironment);
    }
  }
}

TEST_CASE("container id and interface name are looked at only by verbs that have them", "[cni]") {
  Environment env = environment("GC");
  env.container_id = "../x";
  env.ifname = "a/b";
  CHECK(validate(env).has_value());
  env.command = "DEL";
  CHECK_FALSE(validate(env).has_value());
}

TEST_CASE("CNI_NETNS_OVERRIDE is on for 1 and true in any case, and for nothing else", "[cni]") {
  Environment env = environment("ADD");
  CHECK_FALSE(env.allows_own_netns());
  for (const char* value : {"1", "true", "TRUE", "True"}) {
    DYNAMIC_SECTION(value) {
      env.netns_override = value;
      CHECK(env.allows_own_netns());
    }
  }
  for (const char* value : {"0", "false", "yes", "11"}) {
    DYNAMIC_SECTION(value) {
      env.netns_override = value;
      CHECK_FALSE(env.allows_own_netns());
    }
  }
}

TEST_CASE("CNI_ARGS gives the pod, the address and the MAC", "[cni]") {
  const auto args = parse_cni_args(
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c1;"
      "K8S_POD_UID=0b0b-1;IP=10.1.2.3/24;MAC=02:00:00:00:00:01;FOO=bar");
  REQUIRE(args.has_value());
  CHECK(args->ignore_unknown);
  CHECK(args->pod_namespace == "ns");
  CHECK(args->pod_name == "web-0");
  CHECK(args->pod_uid == "0b0b-1");
  CHECK(args->pod_infra_container_id == "c1");
  REQUIRE(args->ip.has_value());
  CHECK(args->ip->to_string() == "10.1.2.3");
  REQUIRE(args->mac.has_value());
  CHECK(args->mac->to_string() == "02:00:00:00:00:01");
}

TEST_CASE("empty CNI_ARGS is none, and IgnoreUnknown may come last", "[cni]") {
  CHECK(parse_cni_args("").has_value());
  CHECK(parse_cni_args("FOO=bar;IgnoreUnknown=true").has_value());
  CHECK(parse_cni_args("IP=2001:db8::7")->ip->to_string() == "2001:db8::7");
}

TEST_CASE("CNI_ARGS that are malformed are refused, naming the pair", "[cni]") {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"A", "CNI_ARGS: invalid pair 'A': it must be KEY=VALUE"},
      {"IP=10.0.0.1;B", "CNI_ARGS: invalid pair 'B': it must be KEY=VALUE"},
      {"MAC=a=b", "CNI_ARGS: invalid pair 'MAC=a=b': it must be KEY=VALUE"},
      {";", "CNI_ARGS: invalid pair '': it must be KEY=VALUE"},
      {"IgnoreUnknown=1;", "CNI_ARGS: invalid pair '': it must be KEY=VALUE"},
      {"IP=10.1", "CNI_ARGS: invalid pair 'IP=10.1': '10.1' is not an IP address"},
      {"IP=10.0.0.1/33", "CNI_ARGS: invalid pair 'IP=10.0.0.1/33': '10.0.0.1/33' is not a CIDR"},
      {"MAC=02:00", "CNI_ARGS: invalid pair 'MAC=02:00': '02:00' is not a MAC address"},
      {"IgnoreUnknown=yes",
       "CNI_ARGS: invalid pair 'IgnoreUnknown=yes': the value must be 1, true, 0 or false"},
      {"K8S_POD_NAME=a b",
       "CNI_ARGS: invalid pair 'K8S_POD_NAME=a b': the value has characters that no Kubernetes name has"},
      {"FOO=1;BAR=2", "CNI_ARGS: unknown keys [FOO, BAR] and IgnoreUnknown is not set"},
      {"IgnoreUnknown=0;FOO=1", "CNI_ARGS: unknown keys [FOO] and IgnoreUnknown is not set"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.text) {
      const auto args = parse_cni_args(c.text);
      REQUIRE_FALSE(args.has_value());
      CHECK(args.error().code == CniCode::kInvalidEnvironment);
      CHECK(args.error().msg == c.message);
    }
  }
  CHECK_FALSE(parse_cni_args("K8S_POD_UID=" + std::string(254, 'a')).has_value());
  CHECK(parse_cni_args("K8S_POD_UID=" + std::string(253, 'a')).has_value());
}

TEST_CASE("variables come from the lookup or the process, others are kept for delegates", "[cni]") {
  const std::map<std::string, std::string> values = {{"CNI_COMMAND", "ADD"}, {"CNI_NETNS_OVERRIDE", "1"}};
  const Environment env = Environment::from([&](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  });
  CHECK(env.command == "ADD");
  CHECK(env.netns_override == "1");
  CHECK(env.container_id.empty());

  REQUIRE(::setenv("CNI_IFNAME", "net7", 1) == 0);
  REQUIRE(::setenv("HOLDFAST_TEST_VARIABLE", "x=y", 1) == 0);
  const Environment process = Environment::from_process();
  REQUIRE(::unsetenv("CNI_IFNAME") == 0);
  REQUIRE(::unsetenv("HOLDFAST_TEST_VARIABLE") == 0);
  CHECK(process.ifname == "net7");
  CHECK(std::count(process.others.begin(), process.others.end(), "HOLDFAST_TEST_VARIABLE=x=y") == 1);
  CHECK(std::count(process.others.begin(), process.others.end(), "CNI_IFNAME=net7") == 0);
}

}  // namespace
}  // namespace holdfast::cni
