#include "csi-lvm/lvm/lvm_queue.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "test/catch.h"

namespace holdfast::lvm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAmple{20000};

// What the runner did, and a door before each command that is closed until the test opens it.
struct Stage {
  std::mutex mutex;
  std::condition_variable news;
  std::vector<std::string> done;
  int allowed = 0;
  int begun = 0;
  int rests = 0;

  void allow(int more) {
    const std::scoped_lock lock(mutex);
    allowed += more;
    news.notify_all();
  }
  template <class Condition>
  void await(Condition condition) {
    std::unique_lock lock(mutex);
    REQUIRE(news.wait_for(lock, kAmple, condition));
  }
};

class StagedRunner final : public LvmRunner {
 public:
  explicit StagedRunner(Stage& stage) : stage_(stage) {}
  Result<LvmAnswer> run(const LvmCommand& command, milliseconds) override {
    std::unique_lock lock(stage_.mutex);
    ++stage_.begun;
    stage_.news.notify_all();
    stage_.news.wait(lock, [this] { return stage_.allowed > 0; });
    --stage_.allowed;
    stage_.done.push_back(to_line(command));
    stage_.news.notify_all();
    return LvmAnswer{.succeeded = true, .output = to_line(command), .talk = {}};
  }
  void rest() override {
    const std::scoped_lock lock(stage_.mutex);
    ++stage_.rests;
    stage_.news.notify_all();
  }

 private:
  Stage& stage_;
};

struct Fixture {
  std::future<Result<LvmAnswer>> ask(Effect effect, const std::string& word, milliseconds patience = kAmple) {
    return ask({effect, {word}}, patience);
  }
  std::future<Result<LvmAnswer>> ask(LvmCommand command, milliseconds patience = kAmple) {
    return std::async(std::launch::async, [=, this] { return queue.run(command, patience); });
  }
  // Each is asked for when those before it wait.
  std::vector<std::future<Result<LvmAnswer>>> ask_in_turn(const std::vector<LvmCommand>& commands) {
    std::vector<std::future<Result<LvmAnswer>>> answers;
    for (const LvmCommand& command : commands) {
      const std::size_t waiting = queue.load().waiting;
      answers.push_back(ask(command));
      await_waiting(waiting + 1);
    }
    return answers;
  }
  void await_waiting(std::size_t count) {
    while (queue.load().waiting != count) std::this_thread::yield();
  }
  // One command at work, behind which others queue up.
  std::future<Result<LvmAnswer>> occupy() {
    auto first = ask(Effect::kChanges, "first");
    stage.await([this] { return stage.begun == 1; });
    return first;
  }

  Stage stage;
  LvmQueue queue{std::make_unique<StagedRunner>(stage)};
};

TEST_CASE_METHOD(Fixture, "changes come before reports, each in its order", "[lvm]") {
  auto first = occupy();
  auto report = ask(Effect::kReports, "report");
  await_waiting(1);
  auto second = ask(Effect::kChanges, "second");
  await_waiting(2);
  auto third = ask(Effect::kChanges, "third");
  await_waiting(3);
  stage.allow(4);
  CHECK(first.get().value().output == "first");
  CHECK(report.get().value().output == "report");
  CHECK(second.get().value().succeeded);
  CHECK(third.get().value().succeeded);
  CHECK(stage.done == std::vector<std::string>{"first", "second", "third", "report"});
}

TEST_CASE_METHOD(Fixture, "a report that waits is run once for all who ask for it", "[lvm]") {
  auto first = occupy();
  std::vector<std::future<Result<LvmAnswer>>> same;
  same.push_back(ask(Effect::kReports, "lvs"));
  await_waiting(1);
  for (int i = 0; i < 8; ++i) same.push_back(ask(Effect::kReports, "lvs"));
  auto other = ask(Effect::kReports, "vgs");
  while (queue.load().askers != 11) std::this_thread::yield();
  CHECK(queue.load().waiting == 2);
  stage.allow(3);
  first.get().value();
  for (auto& answer : same) CHECK(answer.get().value().output == "lvs");
  CHECK(other.get().value().output == "vgs");
}

LvmCommand tagging(const std::string& tag, const std::string& volume) {
  return {.effect = Effect::kChanges, .words = {"lvchange", "--addtag", tag, volume}, .joins = true};
}

