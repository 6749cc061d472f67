// Every step of an operation is interrupted: the process killed there, or the power cut there, and in the
// second case what no sync covered is lost in several ways. Then the node goes on, and must have kept what it
// answered.

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "test/catch.h"
#include "test/cni-flannel/ipam/forgetful_files.h"
#include "test/cni-flannel/ipam/ipam_node.h"
#include "test/fakes/recording_files.h"

namespace holdfast::flannel::test {
namespace {

using holdfast::test::kAllLosses;
using holdfast::test::Killed;
using holdfast::test::KillPoint;
using holdfast::test::Loss;
using holdfast::test::RecordingFiles;
using Texts = std::vector<std::string>;

constexpr std::size_t kPoolSize = 5;

// Thousands of trials, of which none needs a disk.
void work_in_memory() {
  if (std::getenv("TMPDIR") == nullptr && std::filesystem::is_directory("/dev/shm")) {
    ::setenv("TMPDIR", "/dev/shm", 0);
  }
}

struct Step {
  enum class Kind : std::uint8_t { kAdd, kDel, kGc } kind;
  std::string container_id;
  std::string pod;  // empty: an attachment without pod
  Texts requested;
};
Step add(std::string id, std::string pod, Texts requested = {}) {
  return {Step::Kind::kAdd, std::move(id), std::move(pod), std::move(requested)};
}
Step del(std::string id) { return {Step::Kind::kDel, std::move(id), "", {}}; }
Step gc() { return {Step::Kind::kGc, "", "", {}}; }

struct Scenario {
  const char* name;
  std::vector<Step> before;            // durable when it begins
  std::function<void(Node&)> disturb;  // what else is there
  std::vector<Step> during;            // what is interrupted
  bool reboot = false;                 // between the two
};

// What a runtime knows: which sandboxes run, and which addresses each pod was told.
struct Knowledge {
  std::map<std::string, Texts> told;        // pod -> addresses of its last ADD that was answered
  std::map<std::string, Texts> running;     // container -> addresses
  std::map<std::string, std::string> pods;  // container -> pod
  std::set<std::string> containers;         // all there ever were

  void added(const Step& step, const Texts& addresses) {
    // An older sandbox of the pod loses its addresses to the new one, and its link.
    std::erase_if(running, [&](const auto& entry) { return shares(entry.second, addresses); });
    running[step.container_id] = addresses;
    pods[step.container_id] = step.pod;
    std::erase_if(told, [&](const auto& entry) { return shares(entry.second, addresses); });
    if (!step.pod.empty()) {
      told[step.pod] = addresses;
    }
  }
  static bool shares(const Texts& a, const Texts& b) {
    return std::ranges::any_of(a, [&b](const auto& item) { return std::ranges::find(b, item) != b.end(); });
  }
};

AllocationRequest request_for(const Step& step) {
  AllocationRequest request =
      request_of(step.container_id, step.pod.empty() ? std::nullopt : std::optional(pod(step.pod)));
  std::ranges::transform(step.requested, std::back_inserter(request.requested), ip);
  return request;
}

// Runs one step and notes its answer; the error's text, or "".
std::string run(Node& node, const Step& step, Knowledge& knowledge) {
  if (step.kind == Step::Kind::kAdd) {
    knowledge.containers.insert(step.container_id);
    const auto allocation = node.try_add(request_for(step));
    if (!allocation) {
      return allocation.error().message;
    }
    knowledge.added(step, texts(*allocation));
    return "";
  }
  if (step.kind == Step::Kind::kDel) {
    node.machine.links.erase(link_of(step.container_id));
    const Status done = node.ipam().release(attachment_of(step.container_id));
    knowledge.running.erase(step.container_id);
    return done ? "" : done.error().message;
  }
  Texts valid;
  for (const auto& [container, addresses] : knowledge.running) {
    valid.push_back(container);
  }
  const auto freed = node.gc(valid);
  return freed ? "" : freed.error().message;
}

// Collects what is wrong instead of failing at once, so that a mutant can be told from a sound store.
class Checker {
 public:
  Checker(Node& node, Knowledge knowledge, std::string where, Texts& violations)
      : node_(node), knowledge_(std::move(knowledge)), where_(std::move(where)), violations_(violations) {}

  void expect(bool holds, const std::string& what) {
    if (!holds) {
      violations_.push_back(where_ + ": " + what);
    }
  }

