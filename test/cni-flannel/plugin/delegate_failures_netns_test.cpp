// Delegates and ipam plugins that fail in their own ways, through the real program: what the runtime is told,
// and what stays.
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/recording_host.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

/// The part that the program plays which fails.
struct Part {
  const char* name;
  const char* key;  ///< of the configuration
};
const Part kParts[] = {{"a delegate", "delegate"}, {"an ipam", "ipam"}};

constexpr const char* kProgram = "/run/cni-bin/recorder";
constexpr const char* kBroken =
    "does not do as the CNI specification says: install it anew, or configure another type";
constexpr const char* kEnded = "see the kernel's log for who ended /run/cni-bin/recorder";

/// A way to fail, whatever the verb is.
struct Failure {
  const char* name;
  const char* commands;
  const char* message;  ///< behind "plugin recorder, <VERB>: "
  const char* details;
};
const Failure kFailures[] = {
    {"a status and not a word", "exit 3", "ended with status 3 and said nothing", kBroken},
    {"a status and words on stderr", "echo 'no route to host' >&2; exit 1",
     "ended with status 1 and said: no route to host", kBroken},
    {"a status and half an error object", R"(printf '{"code":7,"ms'; exit 1)",
     R"(ended with status 1 and said: {"code":7,"ms)", kBroken},
    {"a status and bytes that are no text", R"(printf '\377\000\376'; exit 1)",
     "ended with status 1 and said: ", kBroken},
    {"a status and 10 MB", "head -c 10000000 /dev/zero | tr '\\0' x; exit 1",
     "ended with status 1 and said: xxx", kBroken},
    {"SIGKILL", "kill -KILL $$", "ended by signal 9 and said nothing", kEnded},
    {"SIGSEGV in the middle of an answer", R"(printf '{"cniVersion":'; kill -SEGV $$)",
     R"(ended by signal 11 and said: {"cniVersion":)", kEnded},
};

