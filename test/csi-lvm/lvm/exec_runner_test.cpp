#include "csi-lvm/lvm/exec_runner.h"

#include <csignal>
#include <utility>
#include <vector>

#include "test/catch.h"

namespace holdfast::lvm {
namespace {

using std::chrono::milliseconds;

class RecordingExecutor final : public Executor {
 public:
  Result<CommandResult> run(const Command& command) override {
    commands.push_back(command);
    return answer;
  }
  std::vector<Command> commands;
  Result<CommandResult> answer = CommandResult{};
};

CommandResult ended(int exit_status, int signal, std::string output, std::string errors) {
  CommandResult result;
  result.exit_status = exit_status;
  result.signal = signal;
  result.output = std::move(output);
  result.errors = std::move(errors);
  return result;
}

struct Fixture {
  RecordingExecutor executor;
  ExecRunner runner{executor, "/sbin/lvm"};
};

TEST_CASE_METHOD(Fixture, "a command is started with its words, in the C locale", "[lvm]") {
  executor.answer = ended(0, 0, "out", "talk");
  const LvmAnswer answer = runner.run({Effect::kReports, {"lvs", "-a"}}, milliseconds{700}).value();
  CHECK(answer.succeeded);
  CHECK(answer.output == "out");
  CHECK(answer.talk == "talk");
  REQUIRE(executor.commands.size() == 1);
  CHECK(executor.commands[0].argv == std::vector<std::string>{"/sbin/lvm", "lvs", "-a"});
  CHECK(executor.commands[0].environment.front() == "LC_ALL=C");
  CHECK(executor.commands[0].deadline == milliseconds{700});
}

TEST_CASE_METHOD(Fixture, "a command that changes something is never killed for being late", "[lvm]") {
  REQUIRE(runner.run({Effect::kChanges, {"lvremove", "--yes", "vg/lv"}}, milliseconds{700}).has_value());
  CHECK(executor.commands.at(0).deadline > std::chrono::hours{24});
}

TEST_CASE_METHOD(Fixture, "a command that fails is an answer", "[lvm]") {
  executor.answer = ended(5, 0, "", "not found");
  const LvmAnswer answer = runner.run({Effect::kReports, {"lvs"}}, milliseconds{700}).value();
  CHECK_FALSE(answer.succeeded);
  CHECK(answer.talk == "not found");
}

TEST_CASE_METHOD(Fixture, "what did not start, was late or was killed is told apart", "[lvm]") {
  struct Case {
    const char* name;
    Result<CommandResult> ended;
    Code code;
  };
  const Case cases[] = {
      {"no such program", fail(Code::kNotFound, "run /sbin/lvm: No such file or directory"),
       Code::kUnavailable},
      {"late", fail(Code::kDeadlineExceeded, "late"), Code::kDeadlineExceeded},
      {"killed", ended(0, SIGKILL, "", ""), Code::kAborted},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      executor.answer = c.ended;
      const auto answer = runner.run({Effect::kReports, {"lvs"}}, milliseconds{700});
      REQUIRE_FALSE(answer.has_value());
      CHECK(answer.error().code == c.code);
    }
  }
}

TEST_CASE_METHOD(Fixture, "a refused command is not started", "[lvm]") {
  CHECK(runner.run({Effect::kReports, {"lvs", "a b"}}, milliseconds{700}).error().code ==
        Code::kInvalidArgument);
  CHECK(executor.commands.empty());
}

}  // namespace
}  // namespace holdfast::lvm