  // `pods` may have kept their addresses or not, as what concerned them was not answered.
  void go_on(const std::set<std::string>& pods_in_doubt, const std::optional<Step>& retry) {
    if (retry) {
      expect_run(*retry);
    }
    const auto told = knowledge_.told;
    for (const auto& [pod, addresses] : told) {
      if (!pods_in_doubt.contains(pod) && !is_running(pod)) {
        const Step again = add("again-" + pod, pod);
        expect_run(again);
        expect(
            knowledge_.running[again.container_id] == addresses,
            pod + " had " + joined(addresses) + " and got " + joined(knowledge_.running[again.container_id]));
      }
    }
    for (const std::string& pod : pods_in_doubt) {
      if (!is_running(pod)) {
        expect_run(add("doubt-" + pod, pod), /* may_be_full= */ true);
      }
    }
  }

  // All goes, and the pool is whole again.
  void finish(bool with_gc) {
    const auto containers = knowledge_.containers;
    for (const std::string& container : containers) {
      expect_run(del(container));
    }
    if (with_gc) {
      expect_run(gc());
    }
    expect(node_.in_use().empty(), "left in use: " + joined(node_.in_use()));
    for (const auto& entry : std::filesystem::directory_iterator(node_.network_folder())) {
      expect(!entry.path().filename().native().starts_with(".claim-"), "left: " + entry.path().native());
    }
    for (std::size_t i = 0; i < kPoolSize; ++i) {
      expect_run(add("fresh-" + std::to_string(i), "fresh-" + std::to_string(i)));
    }
    expect(node_.in_use().size() == kPoolSize * node_.config.range_sets.size(), "the pool has shrunk");
  }

 private:
  static std::string joined(const Texts& items) {
    std::string text;
    for (const std::string& item : items) {
      text += item + " ";
    }
    return text;
  }

  [[nodiscard]] bool is_running(const std::string& pod) const {
    const auto told = knowledge_.told.find(pod);
    return told != knowledge_.told.end() && std::ranges::any_of(knowledge_.running, [&](const auto& running) {
             return Knowledge::shares(running.second, told->second);
           });
  }

  void expect_run(const Step& step, bool may_be_full = false) {
    const auto running = knowledge_.running;
    const std::string error = run(node_, step, knowledge_);
    expect(error.empty() || (may_be_full && error.starts_with("no IP addresses")),
           step.container_id + " of " + step.pod + ": " + error);
    if (step.kind == Step::Kind::kAdd && error.empty()) {
      for (const auto& [container, addresses] : running) {
        const std::string& pod = knowledge_.pods[container];
        expect(container == step.container_id || (!pod.empty() && pod == step.pod) ||
                   !Knowledge::shares(addresses, knowledge_.running[step.container_id]),
               "given twice: " + joined(addresses) + "to " + container + " and " + step.container_id);
      }
    }
  }

  Node& node_;
  Knowledge knowledge_;
  std::string where_;
  Texts& violations_;
};

// One run of a scenario, undisturbed or up to where it is killed.
class Trial {
 public:
  explicit Trial(const Scenario& scenario, std::optional<ForgetfulFiles::Forgets> mutant = std::nullopt)
      : scenario_(scenario) {
    node.use_subnets({"10.244.3.0/29", "fd00:3::/125"});
    for (const Step& step : scenario.before) {
      REQUIRE(run(node, step, knowledge_).empty());
    }
    if (scenario.reboot) {
      node.reboot();
      knowledge_.running.clear();
    }
    if (scenario.disturb) {
      scenario.disturb(node);
      knowledge_.containers.insert("u1");
    }
    recording = std::make_unique<RecordingFiles>(node.folder.path());
    node.port = recording.get();
    if (mutant) {
      forgetful_ = std::make_unique<ForgetfulFiles>(*recording, *mutant);
      node.port = forgetful_.get();
    }
    known_after_.push_back(knowledge_);
    steps_at_.push_back(0);
  }

  // The number of steps that were answered.
  std::size_t run_all() {
    std::size_t done = 0;
    try {
      for (const Step& step : scenario_.during) {
        error = run(node, step, knowledge_);
        if (!error.empty()) {
          break;
        }
        ++done;
        known_after_.push_back(knowledge_);
        steps_at_.push_back(recording->steps());
      }
    } catch (const Killed&) {
      error = "killed";
    }
    node.port = &node.unsynced;
    return done;
  }

  // How many answers had been given when the disk had seen this step.
  [[nodiscard]] std::size_t answered_at(std::size_t disk_step) const {
    std::size_t answered = 0;
    while (answered + 1 < steps_at_.size() && steps_at_[answered + 1] <= disk_step) {
      ++answered;
    }
    return answered;
  }
  [[nodiscard]] const Knowledge& known_after(std::size_t answers) const { return known_after_[answers]; }

