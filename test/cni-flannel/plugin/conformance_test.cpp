// What CNI 1.1.0 asks of every plugin, rule by rule, over real descriptors.
// Source: https://github.com/containernetworking/cni/blob/spec-v1.1.0/SPEC.md

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "cni-flannel/plugin/run.h"
#include "common/base/fd.h"
#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"

namespace holdfast::cni {
namespace {

using test::Answer;
using test::environment;

/// Remembers what it was called with and answers as told.
class RecordingPlugin final : public Plugin {
 public:
  std::string about() const override { return "a plugin for tests\n\nhow to use it\n"; }
  CniResult<AddResult> add(const Request& request) override {
    HOLDFAST_CHECK(called("ADD", request));
    return result;
  }
  CniStatus del(const Request& request) override { return called("DEL", request); }
  CniStatus check(const Request& request) override { return called("CHECK", request); }
  CniStatus gc(const Request& request) override { return called("GC", request); }
  CniStatus status(const Request& request) override { return called("STATUS", request); }

  std::vector<std::string> calls;
  std::optional<Request> last;
  AddResult result;
  std::optional<CniError> failure;
  std::string fails_in;  ///< the verb that `failure` is of; empty: every
  enum class Throws { kNothing, kException, kOther } throws = Throws::kNothing;

 private:
  CniStatus called(const char* verb, const Request& request) {
    calls.emplace_back(verb);
    last = request;
    if (throws == Throws::kException) throw std::runtime_error("oops");
    if (throws == Throws::kOther) throw 7;
    if (failure && (fails_in.empty() || fails_in == verb)) return tl::unexpected(*failure);
    return {};
  }
};

std::string config(const char* version) {
  return std::string(R"({"cniVersion":")") + version + R"(","name":"n","type":"t"})";
}

/// The error object of an answer, which must be one.
nlohmann::json error_of(const Answer& answer) {
  CHECK(answer.status == 1);
  CHECK(answer.err.empty());
  auto error = nlohmann::json::parse(answer.out);
  CHECK(error.contains("cniVersion"));
  return error;
}

TEST_CASE("without CNI_COMMAND the plugin introduces itself on stderr and succeeds", "[cni]") {
  RecordingPlugin plugin;
  const Answer answer = test::call(plugin, {}, "not read");
  CHECK(answer.status == 0);
  CHECK(answer.out.empty());
  CHECK(answer.err ==
        "a plugin for tests\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, "
        "1.1.0\n\nhow to use it\n");
}

TEST_CASE("VERSION needs no other variable and no configuration", "[cni]") {
  RecordingPlugin plugin;
  Environment env;
  env.command = "VERSION";
  const Answer answer = test::call(plugin, env, "this is not JSON");
  CHECK(answer.status == 0);
  CHECK(
      answer.out ==
      R"({"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]})"
      "\n");
  CHECK(plugin.calls.empty());
}

TEST_CASE("each verb reaches its function, and all but ADD print nothing", "[cni]") {
  for (const char* verb : {"DEL", "CHECK", "GC", "STATUS"}) {
    DYNAMIC_SECTION(verb) {
      RecordingPlugin plugin;
      const Answer answer = test::call(plugin, environment(verb), config("1.1.0"));
      CHECK(answer.status == 0);
      CHECK(answer.out.empty());
      CHECK(answer.err.empty());
      CHECK(plugin.calls == std::vector<std::string>{verb});
    }
  }
}