TEST_CASE_METHOD(Fixture, "changes of several volumes that may join are one command, and none is lost",
                 "[lvm]") {
  auto first = occupy();
  LvmCommand alone = tagging("ready", "vg/5");
  alone.joins = false;
  auto answers = ask_in_turn({tagging("ready", "vg/1"),
                              {Effect::kChanges, {"lvcreate"}},
                              tagging("ready", "vg/2"),
                              tagging("deleting", "vg/3"),
                              tagging("ready", "vg/4"),
                              alone});
  stage.allow(10);
  first.get().value();
  for (const std::size_t joined : {0U, 2U, 4U}) {
    CHECK(answers[joined].get()->output == "lvchange --addtag ready vg/1 vg/2 vg/4");
  }
  for (const std::size_t other : {1U, 3U, 5U}) CHECK(answers[other].get().has_value());
  CHECK(stage.done == std::vector<std::string>{"first", "lvchange --addtag ready vg/1 vg/2 vg/4", "lvcreate",
                                               "lvchange --addtag deleting vg/3",
                                               "lvchange --addtag ready vg/5"});
}

TEST_CASE_METHOD(Fixture, "a command is joined by no more than it has words for", "[lvm]") {
  auto first = occupy();
  std::vector<LvmCommand> commands;
  for (std::size_t i = 0; i < kMostLvmWords; ++i)
    commands.push_back(tagging("ready", "vg/" + std::to_string(i)));
  auto answers = ask_in_turn(commands);
  stage.allow(10);
  first.get().value();
  for (auto& answer : answers) CHECK(answer.get().has_value());
  REQUIRE(stage.done.size() == 3);
  CHECK(std::ranges::count(stage.done[1], ' ') == kMostLvmWords - 1);
  CHECK(stage.done[2] == "lvchange --addtag ready vg/57 vg/58 vg/59");
}

TEST_CASE_METHOD(Fixture, "a change that was withdrawn does not join others", "[lvm]") {
  auto first = occupy();
  auto other = ask(tagging("ready", "vg/1"));
  await_waiting(1);
  CHECK_FALSE(queue.run(tagging("ready", "vg/2"), milliseconds{20}).has_value());
  stage.allow(2);
  first.get().value();
  CHECK(other.get()->output == "lvchange --addtag ready vg/1");
}

TEST_CASE_METHOD(Fixture, "a report that has begun is not shared with who asks later", "[lvm]") {
  auto early = ask(Effect::kReports, "lvs");
  stage.await([this] { return stage.begun == 1; });
  auto late = ask(Effect::kReports, "lvs");
  await_waiting(1);
  stage.allow(2);
  CHECK(early.get().has_value());
  CHECK(late.get().has_value());
  CHECK(stage.done.size() == 2);
}

TEST_CASE_METHOD(Fixture, "who gives up waiting for a change that has begun is told that it goes on",
                 "[lvm]") {
  auto first = ask(Effect::kChanges, "lvextend", milliseconds{50});
  const auto answer = first.get();
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == Code::kDeadlineExceeded);
  CHECK(answer.error().message.find("goes on") != std::string::npos);
  stage.allow(1);
  stage.await([this] { return stage.done.size() == 1; });
}

TEST_CASE_METHOD(Fixture, "a change whose turn has not come is withdrawn with its asker's patience",
                 "[lvm]") {
  auto first = occupy();
  const auto answer = queue.run({Effect::kChanges, {"lvremove"}}, milliseconds{20});
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().message.find("did not begin") != std::string::npos);
  CHECK(queue.load().waiting == 0);
  stage.allow(10);
  first.get().value();
  CHECK(ask(Effect::kReports, "lvs").get().has_value());
  CHECK(stage.done == std::vector<std::string>{"first", "lvs"});
}

TEST_CASE_METHOD(Fixture, "a shared report stays while anybody waits for it", "[lvm]") {
  auto first = occupy();
  auto patient = ask(Effect::kReports, "lvs");
  await_waiting(1);
  CHECK_FALSE(queue.run({Effect::kReports, {"lvs"}}, milliseconds{20}).has_value());
  CHECK(queue.load().waiting == 1);
  stage.allow(2);
  first.get().value();
  CHECK(patient.get().has_value());
}

TEST_CASE_METHOD(Fixture, "the load tells what waits and how long the one at work has been", "[lvm]") {
  CHECK(queue.load().running == milliseconds{0});
  auto first = occupy();
  std::this_thread::sleep_for(milliseconds{5});
  CHECK(queue.load().running >= milliseconds{5});
  stage.allow(1);
  first.get().value();
}

TEST_CASE("the runner rests once after a while without commands", "[lvm]") {
  Stage stage;
  LvmQueue queue(std::make_unique<StagedRunner>(stage), milliseconds{10});
  stage.await([&stage] { return stage.rests == 1; });
  stage.allow(1);
  CHECK(queue.run({Effect::kReports, {"lvs"}}, kAmple).has_value());
  stage.await([&stage] { return stage.rests == 2; });
}

}  // namespace
}  // namespace holdfast::lvm
