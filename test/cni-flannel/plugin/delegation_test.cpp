#include "cni-flannel/plugin/delegation.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::cni {
namespace {

using std::chrono::milliseconds;

std::string value_of(const Command& command, const std::string& name) {
  for (const std::string& variable : command.environment) {
    if (variable.rfind(name + "=", 0) == 0) return variable.substr(name.size() + 1);
  }
  return {};
}

/// Answers each verb with what was set for it, and remembers the calls.
class FakeExecutor final : public Executor {
 public:
  Result<CommandResult> run(const Command& command) override {
    const std::string verb = value_of(command, "CNI_COMMAND");
    verbs.push_back(verb);
    last = command;
    if (verb == "ADD" && add_error) return tl::unexpected(*add_error);
    CommandResult result;
    result.exit_status = verb == failing ? 1 : 0;
    result.output = verb == "VERSION" ? version : verb == failing ? failure : verb == "ADD" ? add : "";
    result.errors = errors;
    return result;
  }

  std::vector<std::string> verbs;
  Command last;
  std::string version = R"({"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]})";
  std::string add = R"({"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/24"}]})";
  std::string failing;
  std::string failure;
  std::string errors;
  std::optional<Error> add_error;
};

struct DelegationTest {
  DelegationTest() {
    std::ofstream(folder / "ptp") << "";
    env.path = "/nowhere:" + folder.path().string();
    env.others = {"PATH=/bin"};
  }
  Delegates delegates() { return {executor, env, milliseconds(1234)}; }

  test::TemporaryFolder folder;
  FakeExecutor executor;
  Environment env = test::environment("ADD");
  JsonPart conf = parse_document(R"({"cniVersion":"1.1.0","name":"n","type":"ptp"})", "test").value();
  JsonPart old_conf = parse_document(R"({"cniVersion":"1.0.0","name":"n","type":"ptp"})", "test").value();
};

using Verbs = std::vector<std::string>;

TEST_CASE_METHOD(DelegationTest, "a delegate gets our environment, its configuration and a deadline",
                 "[cni]") {
  const auto result = delegates().add("ptp", conf);
  REQUIRE(result.has_value());
  REQUIRE(result->ips.size() == 1);
  CHECK(result->ips[0].address.to_string() == "10.1.0.2/24");
  const Command& command = executor.last;
  CHECK(command.argv == std::vector<std::string>{(folder / "ptp").string()});
  CHECK(command.input == to_text(conf));
  CHECK(command.deadline == milliseconds(1234));
  CHECK(value_of(command, "PATH") == "/bin");
  CHECK(value_of(command, "CNI_COMMAND") == "ADD");
  CHECK(value_of(command, "CNI_CONTAINERID") == "c1");
  CHECK(value_of(command, "CNI_NETNS") == "/var/run/netns/c1");
  CHECK(value_of(command, "CNI_IFNAME") == "eth0");
  CHECK(value_of(command, "CNI_PATH") == env.path);
}

TEST_CASE_METHOD(DelegationTest, "every verb is passed on", "[cni]") {
  CHECK(delegates().del("ptp", conf).has_value());
  CHECK(delegates().check("ptp", conf).has_value());
  CHECK(delegates().gc("ptp", conf).has_value());
  CHECK(delegates().status("ptp", conf).has_value());
  CHECK(executor.verbs == Verbs{"DEL", "CHECK", "VERSION", "GC", "VERSION", "STATUS"});
}

TEST_CASE_METHOD(DelegationTest, "GC and STATUS are kept from who does not know them", "[cni]") {
  SECTION("an old configuration") {
    CHECK(delegates().gc("ptp", old_conf).has_value());
    CHECK(delegates().status("ptp", old_conf).has_value());
    CHECK(executor.verbs.empty());
  }
  SECTION("an old plugin") {
    executor.version = R"({"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]})";
    CHECK(delegates().gc("ptp", conf).has_value());
    CHECK(executor.verbs == Verbs{"VERSION"});
  }
  SECTION("a plugin newer than us") {
    executor.version = R"({"cniVersion":"1.2.0","supportedVersions":["1.2.0"]})";
    CHECK(delegates().gc("ptp", conf).has_value());
    CHECK(executor.verbs == Verbs{"VERSION", "GC"});
  }
  SECTION("a plugin whose answer is none") {
    executor.version = "oops";
    CHECK_FALSE(delegates().gc("ptp", conf).has_value());
  }
}

TEST_CASE_METHOD(DelegationTest, "a delegate's error is passed on with its code, and its ADD is undone",
                 "[cni]") {
  executor.failing = "ADD";
  executor.failure = R"({"cniVersion":"1.0.0","code":42,"msg":"no","details":"why"})";
  const auto result = delegates().add("ptp", conf);
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error() == CniError{static_cast<CniCode>(42), "no", "why (plugin ptp, ADD)"});
  CHECK(executor.verbs == Verbs{"ADD", "DEL"});
}

TEST_CASE_METHOD(DelegationTest, "a delegate that fails without an error object is quoted", "[cni]") {
  executor.failing = "DEL";
  executor.errors = "panic:\n oops\n";
  const auto failed = delegates().del("ptp", conf);
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == CniCode::kInternal);
  CHECK(failed.error().msg == "plugin ptp, DEL: ended with status 1 and said: panic:  oops");
  CHECK(failed.error().details == (folder / "ptp").string() +
                                      " does not do as the CNI specification says: install it anew, or "
                                      "configure another type");
  executor.errors.clear();
  CHECK(delegates().del("ptp", conf).error().msg == "plugin ptp, DEL: ended with status 1 and said nothing");
}