  // Pods whose addresses the step after `answers` was about to change; by an undisturbed run.
  [[nodiscard]] std::set<std::string> in_doubt(std::size_t answers) const {
    std::set<std::string> pods;
    if (answers + 1 >= known_after_.size()) {
      return pods;
    }
    const auto& before = known_after_[answers].told;
    const auto& after = known_after_[answers + 1].told;
    for (const auto* told : {&before, &after}) {
      for (const auto& [pod, addresses] : *told) {
        const auto was = before.find(pod);
        const auto is = after.find(pod);
        if (was == before.end() || is == after.end() || was->second != is->second) {
          pods.insert(pod);
        }
      }
    }
    return pods;
  }

  Node node;
  std::unique_ptr<RecordingFiles> recording;
  std::string error;

 private:
  const Scenario& scenario_;
  std::unique_ptr<ForgetfulFiles> forgetful_;
  Knowledge knowledge_;
  std::vector<Knowledge> known_after_;
  std::vector<std::size_t> steps_at_;
};

// Before and after, and half way where a step has one.
std::vector<KillPoint> kill_points(const std::vector<RecordingFiles::Operation>& operations,
                                   std::size_t step) {
  const auto operation = std::ranges::find(operations, step, &RecordingFiles::Operation::step);
  const bool writes =
      operation->kind == RecordingFiles::Kind::kCreate || operation->kind == RecordingFiles::Kind::kAppend;
  return writes ? std::vector{KillPoint::kBefore, KillPoint::kHalfWay, KillPoint::kAfter}
                : std::vector{KillPoint::kBefore, KillPoint::kAfter};
}

std::size_t kill_everywhere(const Scenario& scenario, Texts& violations) {
  Trial whole(scenario);
  REQUIRE(whole.run_all() == scenario.during.size());
  std::size_t points = 0;
  for (std::size_t step = 1; step <= whole.recording->steps(); ++step) {
    for (const KillPoint point : kill_points(whole.recording->operations(), step)) {
      for (const bool runtime_retries : {true, false}) {
        Trial trial(scenario);
        trial.recording->kill_at(step, point);
        const std::size_t answers = trial.run_all();
        const std::string where = std::string(scenario.name) + ", killed at step " + std::to_string(step) +
                                  "." + std::to_string(static_cast<int>(point)) +
                                  (runtime_retries ? ", retried" : ", deleted");
        Checker checker(trial.node, trial.known_after(answers), where, violations);
        checker.expect(trial.error == "killed" || answers == scenario.during.size(), trial.error);
        std::optional<Step> next;
        if (answers < scenario.during.size()) {
          next = scenario.during[answers];
          if (!runtime_retries && next->kind == Step::Kind::kAdd) {
            next = del(next->container_id);
          }
        }
        checker.go_on(whole.in_doubt(answers), next);
        checker.finish(false);
        ++points;
      }
    }
  }
  return points;
}

std::size_t cut_power_everywhere(const Scenario& scenario, Texts& violations,
                                 std::optional<ForgetfulFiles::Forgets> mutant = std::nullopt) {
  Trial whole(scenario, mutant);
  REQUIRE(whole.run_all() == scenario.during.size());
  std::size_t points = 0;
  for (std::size_t step = 0; step <= whole.recording->steps(); ++step) {
    for (const Loss loss : kAllLosses) {
      for (const bool gc_first : {false, true}) {
        Node left;
        left.config.range_sets = whole.node.config.range_sets;
        REQUIRE(whole.recording->rebuild(step, loss, left.folder.path()));
        left.machine.boot = whole.node.machine.boot;
        left.reboot();
        const std::size_t answers = whole.answered_at(step);
        Knowledge knowledge = whole.known_after(answers);
        knowledge.running.clear();
        for (const Step& later : scenario.during) {
          knowledge.containers.insert(later.container_id.empty() ? "none" : later.container_id);
        }
        const std::string where = std::string(scenario.name) + ", power cut after step " +
                                  std::to_string(step) + ", " + std::string(to_string(loss)) +
                                  (gc_first ? ", GC first" : "");
        Checker checker(left, std::move(knowledge), where, violations);
        checker.go_on(whole.in_doubt(answers), gc_first ? std::optional(gc()) : std::nullopt);
        checker.finish(true);
        ++points;
      }
    }
  }
  return points;
}

void fail_everywhere(const Scenario& scenario, Texts& violations) {
  Trial whole(scenario);
  REQUIRE(whole.run_all() == scenario.during.size());
  for (std::size_t call = 1; call <= whole.recording->calls(); ++call) {
    for (const bool disk_is_full : {false, true}) {
      Trial trial(scenario);
      if (disk_is_full) {
        trial.recording->fill_disk_at(call);
      } else {
        trial.recording->fail_call(call, EIO);
      }
      const std::size_t answers = trial.run_all();
      const std::string where = std::string(scenario.name) + ", call " + std::to_string(call) +
                                (disk_is_full ? ", disk full" : ", I/O error") + ", " + trial.error;
      Checker checker(trial.node, trial.known_after(answers), where, violations);
      std::optional<Step> next;
      if (answers < scenario.during.size()) {
        next = scenario.during[answers];
      }
      checker.go_on(whole.in_doubt(answers), next);
      checker.finish(false);
    }
  }
}

// Superseded lines, until the log has so many.
void pad_log(Node& node, std::size_t lines) {
  std::string log = node.read(node.log_path());
  const std::string last = log.substr(log.rfind('\n', log.size() - 2) + 1);
  for (auto count = static_cast<std::size_t>(std::ranges::count(log, '\n')) - 1; count < lines; ++count) {
    log += last;
  }
  node.write(node.log_path(), log);
}

void leave_by_upstream(Node& node) {
  node.write_address("10.244.3.2", "u1\r\neth0");
  node.write_address("10.244.3.4", "");
  node.write_address("10.244.3.5_blue_yurt", "");
  node.write(node.folder / "results/cbr0-u1-eth0",
             R"({"kind":"cniCacheV1","containerId":"u1","ifName":"eth0","networkName":"cbr0",
                 "cniArgs":[["K8S_POD_NAMESPACE","default"],["K8S_POD_NAME","a"],["K8S_POD_UID","uid-1"]],
                 "result":{"ips":[{"address":"10.244.3.2/29"}],
                           "interfaces":[{"name":"cni0"},{"name":"vu1"},{"name":"eth0","sandbox":"/n"}]}})");
}

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all{
      {"first ADDs of a node", {}, {}, {add("c1", "z"), add("c2", "a")}},
      {"ADD of new pods", {add("c1", "a")}, {}, {add("c2", "b"), add("c3", "c")}},
      {"ADD without pod", {add("c1", "a")}, {}, {add("c2", "")}},
      {"pod restarts",
       {add("c1", "a"), add("c2", "b")},
       {},
       {del("c1"), add("c3", "a"), del("c3"), add("c4", "a")}},
      {"old sandbox goes late", {add("c1", "a")}, {}, {add("c2", "a"), del("c1")}},
      {"node comes back without DEL",
       {add("c1", "a"), add("c2", "b")},
       {},
       {add("d2", "b"), add("d1", "a")},
       true},
      {"node comes back with GC",
       {add("c1", "a"), add("c2", "b")},
       {},
       {gc(), add("d2", "b"), add("d1", "a"), del("c1"), del("c2")},
       true},
      {"full pool",
       {add("c1", "a"), add("c2", "b"), add("c3", "c"), add("c4", "d"), add("c5", "e"), del("c2"), del("c1")},
       {},
       {add("c6", "f"), add("c7", "")}},
      {"full pool after a reboot",
       {add("c1", "a"), add("c2", "b"), add("c3", "c"), add("c4", "d"), add("c5", "e"), del("c2")},
       {},
       {add("d6", "f"), add("d7", "g"), add("d3", "c")},
       true},
      {"requested address of an absent pod",
       {add("c1", "a"), del("c1")},
       {},
       {add("c2", "b", {"10.244.3.2"})}},
      {"GC", {add("c1", "a"), add("c2", "b"), del("c2"), add("c3", "c")}, {}, {gc(), add("c4", "b")}},
      {"torn end of the log",
       {add("c1", "a"), add("c2", "b"), del("c2")},
       [](Node& node) { node.write(node.log_path(), node.read(node.log_path()) + "0123 torn"); },
       {del("c1"), add("c3", "b")}},
      {"damaged line in the log",
       {add("c0", "x"), del("c0"), add("c1", "a"), add("c2", "b"), del("c2")},
       [](Node& node) {
         std::string log = node.read(node.log_path());
         log[log.find(" x ") + 1] = 'y';
         node.write(node.log_path(), log);
       },
       {add("c3", "b"), del("c1")}},
      {"compaction by DEL",
       {add("c1", "b")},
       [](Node& node) { pad_log(node, 66); },
       {del("c1"), add("c2", "b")}},
      {"compaction by ADD", {add("c1", "b")}, [](Node& node) { pad_log(node, 72); }, {add("c3", "c")}},
      {"take-over from upstream", {}, leave_by_upstream, {add("c1", "a"), add("c2", "b")}},
      {"DEL of upstream's pod first", {}, leave_by_upstream, {del("u1"), add("c1", "a")}},
  };
  return all;
}