TEST_CASE("ADD answers in the version of the configuration", "[cni]") {
  RecordingPlugin plugin;
  plugin.result.ips = {{Cidr::parse("10.1.0.2/24").value(), {}, {}}};
  struct Case {
    std::string config;
    const char* answer;
  };
  const Case cases[] = {
      {config("1.1.0"), R"({"cniVersion":"1.1.0","ips":[{"address":"10.1.0.2/24"}]})"},
      {config("1.0.0"), R"({"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/24"}]})"},
      {config("0.4.0"), R"({"cniVersion":"0.4.0","ips":[{"address":"10.1.0.2/24","version":"4"}]})"},
      {config("0.3.1"), R"({"cniVersion":"0.3.1","ips":[{"address":"10.1.0.2/24","version":"4"}]})"},
      {config("0.3.0"), R"({"cniVersion":"0.3.0","ips":[{"address":"10.1.0.2/24","version":"4"}]})"},
      {config("0.2.0"), R"({"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.2/24"}})"},
      {config("0.1.0"), R"({"cniVersion":"0.1.0","ip4":{"ip":"10.1.0.2/24"}})"},
      {R"({"name":"n"})", R"({"cniVersion":"0.1.0","ip4":{"ip":"10.1.0.2/24"}})"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.config) {
      const Answer answer = test::call(plugin, environment("ADD"), c.config);
      CHECK(answer.status == 0);
      CHECK(answer.out == std::string(c.answer) + "\n");
    }
  }
}

TEST_CASE("a verb that the configuration's version does not have is refused with code 1", "[cni]") {
  struct Case {
    const char* verb;
    const char* last_without;
    const char* first_with;
  };
  const Case cases[] = {{"CHECK", "0.3.1", "0.4.0"}, {"GC", "1.0.0", "1.1.0"}, {"STATUS", "1.0.0", "1.1.0"}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.verb) {
      RecordingPlugin plugin;
      const auto error = error_of(test::call(plugin, environment(c.verb), config(c.last_without)));
      CHECK(error["code"] == 1);
      CHECK(error["msg"] == std::string("config version does not allow ") + c.verb);
      CHECK(plugin.calls.empty());
      CHECK(test::call(plugin, environment(c.verb), config(c.first_with)).status == 0);
    }
  }
}