TEST_CASE_METHOD(DelegationTest, "an ADD without a result, or out of time, is undone", "[cni]") {
  SECTION("no result") {
    executor.add = "";
    const auto result = delegates().add("ptp", conf);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == CniCode::kDecode);
  }
  SECTION("out of time") {
    executor.add_error = Error{Code::kDeadlineExceeded, 0, "too late"};
    const auto result = delegates().add("ptp", conf);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == static_cast<CniCode>(104));
    CHECK(result.error().msg == "plugin ptp, ADD: too late");
    CHECK(result.error().details ==
          "see what " + (folder / "ptp").string() + " waits for on this node: its daemon, a lock, a server");
  }
  CHECK(executor.verbs == Verbs{"ADD", "DEL"});
}

TEST_CASE_METHOD(DelegationTest, "an ADD that did not start has nothing to undo", "[cni]") {
  SECTION("a program that may not be executed") {
    executor.add_error = Error{Code::kPermissionDenied, 0, "run ptp: Permission denied"};
    const auto result = delegates().add("ptp", conf);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error() ==
          CniError{static_cast<CniCode>(107), "plugin ptp, ADD: run ptp: Permission denied",
                   "see that " + (folder / "ptp").string() + " is the plugin, whole, and may be executed"});
    CHECK(executor.verbs == Verbs{"ADD"});
  }
  SECTION("no program") {
    CHECK_FALSE(delegates().add("absent", conf).has_value());
    CHECK(executor.verbs.empty());
  }
}

TEST_CASE_METHOD(DelegationTest, "a delegate whose DEL failed may hold something, until a DEL succeeds",
                 "[cni]") {
  Delegates asked = delegates();
  CHECK_FALSE(asked.may_hold_something());
  executor.add = "";
  executor.failing = "DEL";
  CHECK_FALSE(asked.add("ptp", conf).has_value());
  CHECK(asked.may_hold_something());
  for (const int code : {1, 2, 4, 6, 7}) {
    executor.failure = R"({"code":)" + std::to_string(code) + R"(,"msg":"not with me"})";
    CHECK_FALSE(asked.del("ptp", conf).has_value());
    CHECK_FALSE(asked.may_hold_something());
  }
  executor.failure = R"({"code":11,"msg":"later"})";
  CHECK_FALSE(asked.del("ptp", conf).has_value());
  CHECK(asked.may_hold_something());
  executor.failing.clear();
  CHECK(asked.del("ptp", conf).has_value());
  CHECK_FALSE(asked.may_hold_something());
  CHECK_FALSE(asked.del("absent", conf).has_value());
  CHECK_FALSE(asked.may_hold_something());
}

TEST_CASE_METHOD(DelegationTest, "a plugin is looked for in CNI_PATH only", "[cni]") {
  CHECK(find_plugin("ptp", env.path) == folder / "ptp");
  for (const char* name : {"", ".", "..", "a/b", "/bin/sh", "../ptp"}) {
    DYNAMIC_SECTION("name '" << name << "'") {
      const auto found = find_plugin(name, env.path);
      REQUIRE_FALSE(found.has_value());
      CHECK(found.error().code == CniCode::kInvalidConfig);
    }
  }
  std::filesystem::create_directory(folder / "folder");
  for (const char* name : {"absent", "folder"}) {
    DYNAMIC_SECTION("name '" << name << "'") {
      const auto found = find_plugin(name, "::" + folder.path().string() + ":");
      REQUIRE_FALSE(found.has_value());
      CHECK(found.error().code == CniCode::kInvalidEnvironment);
      CHECK(found.error().msg.find(folder.path().string()) != std::string::npos);
    }
  }
}

TEST_CASE_METHOD(DelegationTest, "what the runtime passes at call time goes on to the delegate", "[cni]") {
  const auto call = parse_net_conf(
      R"({"name":"n","prevResult":{"ips":[]},"cni.dev/valid-attachments":[],"runtimeConfig":{"x":1}})");
  REQUIRE(call.has_value());
  CHECK(
      to_text(with_call_fields(conf, *call)) ==
      R"({"cni.dev/valid-attachments":[],"cniVersion":"1.1.0","name":"n","prevResult":{"ips":[]},"type":"ptp"})");
}

TEST_CASE_METHOD(DelegationTest, "a real program is run by the rules", "[cni]") {
  const auto program = folder / "script";
  std::ofstream(program)
      << "#!/bin/sh\n"
         "if [ \"$CNI_COMMAND\" = ADD ]; then cat > /dev/null; "
         "echo '{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"'$CNI_IFNAME'\"}]}'; exit 0; fi\n"
         "echo '{\"code\":7,\"msg\":\"'$CNI_COMMAND'\"}'; exit 1\n";
  REQUIRE(::chmod(program.c_str(), 0755) == 0);
  SystemExecutor system;
  Delegates real(system, env, milliseconds(10000));
  const auto result = real.add("script", conf);
  REQUIRE(result.has_value());
  REQUIRE(result->interfaces.size() == 1);
  CHECK(result->interfaces[0].name == "eth0");
  CHECK(real.check("script", conf).error() ==
        CniError{CniCode::kInvalidConfig, "CHECK", "(plugin script, CHECK)"});
}

}  // namespace
}  // namespace holdfast::cni