void report(const Texts& violations) {
  for (const std::string& violation : violations) {
    UNSCOPED_INFO(violation);
  }
  CHECK(violations.empty());
}

TEST_CASE("killed at any step, a retry or DEL mends all, and what was answered is kept", "[ipam][crash]") {
  work_in_memory();
  std::size_t points = 0;
  for (const Scenario& scenario : scenarios()) {
    Texts violations;
    points += kill_everywhere(scenario, violations);
    report(violations);
  }
  std::cout << "killed at " << points << " points\n";
  CHECK(points >= 1000);
}

TEST_CASE("power cut after any step, what was answered is kept and the pool is whole", "[ipam][crash]") {
  work_in_memory();
  std::size_t points = 0;
  for (const Scenario& scenario : scenarios()) {
    Texts violations;
    points += cut_power_everywhere(scenario, violations);
    report(violations);
  }
  std::cout << "power cut at " << points << " points\n";
  CHECK(points >= 1000);
}

TEST_CASE("after an error or a full disk at any call nothing is held, and what was answered is kept",
          "[ipam][crash]") {
  work_in_memory();
  for (const Scenario& scenario : scenarios()) {
    Texts violations;
    fail_everywhere(scenario, violations);
    report(violations);
  }
}

TEST_CASE("an ADD that cannot take what it chose leaves all bindings as they were", "[ipam][crash]") {
  const Scenario full{
      "full pool",
      {add("c1", "a"), add("c2", "b"), add("c3", "c"), add("c4", "d"), add("c5", "e"), del("c2"), del("c1")},
      {},
      {add("c6", "f")}};
  Trial whole(full);
  REQUIRE(whole.run_all() == 1);
  const auto& calls = whole.recording->operations();
  const auto take =
      std::ranges::find(calls, RecordingFiles::Kind::kRenameNew, &RecordingFiles::Operation::kind);
  REQUIRE(take != calls.end());
  Trial trial(full);
  trial.recording->fail_call(static_cast<std::size_t>(take - calls.begin()) + 1, EIO);
  CHECK(trial.run_all() == 0);
  CHECK(trial.error.find("Input/output error") != std::string::npos);
  CHECK(trial.node.add("c7", pod("b")) == "10.244.3.3");
  CHECK(trial.node.add("c8", pod("a")) == "10.244.3.2");
}