/// An answer to ADD, with status 0, that is none.
struct Answer {
  const char* name;
  const char* commands;
  const char* message;  ///< behind "result of plugin recorder"
};
const Answer kAnswers[] = {
    {"nothing", "exit 0", ": "},
    {"no JSON", "echo garbage; exit 0", ": "},
    {"bytes that are no text", R"(printf '\377\000\376'; exit 0)", ": "},
    {"half of a result", R"(printf '{"cniVersion":"1.1.0","ips":[{"addr'; exit 0)", ": "},
    {"a list", "echo '[]'; exit 0", ": it must be a JSON object, is []"},
    {"no address where one belongs", R"(echo '{"ips":[{"address":"green"}]}'; exit 0)",
     ".ips[0].address: 'green' is not"},
    {"10 MB", R"(printf '{"x":"'; head -c 10000000 /dev/zero | tr '\0' x; echo '"}'; exit 0)",
     " is longer than 1048575 bytes"},
};

/// It waits in a child of its own, so that killing the plugin alone would not do.
constexpr const char* kHang = "sleep 600 & echo $! > /run/sleeper; wait";

bool sleeps(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/cmdline");
  std::string line;
  return std::getline(file, line) && line.starts_with("sleep");
}

/// Whether it sleeps on for seconds: one that was killed may take a moment to be gone.
bool goes_on_sleeping() {
  std::ifstream number("/run/sleeper");
  std::string pid;
  REQUIRE(number >> pid);
  for (int i = 0; i < 500 && sleeps(pid); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return sleeps(pid);
}

class FailingHost : public RecordingHost {
 public:
  /// The call by a program of ours that waits for a second only.
  static PluginCall in_haste(PluginCall call) {
    call.binary = IMPATIENT_FLANNEL;
    return call;
  }
  void give(const Part& part) { conf[part.key] = {{"type", "recorder"}}; }

  /// The error of a call that found the recorder failing in `verb`.
  static void check_error(const json& error, const Failure& failure, const std::string& verb) {
    CHECK(error.at("code") == 999);
    CHECK_THAT(error.at("msg").get<std::string>(),
               Catch::StartsWith("plugin recorder, " + verb + ": " + failure.message));
    CHECK(error.at("msg").get<std::string>().size() < 1000);
    CHECK_THAT(error.value("details", ""), Catch::Contains(failure.details) && Catch::Contains(kProgram));
  }
  static void check_too_late(const json& error, const std::string& verb) {
    CHECK(error.at("code") == 104);
    CHECK(error.at("msg") ==
          "plugin recorder, " + verb + ": run /run/cni-bin/recorder: not finished after 1000 ms, killed");
    CHECK(error.at("details") ==
          "see what /run/cni-bin/recorder waits for on this node: its daemon, a lock, a server");
    CHECK_FALSE(goes_on_sleeping());
  }
};

TEST_CASE_METHOD(FailingHost,
                 "an ADD whose delegate fails is told with its name and a cure, and leaves nothing",
                 "[failures]") {
  for (const Part& part : kParts) {
    for (const Failure& failure : kFailures) {
      DYNAMIC_SECTION(part.name << ": " << failure.name) {
        give(part);
        instead_of("ADD", failure.commands);
        const Sandbox pod = start_sandbox("c1");
        check_error(refused(call("ADD", pod)), failure, "ADD");
        CHECK(calls() == Texts{"ADD c1", "DEL c1"});
        CHECK(holdings().empty());
        as_usual("ADD");
        add(pod);
      }
    }
  }
}

TEST_CASE_METHOD(FailingHost, "an ADD whose delegate answers with no result is refused, and leaves nothing",
                 "[failures]") {
  for (const Part& part : kParts) {
    for (const Answer& answer : kAnswers) {
      DYNAMIC_SECTION(part.name << ": " << answer.name) {
        give(part);
        instead_of("ADD", answer.commands);
        const json error = refused(call("ADD", start_sandbox("c1")));
        CHECK(error.at("code") == 6);
        CHECK_THAT(error.at("msg").get<std::string>(),
                   Catch::StartsWith(std::string("result of plugin recorder") + answer.message));
        CHECK(error.at("details") == std::string("the plugin ") + kBroken);
        CHECK(calls() == Texts{"ADD c1", "DEL c1"});
        CHECK(holdings().empty());
      }
    }
  }
}

TEST_CASE_METHOD(FailingHost, "an ipam that gives no address is refused, and asked to let go", "[failures]") {
  conf["ipam"] = {{"type", "recorder"}};
  instead_of("ADD", R"(echo '{"cniVersion":"1.1.0"}'; exit 0)");
  const json error = refused(call("ADD", start_sandbox("c1")));
  CHECK(error.at("code") == 6);
  CHECK(error.at("msg") == "result of plugin recorder: it has no address");
  CHECK(calls() == Texts{"ADD c1", "DEL c1"});
  CHECK(holdings().empty());
}

TEST_CASE_METHOD(FailingHost, "a DEL whose delegate fails is told, and can be tried again", "[failures]") {
  for (const Part& part : kParts) {
    for (const Failure& failure : kFailures) {
      DYNAMIC_SECTION(part.name << ": " << failure.name) {
        give(part);
        const Sandbox pod = start_sandbox("c1");
        add(pod);
        instead_of("DEL", failure.commands);
        check_error(refused(call("DEL", pod)), failure, "DEL");
        CHECK(holdings().confs == std::set<std::string>{"c1"});
        CHECK(holdings().host_links.empty());
        as_usual("DEL");
        succeed(call("DEL", pod));
        CHECK(holdings().empty());
      }
    }
  }
}

TEST_CASE_METHOD(FailingHost, "a CHECK whose delegate fails is told, and changes nothing", "[failures]") {
  for (const Part& part : kParts) {
    for (const Failure& failure : kFailures) {
      DYNAMIC_SECTION(part.name << ": " << failure.name) {
        give(part);
        const Sandbox pod = start_sandbox("c1");
        const json result = add(pod);
        const Holdings held = holdings();
        instead_of("CHECK", failure.commands);
        check_error(refused(check_call(pod, result)), failure, "CHECK");
        CHECK(holdings() == held);
        as_usual("CHECK");
        succeed(check_call(pod, result));
      }
    }
  }
}

TEST_CASE_METHOD(FailingHost, "what a delegate prints in a DEL or CHECK that succeeds does not matter",
                 "[failures]") {
  for (const Part& part : kParts) {
    for (const Answer& answer : kAnswers) {
      DYNAMIC_SECTION(part.name << ": " << answer.name) {
        give(part);
        const Sandbox pod = start_sandbox("c1");
        const json result = add(pod);
        instead_of("CHECK", answer.commands);
        instead_of("DEL", answer.commands);
        succeed(check_call(pod, result));
        succeed(call("DEL", pod));
        CHECK(holdings().empty());
      }
    }
  }
}

TEST_CASE_METHOD(FailingHost, "a delegate that hangs is ended at its deadline, with its children",
                 "[failures]") {
  for (const Part& part : kParts) {
    DYNAMIC_SECTION(part.name) {
      give(part);
      const Sandbox pod = start_sandbox("c1");
      instead_of("ADD", kHang);
      check_too_late(refused(in_haste(call("ADD", pod))), "ADD");
      CHECK(calls() == Texts{"ADD c1", "DEL c1"});
      CHECK(holdings().empty());
      as_usual("ADD");

      const json result = add(pod);
      instead_of("CHECK", kHang);
      check_too_late(refused(in_haste(check_call(pod, result))), "CHECK");
      instead_of("DEL", kHang);
      check_too_late(refused(in_haste(call("DEL", pod))), "DEL");
      CHECK(holdings().confs == std::set<std::string>{"c1"});
      as_usual("DEL");
      succeed(call("DEL", pod));
      CHECK(holdings().empty());
    }
  }
}

TEST_CASE_METHOD(FailingHost,
                 "what a delegate held on to after a failed ADD is let go by the runtime's DEL, or by GC",
                 "[failures]") {
  for (const Part& part : kParts) {
    for (const char* verb : {"DEL", "GC"}) {
      DYNAMIC_SECTION(part.name << ", " << verb) {
        give(part);
        instead_of("ADD", kHang);
        instead_of("DEL", kHang);
        const Sandbox pod = start_sandbox("c1");
        check_too_late(refused(in_haste(call("ADD", pod))), "ADD");
        CHECK(calls() == Texts{"ADD c1", "DEL c1"});
        as_usual("DEL");
        succeed(std::string(verb) == "DEL" ? call("DEL", pod) : gc_call({}));
        CHECK(calls().front() == "DEL c1");
        CHECK(holdings().empty());
      }
    }
  }
}

TEST_CASE_METHOD(FailingHost, "a file that is no program is named, and nothing is to be undone",
                 "[failures]") {
  struct Case {
    const char* name;
    const char* commands;  ///< what an administrator did to the file
    int code;
  };
  const Case cases[] = {
      {"it may not be executed", "chmod 0644 /run/cni-bin/recorder", 107},
      {"it is text", "echo colour > /run/cni-bin/recorder", 113},
      {"its interpreter is missing", "echo '#!/nowhere/sh' > /run/cni-bin/recorder", 105},
  };
  for (const Part& part : kParts) {
    for (const Case& one : cases) {
      DYNAMIC_SECTION(part.name << ": " << one.name) {
        give(part);
        const Sandbox pod = start_sandbox("c1");
        output_of(one.commands);
        const json error = refused(call("ADD", pod));
        CHECK(error.at("code") == one.code);
        CHECK_THAT(error.at("msg").get<std::string>(),
                   Catch::StartsWith("plugin recorder, ADD: run /run/cni-bin/recorder: "));
        CHECK(error.at("details") ==
              "see that /run/cni-bin/recorder is the plugin, whole, and may be executed");
        CHECK(holdings().empty());
        succeed(call("DEL", pod));
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::test