TEST_CASE("a version that we do not speak is refused with code 1, with both sides in the details", "[cni]") {
  for (const char* version : {"1.2.0", "0.5.0", "1.1", "v1.1.0", "1.1.0 "}) {
    DYNAMIC_SECTION(version) {
      RecordingPlugin plugin;
      const auto error = error_of(test::call(plugin, environment("ADD"), config(version)));
      CHECK(error["code"] == 1);
      CHECK(error["details"] == std::string("config is ") + version +
                                    ", plugin supports 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
      CHECK(plugin.calls.empty());
    }
  }
}

TEST_CASE("a failure is an error object on stdout and exit status 1", "[cni]") {
  RecordingPlugin plugin;
  plugin.failure = CniError{CniCode::kTryAgainLater, "not yet", "soon"};
  for (const char* verb : {"ADD", "DEL", "CHECK", "GC", "STATUS"}) {
    DYNAMIC_SECTION(verb) {
      const auto error = error_of(test::call(plugin, environment(verb), config("1.1.0")));
      CHECK(error ==
            nlohmann::json::parse(R"({"cniVersion":"1.1.0","code":11,"details":"soon","msg":"not yet"})"));
    }
  }
  CHECK(error_of(test::call(plugin, environment("ADD"), config("0.4.0")))["cniVersion"] == "0.4.0");
}

TEST_CASE("an exception is code 999 and not a crash", "[cni]") {
  RecordingPlugin plugin;
  plugin.throws = RecordingPlugin::Throws::kException;
  auto error = error_of(test::call(plugin, environment("ADD"), config("1.1.0")));
  CHECK(error["code"] == 999);
  CHECK(error["msg"] == "internal error: oops");
  plugin.throws = RecordingPlugin::Throws::kOther;
  error = error_of(test::call(plugin, environment("DEL"), config("1.1.0")));
  CHECK(error["code"] == 999);
}

TEST_CASE("DEL succeeds without a namespace, without prevResult, and with one that is unreadable", "[cni]") {
  RecordingPlugin plugin;
  Environment env = environment("DEL");
  env.netns.clear();
  CHECK(test::call(plugin, env, config("1.1.0")).status == 0);
  CHECK(test::call(plugin, env, R"({"name":"n","prevResult":{"ips":7}})").status == 0);
}

TEST_CASE("GC and STATUS ignore CNI_ARGS, the others refuse malformed ones", "[cni]") {
  RecordingPlugin plugin;
  for (const char* verb : {"ADD", "DEL", "CHECK", "GC", "STATUS"}) {
    DYNAMIC_SECTION(verb) {
      Environment env = environment(verb);
      env.args = "nonsense";
      const bool ignored = std::string(verb) == "GC" || std::string(verb) == "STATUS";
      CHECK(test::call(plugin, env, config("1.1.0")).status == (ignored ? 0 : 1));
    }
  }
}

TEST_CASE("GC is given the list, and knows a missing one from an empty one", "[cni]") {
  RecordingPlugin plugin;
  REQUIRE(test::call(plugin, environment("GC"), config("1.1.0")).status == 0);
  CHECK_FALSE(plugin.last->conf.valid_attachments.has_value());
  REQUIRE(test::call(plugin, environment("GC"),
                     R"({"cniVersion":"1.1.0","name":"n","cni.dev/valid-attachments":[]})")
              .status == 0);
  REQUIRE(plugin.last->conf.valid_attachments.has_value());
  CHECK(plugin.last->conf.valid_attachments->empty());
}

TEST_CASE("a configuration up to the limit is read, a longer one is refused", "[cni]") {
  RecordingPlugin plugin;
  std::string text = config("1.1.0");
  text.append(kMaxConfigBytes - text.size(), ' ');
  CHECK(test::call(plugin, environment("ADD"), text).status == 0);
  text += ' ';
  const auto error = error_of(test::call(plugin, environment("ADD"), text));
  CHECK(error["code"] == 7);
  CHECK(error["msg"] == "the configuration on stdin is longer than 1048576 bytes");
}

TEST_CASE("an answer that cannot be written is a failure", "[cni]") {
  RecordingPlugin plugin;
  Environment env;
  env.command = "VERSION";
  CHECK(run(plugin, env, {0, -1, -1}) == 1);
  CHECK(run(plugin, {}, {0, -1, -1}) == 1);
}

TEST_CASE("an ADD whose result cannot be written is undone, and says so on stderr", "[cni]") {
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  RecordingPlugin plugin;
  SECTION("by DEL") {
    const Answer answer = test::call(plugin, environment("ADD"), config("1.1.0"), full.get());
    CHECK(answer.status == 1);
    CHECK(plugin.calls == std::vector<std::string>{"ADD", "DEL"});
    CHECK(answer.err ==
          "writing the answer to standard output: No space left on device\nwhat ADD made is taken down "
          "again\n");
  }
  SECTION("by nothing when it failed by itself") {
    plugin.failure = CniError{CniCode::kIo, "no", ""};
    CHECK(test::call(plugin, environment("ADD"), config("1.1.0"), full.get()).status == 1);
    CHECK(plugin.calls == std::vector<std::string>{"ADD"});
  }
  SECTION("and tells when DEL cannot") {
    plugin.fails_in = "DEL";
    plugin.failure = CniError{CniCode::kIo, "no", ""};
    const Answer answer = test::call(plugin, environment("ADD"), config("1.1.0"), full.get());
    CHECK_THAT(answer.err, Catch::Contains("cannot be taken down, DEL has to do it: no"));
  }
}

TEST_CASE("stdin that cannot be read is code 5", "[cni]") {
  RecordingPlugin plugin;
  const Environment env = environment("ADD");
  // A folder can be opened for reading and not be read.
  Fd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Fd out(::memfd_create("out", MFD_CLOEXEC));
  CHECK(run(plugin, env, {folder.get(), out.get(), -1}) == 1);
  std::string text(200, '\0');
  const ssize_t got = ::pread(out.get(), text.data(), text.size(), 0);
  REQUIRE(got > 0);
  text.resize(static_cast<std::size_t>(got));
  CHECK(nlohmann::json::parse(text)["code"] == 5);
}

}  // namespace
}  // namespace holdfast::cni