TEST_CASE("a store that forgets its syncs is found out", "[ipam][crash]") {
  work_in_memory();
  Texts violations;
  SECTION("of files") {
    cut_power_everywhere(scenarios()[1], violations, ForgetfulFiles::Forgets::kFiles);
    CHECK_FALSE(violations.empty());
  }
  SECTION("of folders") {
    cut_power_everywhere(scenarios()[0], violations, ForgetfulFiles::Forgets::kFolders);
    CHECK_FALSE(violations.empty());
  }
}

TEST_CASE("the scenarios of compaction compact", "[ipam][crash]") {
  for (const Scenario& scenario : scenarios()) {
    if (std::string_view(scenario.name).starts_with("compaction")) {
      Trial trial(scenario);
      trial.run_all();
      CHECK(trial.recording->transcript().find("rename state/.cbr0.bindings.new") != std::string::npos);
    }
  }
}

TEST_CASE("an ADD makes its address file and its line durable, outside the lock, and nothing else",
          "[ipam][crash]") {
  Trial trial(scenarios()[1]);
  trial.run_all();
  Texts synced;
  for (const auto& operation : trial.recording->operations()) {
    if (operation.kind == RecordingFiles::Kind::kSyncFile ||
        operation.kind == RecordingFiles::Kind::kSyncFolder) {
      const std::string name = operation.path.filename();
      synced.push_back(name.starts_with(".claim-") ? "claim" : name);
    }
  }
  CHECK(synced == Texts{"claim", "claim", "cbr0.bindings", "claim", "claim", "cbr0.bindings"});
}

}  // namespace
}  // namespace holdfast::flannel::test
